//! What is kept of switchovers and failovers, and of the sessions that met them: plain values and a bounded list of
//! them. PURE: times come in as durations since the book was opened.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Flights kept; the oldest goes first.
pub const FLIGHTS: usize = 32;
/// Sessions kept of one flight. Beyond that, sessions that only waited give way to those of which more is to be said.
pub const SESSIONS: usize = 1024;
/// Steps kept of one flight's timeline.
pub const STEPS: usize = 128;
/// Replays, settlements and losses kept of one session in one flight.
pub const NOTES: usize = 8;
/// Bytes kept of any text.
pub const TEXT: usize = 240;
/// A flight still takes what sessions have to say for so long after its release.
pub const LINGER: Duration = Duration::from_secs(10);

/// Why units were held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A switchover commanded through us.
    Command,
    /// A failover of ours (`failover.mode = "auto"`).
    Failover,
    /// Somebody else made another server the primary.
    External,
    /// `tideover hold`.
    Hold,
    /// There was no primary; why is not known yet, or the same one came back.
    Outage,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Command, Self::Failover, Self::External, Self::Hold, Self::Outage];

    /// The name in metrics, status and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Failover => "failover",
            Self::External => "external",
            Self::Hold => "hold",
            Self::Outage => "outage",
        }
    }
}

/// One step of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds from the beginning of the flight.
    pub at_ms: f64,
    /// Milliseconds that it took, for steps that take time.
    pub took_ms: Option<f64>,
    /// Name of the phase or event.
    pub what: String,
    /// What is worth saying of it.
    pub detail: String,
}

/// What one session did in a flight beside waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Note {
    /// Its transaction was done again from its journal.
    Replayed {
        /// Statements sent again.
        statements: usize,
        /// Why it could not be; empty if it could.
        problem: String,
    },
    /// The answer to a unit's end was lost.
    Settled {
        /// `committed`, `not committed` or `cannot tell`.
        outcome: String,
        /// The GTID found, or why nothing follows.
        evidence: String,
    },
    /// A transaction that was acknowledged to it is not on the new primary.
    Lost {
        /// Its GTID.
        gtid: String,
    },
}

/// One session in a flight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionFlight {
    /// Its id, as in the client's handshake.
    pub session: u32,
    /// Milliseconds that it was held, all waits together.
    pub held_ms: f64,
    /// How often it was held.
    pub waits: u32,
    /// What else became of it, in order.
    pub notes: Vec<Note>,
    /// Notes beyond [`NOTES`] that were not kept.
    pub more_notes: u32,
}

/// Sums over all sessions, those that were not kept included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Waits at the gate.
    pub waits: u64,
    /// The longest of them, milliseconds.
    pub longest_held_ms: f64,
    /// Transactions done again.
    pub replayed: u64,
    /// Transactions that could not be done again.
    pub not_replayed: u64,
    /// Units in doubt that were found committed.
    pub committed: u64,
    /// Units in doubt that were not committed.
    pub not_committed: u64,
    /// Units of which it could not be told.
    pub unknown: u64,
    /// Acknowledged transactions that the new primary lacks.
    pub lost: u64,
    /// Events of sessions that were not kept (more than [`SESSIONS`]).
    pub not_kept: u64,
}

/// One switchover, failover, hold or outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    /// Counts up from 1 since the start of the process.
    pub number: u64,
    /// Why.
    pub cause: Cause,
    /// `open` until it ended; then `done`, `failed`, `stuck` or `back` (the same primary serves again).
    pub result: String,
    /// The primary before, empty if there was none.
    pub from: String,
    /// The primary afterwards, empty while it is not known.
    pub to: String,
    /// When it began, milliseconds since 1970 (UTC).
    pub began_unix_ms: u64,
    /// Milliseconds from the beginning to the release; `None` while units are held.
    pub released_ms: Option<f64>,
    /// The timeline.
    pub steps: Vec<Step>,
    /// Sums.
    pub totals: Totals,
    /// The sessions that met it, by id.
    pub sessions: Vec<SessionFlight>,
}

/// A flight that is being written.
#[derive(Debug)]
struct Open {
    flight: Flight,
    began: Duration,
    /// Who has not let go yet.
    holders: Vec<Cause>,
    released: Option<Duration>,
    sessions: BTreeMap<u32, SessionFlight>,
}

/// The last [`FLIGHTS`] flights.
#[derive(Debug, Default)]
pub(super) struct Book {
    flights: VecDeque<Open>,
    last: u64,
}

impl Book {
    /// A flight begins, or `cause` joins the one that is not released yet: its cause stays, unless it was only known
    /// that there was no primary. Gives its number.
    pub(super) fn begin(&mut self, (cause, from): (Cause, &str), now: Duration, unix_ms: u64) -> u64 {
        if let Some(open) = self.flights.back_mut().filter(|open| open.released.is_none()) {
            if open.flight.cause == Cause::Outage {
                open.flight.cause = cause;
            }
            open.holders.push(cause);
            let number = open.flight.number;
            if open.flight.cause != cause {
                self.step(number, now, (cause.name(), "joined", None));
            }
            return number;
        }
        self.last += 1;
        if self.flights.len() == FLIGHTS {
            self.flights.pop_front();
        }
        let flight = Flight {
            number: self.last,
            cause,
            result: "open".to_owned(),
            from: short(from),
            to: String::new(),
            began_unix_ms: unix_ms,
            released_ms: None,
            steps: Vec::new(),
            totals: Totals::default(),
            sessions: Vec::new(),
        };
        let (holders, sessions) = (vec![cause], BTreeMap::new());
        self.flights.push_back(Open { flight, began: now, holders, released: None, sessions });
        self.last
    }

    /// A step of the timeline: its name, what is to be said, and how long it took (it ended `now`).
    pub(super) fn step(
        &mut self,
        number: u64,
        now: Duration,
        (what, detail, took): (&str, &str, Option<Duration>),
    ) {
        let Some(open) = self.find(number) else { return };
        if open.flight.steps.len() < STEPS {
            let at = now.saturating_sub(open.began).saturating_sub(took.unwrap_or_default());
            let (what, detail) = (short(what), short(detail));
            open.flight.steps.push(Step { at_ms: ms(at), took_ms: took.map(ms), what, detail });
        }
    }

    /// `cause` lets go; the flight is released when everybody has.
    pub(super) fn release(&mut self, number: u64, cause: Cause, now: Duration) {
        let Some(open) = self.find(number) else { return };
        if let Some(at) = open.holders.iter().position(|c| *c == cause) {
            open.holders.swap_remove(at);
        }
        if open.holders.is_empty() && open.released.is_none() {
            open.released = Some(now);
            open.flight.released_ms = Some(ms(now.saturating_sub(open.began)));
        }
    }

    /// How it ended, and who is the primary now. Whoever caused it has the last word on that; what failed may still end
    /// well by somebody else's doing.
    pub(super) fn end(&mut self, number: u64, cause: Cause, (result, to): (&str, &str)) {
        let Some(open) = self.find(number) else { return };
        if open.flight.cause == cause || matches!(open.flight.result.as_str(), "open" | "failed") {
            open.flight.result = short(result);
        }
        if !to.is_empty() {
            open.flight.to = short(to);
        }
    }

    /// What is known now of why: an outage that turns out to be somebody's failover.
    pub(super) fn explain(&mut self, number: u64, cause: Cause) {
        if let Some(open) = self.find(number).filter(|open| open.flight.cause == Cause::Outage) {
            open.flight.cause = cause;
        }
    }

    /// Whether sessions have anything to say now.
    #[must_use]
    pub(super) fn is_listening(&self, now: Duration) -> bool {
        self.flights.back().is_some_and(|open| open.listens(now))
    }

    /// A session waited at the gate.
    pub(super) fn held(&mut self, session: u32, waited: Duration, now: Duration) {
        let Some(open) = self.current(now) else { return };
        let totals = &mut open.flight.totals;
        totals.waits += 1;
        totals.longest_held_ms = totals.longest_held_ms.max(ms(waited));
        let room = open.sessions.len() < SESSIONS;
        if room || open.sessions.contains_key(&session) {
            let entry = open.sessions.entry(session).or_default();
            entry.session = session;
            entry.held_ms = round(entry.held_ms + ms(waited));
            entry.waits += 1;
        } else {
            open.flight.totals.not_kept += 1;
        }
    }

    /// Something else is to be said of a session.
    pub(super) fn note(&mut self, session: u32, note: Note, now: Duration) {
        let Some(open) = self.current(now) else { return };
        open.flight.totals.count(&note);
        if open.sessions.len() >= SESSIONS && !open.sessions.contains_key(&session) {
            // Waiting is what everybody does: this says more.
            let dull = open.sessions.values().find(|s| s.notes.is_empty()).map(|s| s.session);
            open.flight.totals.not_kept += 1;
            let Some(dull) = dull else { return };
            open.sessions.remove(&dull);
        }
        let entry = open.sessions.entry(session).or_default();
        entry.session = session;
        if entry.notes.len() < NOTES {
            entry.notes.push(note.shortened());
        } else {
            entry.more_notes += 1;
        }
    }

    /// All flights, the newest first.
    #[must_use]
    pub(super) fn flights(&self) -> Vec<Flight> {
        let whole = |open: &Open| Flight {
            sessions: open.sessions.values().cloned().collect(),
            ..open.flight.clone()
        };
        self.flights.iter().rev().map(whole).collect()
    }

    fn find(&mut self, number: u64) -> Option<&mut Open> {
        self.flights.iter_mut().rev().find(|open| open.flight.number == number)
    }

    fn current(&mut self, now: Duration) -> Option<&mut Open> {
        self.flights.back_mut().filter(|open| open.listens(now))
    }
}

impl Open {
    fn listens(&self, now: Duration) -> bool {
        self.released.is_none_or(|at| now < at + LINGER)
    }
}

impl Totals {
    fn count(&mut self, note: &Note) {
        let counter = match note {
            Note::Replayed { problem, .. } if problem.is_empty() => &mut self.replayed,
            Note::Replayed { .. } => &mut self.not_replayed,
            Note::Settled { outcome, .. } if outcome == "committed" => &mut self.committed,
            Note::Settled { outcome, .. } if outcome == "not committed" => &mut self.not_committed,
            Note::Settled { .. } => &mut self.unknown,
            Note::Lost { .. } => &mut self.lost,
        };
        *counter += 1;
    }
}

impl Note {
    fn shortened(self) -> Self {
        match self {
            Self::Replayed { statements, problem } => Self::Replayed { statements, problem: short(&problem) },
            Self::Settled { outcome, evidence } => {
                Self::Settled { outcome: short(&outcome), evidence: short(&evidence) }
            }
            Self::Lost { gtid } => Self::Lost { gtid: short(&gtid) },
        }
    }
}

/// Milliseconds, to the hundredth.
fn ms(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1e3)
}

fn round(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

fn short(text: &str) -> String {
    let end = (0..=TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
