use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settled(outcome: &str) -> Note {
    Note::Settled { outcome: outcome.to_owned(), evidence: "0-1-7".to_owned() }
}

#[test]
fn sessions_speak_while_a_flight_is_open_and_a_little_longer() {
    let mut book = Book::default();
    book.held(1, s(1), s(0));
    assert!(!book.is_listening(s(0)) && book.flights().is_empty());
    let number = book.begin((Cause::Command, "a:1"), s(10), 77);
    book.held(1, s(1), s(11));
    book.held(1, s(2), s(12));
    book.release(number, Cause::Command, s(13));
    book.note(1, settled("committed"), s(14));
    book.note(2, settled("cannot tell"), s(22));
    assert!(!book.is_listening(s(23)));
    book.held(3, s(1), s(23));
    book.end(number, Cause::Command, ("done", "b:1"));
    let [flight] = &book.flights()[..] else { panic!("one flight") };
    assert_eq!((flight.from.as_str(), flight.to.as_str(), flight.result.as_str()), ("a:1", "b:1", "done"));
    assert_eq!((flight.released_ms, flight.began_unix_ms), (Some(3000.0), 77));
    assert_eq!(flight.sessions.iter().map(|s| s.session).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((flight.sessions[0].held_ms, flight.sessions[0].waits), (3000.0, 2));
    let totals = flight.totals;
    assert_eq!((totals.waits, totals.longest_held_ms, totals.committed, totals.unknown), (2, 2000.0, 1, 1));
}

/// A failover of ours begins as an outage; a hold and an outage at once are one flight, released by the last.
#[test]
fn what_overlaps_is_one_flight() {
    let mut book = Book::default();
    let outage = book.begin((Cause::Outage, "a:1"), s(0), 0);
    assert_eq!(book.begin((Cause::Failover, "a:1"), s(1), 0), outage);
    assert_eq!(book.flights()[0].cause, Cause::Failover);
    book.release(outage, Cause::Outage, s(2));
    assert_eq!(book.flights()[0].released_ms, None);
    book.release(outage, Cause::Failover, s(3));
    assert_eq!(book.flights()[0].released_ms, Some(3000.0));
    let hold = book.begin((Cause::Hold, "b:1"), s(4), 0);
    assert_ne!(hold, outage);
    assert_eq!(book.begin((Cause::Outage, "b:1"), s(5), 0), hold);
    book.explain(hold, Cause::External);
    assert_eq!(book.flights()[0].cause, Cause::Hold);
    assert_eq!(book.flights()[0].steps[0].what, "outage");
}

#[test]
fn everything_is_bounded() {
    let mut book = Book::default();
    for _ in 0..FLIGHTS + 3 {
        let number = book.begin((Cause::Hold, "a:1"), s(0), 0);
        book.release(number, Cause::Hold, s(0));
    }
    assert_eq!(book.flights().len(), FLIGHTS);
    let number = book.begin((Cause::Command, &"ä".repeat(TEXT)), s(0), 0);
    for step in 0..STEPS + 5 {
        book.step(number, s(1), (&step.to_string(), "", None));
    }
    let many = u32::try_from(SESSIONS).expect("small") + 10;
    for session in 0..many {
        book.held(session, s(1), s(1));
    }
    for _ in 0..NOTES + 2 {
        book.note(many + 1, settled("not committed"), s(1));
    }
    let flight = &book.flights()[0];
    assert_eq!(flight.from, "ä".repeat(TEXT / 2));
    assert_eq!((flight.steps.len(), flight.sessions.len()), (STEPS, SESSIONS));
    let last = flight.sessions.last().expect("sessions");
    assert_eq!((last.session, last.notes.len(), last.more_notes), (many + 1, NOTES, 2));
    assert_eq!(flight.totals.waits, u64::from(many));
    assert_eq!((flight.totals.not_kept, flight.totals.not_committed), (11, NOTES as u64 + 2));
}

#[test]
fn the_time_of_a_step_is_when_it_began() {
    let mut book = Book::default();
    let number = book.begin((Cause::Command, "a:1"), s(5), 0);
    book.step(number, s(9), ("drain", "", Some(s(3))));
    assert_eq!(book.flights()[0].steps[0].at_ms, 1000.0);
    book.step(number + 1, s(9), ("drain", "", None));
    assert_eq!(book.flights()[0].steps.len(), 1);
}
