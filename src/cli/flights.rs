//! `tideover status --flights`: the flight record for people.

use std::fmt::Write;

use hyper::Method;
use serde::Deserialize;

use crate::flight::{Flight, Note, SessionFlight};

use super::arguments::AdminOptions;
use super::client::call;
use super::{print, tell};

/// Sessions shown of a flight; the JSON form has all.
const SHOWN: usize = 20;

#[derive(Debug, Deserialize)]
struct Answer {
    flights: Vec<Flight>,
}

/// Shows the record once. Exit codes: 0, or 1 if it cannot be had.
pub(super) async fn flights(options: AdminOptions) -> u8 {
    let value = match call(&options, Method::GET, "/v1/flights", None).await {
        Ok(value) => value,
        Err(failure) => return failure.told(options.json),
    };
    if options.json {
        print(&value.to_string());
        return 0;
    }
    match serde_json::from_value::<Answer>(value) {
        Ok(answer) if answer.flights.is_empty() => print("no switchover and no failover since the start"),
        // The newest last, where the eye is.
        Ok(answer) => answer.flights.iter().rev().for_each(|flight| print(&text(flight))),
        Err(error) => {
            tell(&format!("the answer is not a flight record: {error}"));
            return 1;
        }
    }
    0
}

fn text(flight: &Flight) -> String {
    let mut out = String::new();
    let to = if flight.to.is_empty() { "?" } else { &flight.to };
    let held = flight.released_ms.map_or_else(|| "still held".to_owned(), |ms| format!("{ms:.0} ms"));
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "#{} {} {} {}: {} -> {to}, {held}",
        flight.number,
        clock(flight.began_unix_ms),
        flight.cause.name(),
        flight.result,
        flight.from,
    );
    for step in &flight.steps {
        let took = step.took_ms.map_or_else(String::new, |ms| format!("{ms:.2} ms"));
        let _ = writeln!(out, "  {:>9.2} ms  {:<12} {took:>12}  {}", step.at_ms, step.what, step.detail);
    }
    let totals = &flight.totals;
    let _ = writeln!(
        out,
        "  {} waits, the longest {:.0} ms; {} transactions replayed, {} not; in doubt: {} committed, {} not committed, {} \
         unknown; {} lost",
        totals.waits,
        totals.longest_held_ms,
        totals.replayed,
        totals.not_replayed,
        totals.committed,
        totals.not_committed,
        totals.unknown,
        totals.lost
    );
    // Those of which more is to be said than that they waited come first.
    let mut sessions: Vec<&SessionFlight> = flight.sessions.iter().collect();
    sessions.sort_by_key(|s| s.notes.is_empty());
    for session in sessions.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "  session {:<8} held {:>8.0} ms{}",
            session.session,
            session.held_ms,
            notes(session)
        );
    }
    if sessions.len() > SHOWN {
        let _ = writeln!(out, "  … and {} sessions more (--json shows all)", sessions.len() - SHOWN);
    }
    out
}

fn notes(session: &SessionFlight) -> String {
    let mut out = String::new();
    for note in &session.notes {
        let _ = match note {
            Note::Replayed { statements, problem } if problem.is_empty() => {
                write!(out, "; {statements} statements replayed")
            }
            Note::Replayed { problem, .. } => write!(out, "; not replayed: {problem}"),
            Note::Settled { outcome, evidence } => write!(out, "; in doubt: {outcome} ({evidence})"),
            Note::Lost { gtid } => write!(out, "; LOST {gtid}"),
        };
    }
    out
}

/// Time of day, UTC.
fn clock(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000 % 86_400;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03} UTC", seconds % 60, unix_ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_to_be_said() {
        let json = r#"{"number": 3, "cause": "failover", "result": "done", "from": "a:1", "to": "b:1",
            "began_unix_ms": 86399005, "released_ms": 812.5,
            "steps": [{"at_ms": 1.5, "took_ms": 2.0, "what": "promote", "detail": "b:1"}],
            "totals": {"waits": 2, "longest_held_ms": 700.0, "replayed": 0, "not_replayed": 0, "committed": 1,
                "not_committed": 0, "unknown": 0, "lost": 1, "not_kept": 0},
            "sessions": [{"session": 1, "held_ms": 3.0, "waits": 1, "notes": [], "more_notes": 0},
                {"session": 2, "held_ms": 700.0, "waits": 1, "more_notes": 0,
                 "notes": [{"kind": "settled", "outcome": "committed", "evidence": "0-1-7"},
                    {"kind": "lost", "gtid": "0-1-9"}]}]}"#;
        let flight: Flight = serde_json::from_str(json).expect("a flight");
        let text = text(&flight);
        assert!(text.starts_with("#3 23:59:59.005 UTC failover done: a:1 -> b:1, 812 ms\n"), "{text}");
        let (second, first) = (text.find("session 2").expect("2"), text.find("session 1").expect("1"));
        assert!(second < first && text.contains("in doubt: committed (0-1-7); LOST 0-1-9"), "{text}");
    }
}
