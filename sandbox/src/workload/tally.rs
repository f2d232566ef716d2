use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{ErrorCount, Kind, Snapshot, statement::Failure};

/// How many messages of each error are kept.
const MESSAGES: usize = 5;
/// Longest wait that the histogram tells from longer ones, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// What one client counts. It is shared with whoever takes snapshots, so it is locked for moments only.
#[derive(Debug)]
pub(crate) struct Tally {
    ok: BTreeMap<Kind, u64>,
    errors: BTreeMap<u16, ErrorCount>,
    wrong_answers: ErrorCount,
    pub(crate) lost_sessions: u64,
    pub(crate) reconnects: u64,
    pub(crate) retried_deadlocks: u64,
    longest_wait: Duration,
    /// Microseconds from a statement's start to its answer.
    latency: Histogram<u64>,
    /// When the statement that has no answer yet was sent.
    pub(crate) waiting_since: Option<Instant>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            ok: BTreeMap::new(),
            errors: BTreeMap::new(),
            wrong_answers: ErrorCount::default(),
            lost_sessions: 0,
            reconnects: 0,
            retried_deadlocks: 0,
            longest_wait: Duration::ZERO,
            latency: histogram(),
            waiting_since: None,
        }
    }

    pub(crate) fn succeeded(&mut self, kind: Kind) {
        *self.ok.entry(kind).or_default() += 1;
    }

    /// Notes an error. Whether a session was lost with it is for the caller to say.
    pub(crate) fn failed(&mut self, doing: &str, failure: &Failure) {
        note(self.errors.entry(failure.code).or_default(), || format!("{doing}: {failure}"));
    }

    pub(crate) fn wrong(&mut self, what: impl FnOnce() -> String) {
        note(&mut self.wrong_answers, what);
    }

    /// A statement is on its way.
    pub(crate) fn sent(&mut self) {
        self.waiting_since = Some(Instant::now());
    }

    pub(crate) fn forget_waits(&mut self) {
        self.longest_wait = Duration::ZERO;
        self.latency.reset();
    }

    /// It was answered, or failed.
    pub(crate) fn answered(&mut self) {
        let Some(since) = self.waiting_since.take() else { return };
        let wait = since.elapsed();
        self.longest_wait = self.longest_wait.max(wait);
        self.latency.saturating_record(u64::try_from(wait.as_micros()).unwrap_or(LONGEST).max(1));
    }
}

fn note(errors: &mut ErrorCount, message: impl FnOnce() -> String) {
    errors.count += 1;
    if errors.first.len() < MESSAGES {
        errors.first.push(message());
    }
}

/// Two digits are enough, and 32 clients' worth of them stay small.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 2).expect("constant bounds that are valid")
}

/// Adds up all clients.
#[derive(Debug)]
pub(crate) struct Total {
    snapshot: Snapshot,
    latency: Histogram<u64>,
}

impl Total {
    pub(crate) fn new(elapsed: Duration) -> Self {
        Self { snapshot: Snapshot { elapsed, ..Snapshot::default() }, latency: histogram() }
    }

    pub(crate) fn add(&mut self, tally: &Tally) {
        let total = &mut self.snapshot;
        for (&kind, &count) in &tally.ok {
            *total.ok.entry(kind).or_default() += count;
        }
        for (&code, errors) in &tally.errors {
            merge(total.errors.entry(code).or_default(), errors);
        }
        merge(&mut total.wrong_answers, &tally.wrong_answers);
        total.lost_sessions += tally.lost_sessions;
        total.reconnects += tally.reconnects;
        total.retried_deadlocks += tally.retried_deadlocks;
        total.longest_wait = total.longest_wait.max(tally.longest_wait);
        let waiting = tally.waiting_since.map_or(Duration::ZERO, |since| since.elapsed());
        total.waiting_now = total.waiting_now.max(waiting);
        // The same bounds everywhere, so this cannot fail.
        let _ = self.latency.add(&tally.latency);
    }

    pub(crate) fn finish(mut self) -> Snapshot {
        self.snapshot.statements = self.latency.len();
        self.snapshot.median = Duration::from_micros(self.latency.value_at_quantile(0.5));
        self.snapshot.p99 = Duration::from_micros(self.latency.value_at_quantile(0.99));
        self.snapshot.p999 = Duration::from_micros(self.latency.value_at_quantile(0.999));
        self.snapshot
    }
}

fn merge(total: &mut ErrorCount, part: &ErrorCount) {
    total.count += part.count;
    let room = MESSAGES.saturating_sub(total.first.len());
    total.first.extend(part.first.iter().take(room).cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_added_up() {
        let mut total = Total::new(Duration::from_secs(1));
        for client in 0..3_u64 {
            let mut tally = Tally::new();
            tally.sent();
            tally.answered();
            tally.succeeded(Kind::Read);
            tally.failed("commit", &Failure { code: 1290, message: "read-only".into(), lost: false });
            tally.failed("read", &Failure { code: 0, message: "gone".into(), lost: true });
            tally.reconnects += client;
            tally.lost_sessions += 1;
            total.add(&tally);
        }
        let snapshot = total.finish();
        assert_eq!((snapshot.total_ok(), snapshot.total_errors(), snapshot.statements), (3, 6, 3));
        assert_eq!((snapshot.lost_sessions, snapshot.reconnects), (3, 3));
        assert_eq!(snapshot.errors[&1290].first[0], "commit: 1290: read-only");
        assert!(!snapshot.is_clean());
    }
}
