//! The record as everybody shares it: with a clock, a lock, and a way past the lock while nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use super::events::{Events, unix_ms};
use super::record::{Book, Cause, Flight, Note};

/// The flight record of the process. What sessions say costs one relaxed load while no flight is open.
#[derive(Debug)]
pub struct Flights {
    /// Whether a flight may be listening; only [`Book::is_listening`] knows for certain.
    listening: AtomicBool,
    book: Mutex<Book>,
    events: Events,
    started: Instant,
}

/// A flight of somebody who commands it: the number to speak of it by, and his own cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlightId {
    number: u64,
    cause: Cause,
}

impl Flights {
    /// An empty record.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            listening: AtomicBool::new(false),
            book: Mutex::default(),
            events: Events::default(),
            started: Instant::now(),
        })
    }

    /// A flight begins, or `cause` joins the one that is open. `from` is the address of the primary so far.
    pub fn begin(&self, cause: Cause, from: &str) -> FlightId {
        let number = self.book.lock().begin((cause, from), self.now(), unix_ms());
        self.listening.store(true, Ordering::Release);
        self.events.tell("flight", || json!({ "flight": number, "cause": cause.name(), "from": from }));
        FlightId { number, cause }
    }

    /// A step of the timeline that ends now, having taken `took` (`None` for what takes no time).
    pub fn step(&self, id: FlightId, what: &str, detail: &str, took: Option<Duration>) {
        self.book.lock().step(id.number, self.now(), (what, detail, took));
        let ms = took.map(|took| took.as_secs_f64() * 1e3);
        self.events
            .tell("phase", || json!({ "flight": id.number, "phase": what, "detail": detail, "took_ms": ms }));
    }

    /// The reason to hold of whoever began is over. Sessions may speak of it for a while yet.
    pub fn release(&self, id: FlightId) {
        self.book.lock().release(id.number, id.cause, self.now());
        self.events.tell("release", || json!({ "flight": id.number, "cause": id.cause.name() }));
    }

    /// How it ended (`done`, `failed`, `stuck`, `back`) and who is the primary now (empty if that is not known).
    pub fn end(&self, id: FlightId, result: &str, to: &str) {
        self.book.lock().end(id.number, id.cause, (result, to));
        self.events.tell("end", || json!({ "flight": id.number, "result": result, "to": to }));
    }

    /// An outage turns out to be this.
    pub fn explain(&self, id: FlightId, cause: Cause) {
        self.book.lock().explain(id.number, cause);
    }

    /// A session waited at the gate for `waited`.
    pub fn held(&self, session: u32, waited: Duration) {
        self.with_open(|book, now| book.held(session, waited, now));
    }

    /// A session's transaction was done again with so many statements, or could not be, and why.
    pub fn replayed(&self, session: u32, statements: usize, result: Result<(), &str>) {
        let problem = result.err().unwrap_or_default();
        self.with_open(|book, now| {
            book.note(session, Note::Replayed { statements, problem: problem.to_owned() }, now);
        });
    }

    /// What became of a unit whose answer was lost: `committed`, `not committed` or `cannot tell`, and how that is known
    /// (the GTID found, or a reason).
    pub fn settled(&self, session: u32, outcome: &str, evidence: &str) {
        self.with_open(|book, now| {
            let (outcome, evidence) = (outcome.to_owned(), evidence.to_owned());
            book.note(session, Note::Settled { outcome, evidence }, now);
        });
    }

    /// A transaction that was acknowledged to a session is not on the new primary.
    pub fn lost(&self, session: u32, gtid: &str) {
        self.with_open(|book, now| book.note(session, Note::Lost { gtid: gtid.to_owned() }, now));
    }

    /// All flights that are kept, the newest first.
    #[must_use]
    pub fn flights(&self) -> Vec<Flight> {
        self.book.lock().flights()
    }

    /// For whoever wants to hear of things as they happen, or to tell of more.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn with_open(&self, tell: impl FnOnce(&mut Book, Duration)) {
        if !self.listening.load(Ordering::Relaxed) {
            return;
        }
        let now = self.now();
        let mut book = self.book.lock();
        if book.is_listening(now) {
            tell(&mut book, now);
        } else {
            // Under the lock: a flight that begins now raises it afterwards.
            self.listening.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn late_words_count_and_later_ones_do_not() {
        let flights = Flights::new();
        flights.held(1, Duration::from_secs(1));
        let id = flights.begin(Cause::Failover, "a:1");
        flights.replayed(1, 4, Ok(()));
        flights.release(id);
        tokio::time::advance(Duration::from_secs(5)).await;
        flights.replayed(2, 3, Err("the third answer differs"));
        flights.lost(2, "0-1-9");
        tokio::time::advance(Duration::from_secs(6)).await;
        flights.replayed(3, 1, Ok(()));
        assert!(!flights.listening.load(Ordering::Relaxed));
        flights.end(id, "done", "b:1");
        let [flight] = &flights.flights()[..] else { panic!("one flight") };
        let totals = flight.totals;
        assert_eq!((totals.waits, totals.replayed, totals.not_replayed, totals.lost), (0, 1, 1, 1));
        let next = flights.begin(Cause::Hold, "b:1");
        assert_ne!(next, id);
        flights.held(9, Duration::from_millis(5));
        assert_eq!(flights.flights()[0].sessions.len(), 1);
    }
}
