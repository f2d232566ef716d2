//! What the open transaction did so far, so that it can be done again on another server. PURE.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use crate::session::SessionState;

use super::budget::{Budget, Exceeded, Share};
use super::digest::Digest;

/// What an entry costs beside its command, bytes; about what it takes in memory.
const OVERHEAD: usize = 400;

/// The journal of one transaction. `C` is a command as whoever sends it keeps it.
#[derive(Debug)]
pub struct Journal<C> {
    entries: Vec<Entry<C>>,
    /// Of each entry, what it costs, and whether it is soft.
    costs: Vec<(usize, bool)>,
    /// The session as it was when the transaction began; `None` while it is the same.
    start: Option<SessionState>,
    /// LAST_INSERT_ID() at that time; 0 for none.
    last_insert_id: u64,
    /// Each statement sees what is committed when it runs (READ COMMITTED).
    sees_commits: bool,
    soft: bool,
    spoiled: Option<Cow<'static, str>>,
    share: Share,
}

/// One command, what it was answered, and what makes it give the same answer again.
#[derive(Debug)]
pub struct Entry<C> {
    /// The command.
    pub command: C,
    /// Its answer.
    pub digest: Digest,
    /// What it depended on.
    pub fixed: Fixed,
    /// The first id that it generated; `None` if it generated none, or had a value of its own for the column.
    pub insert_id: Option<u64>,
    /// It may be answered otherwise when it is run again ([`Recording::Read`](super::Recording::Read)).
    pub loose: bool,
}

/// What a statement's answer depended on beside the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fixed {
    /// The time that it ran at, microseconds since 1970: as it was set, or as it was sent. 0 for none.
    pub micros: u64,
    /// What RAND() started from, if that was set.
    pub seeds: Option<(u32, u32)>,
}

impl Fixed {
    /// Assignments of a SET statement: with them NOW() and RAND() give what they gave. Empty for nothing. Both servers
    /// take them from ordinary accounts (SERVERS.md).
    #[must_use]
    pub fn assignments(&self) -> String {
        let mut set = String::new();
        if self.micros > 0 {
            let _ = write!(set, "timestamp={}.{:06}", self.micros / 1_000_000, self.micros % 1_000_000);
        }
        if let Some((one, two)) = self.seeds {
            let comma = if set.is_empty() { "" } else { "," };
            let _ = write!(set, "{comma}rand_seed1={one},rand_seed2={two}");
        }
        set
    }
}

impl<C> Journal<C> {
    /// An empty journal. `lost` names what of the session is only on its server, so that no other can go on.
    #[must_use]
    pub fn new(budget: Arc<Budget>, last_insert_id: u64, lost: &[&str]) -> Self {
        let mut journal = Self {
            entries: Vec::new(),
            costs: Vec::new(),
            start: None,
            last_insert_id,
            sees_commits: false,
            soft: false,
            spoiled: None,
            share: Share::new(budget),
        };
        if !lost.is_empty() {
            journal.spoil(format!("the session had what only its server has ({})", lost.join(", ")));
        } else if journal.share.budget().per_transaction == 0 {
            journal.spoil("replay.enabled is false");
        }
        journal
    }

    /// The transaction is at READ COMMITTED, from its beginning to its end.
    pub fn set_sees_commits(&mut self) {
        self.sees_commits = true;
    }

    /// Whether it is.
    #[must_use]
    pub fn sees_commits(&self) -> bool {
        self.sees_commits
    }

    /// Adds an entry of `bytes` of command. Beyond a bound nothing is kept any more, and the transaction is only marked.
    pub fn record(&mut self, entry: Entry<C>, bytes: usize, soft: bool) {
        if self.spoiled.is_some() {
            return;
        }
        let budget = self.share.budget();
        let (one, all) = (budget.per_transaction, budget.total);
        match self.share.grow(bytes + OVERHEAD) {
            Ok(()) => {
                self.soft |= soft;
                self.costs.push((bytes + OVERHEAD, soft));
                self.entries.push(entry);
            }
            Err(Exceeded::Transaction) => {
                self.spoil(format!("it is bigger than replay.max_transaction = {one} bytes"));
            }
            Err(Exceeded::Total) => {
                self.spoil(format!("all open transactions are bigger than replay.max_total = {all} bytes"));
            }
        }
    }

    /// It cannot be done again, for this reason. What was kept is given up.
    pub fn spoil(&mut self, why: impl Into<Cow<'static, str>>) {
        if self.spoiled.is_none() {
            self.spoiled = Some(why.into());
            (self.entries, self.costs) = (Vec::new(), Vec::new());
            self.share.clear();
        }
    }

    /// A transaction like this one begins where this ends (`AND CHAIN`).
    pub fn chain(&mut self, begins: impl Fn(&C) -> bool, last_insert_id: u64) {
        let kept = self.entries.iter().position(|e| begins(&e.command)).map_or(0, |at| at + 1);
        if kept == 0 {
            self.spoil("a transaction before it, which it continues, was not begun by a statement");
        }
        self.entries.truncate(kept);
        self.costs.truncate(kept);
        self.share.shrink_to(self.costs.iter().map(|(cost, _)| cost).sum());
        self.soft = self.costs.iter().any(|(_, soft)| *soft);
        self.start = None;
        self.last_insert_id = last_insert_id;
    }

    /// The session's state is about to change for the first time: `before` is what the transaction began with.
    pub fn keep_start(&mut self, before: &SessionState) {
        if self.start.is_none() && self.spoiled.is_none() {
            self.start = Some(before.clone());
        }
    }

    /// The session's state when the transaction began, if it is another now.
    #[must_use]
    pub fn start(&self) -> Option<&SessionState> {
        self.start.as_ref()
    }

    /// LAST_INSERT_ID() when the transaction began; 0 for none.
    #[must_use]
    pub fn last_insert_id(&self) -> u64 {
        self.last_insert_id
    }

    /// The entries, in order.
    ///
    /// # Errors
    /// Why the transaction cannot be done again.
    pub fn entries(&mut self) -> Result<&mut [Entry<C>], &str> {
        match &self.spoiled {
            Some(why) => Err(why),
            None => Ok(&mut self.entries),
        }
    }

    /// Why it cannot be done again, if so.
    #[must_use]
    pub fn spoiled(&self) -> Option<&str> {
        self.spoiled.as_deref()
    }

    /// Whether it would give the same answers for certain, once nobody else writes what it has locked: it holds locks on
    /// all that it has read.
    #[must_use]
    pub fn is_firm(&self) -> bool {
        !self.soft && self.spoiled.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(command: &'static str) -> Entry<&'static str> {
        Entry { command, digest: Digest::default(), fixed: Fixed::default(), insert_id: None, loose: false }
    }

    #[test]
    fn beyond_the_bound_it_only_marks() {
        let budget = Budget::new(2 * OVERHEAD + 10, 1 << 20);
        let mut journal = Journal::new(budget.clone(), 0, &[]);
        journal.record(entry("12345"), 5, false);
        journal.record(entry("1234"), 4, false);
        assert_eq!(journal.entries().map(|e| e.len()), Ok(2));
        assert!(journal.is_firm());
        journal.record(entry("12"), 2, false);
        assert_eq!(budget.used(), 0);
        assert!(!journal.is_firm());
        let why = journal.spoiled().expect("spoiled").to_owned();
        assert!(why.contains("replay.max_transaction = 810 bytes"), "{why}");
    }

    #[test]
    fn all_together_have_a_bound() {
        let budget = Budget::new(1 << 20, 2 * OVERHEAD + 10);
        let mut journals: Vec<_> = (0..3).map(|_| Journal::new(budget.clone(), 0, &[])).collect();
        journals.iter_mut().for_each(|journal| journal.record(entry("1"), 1, false));
        let spoiled: Vec<bool> = journals.iter().map(|j| j.spoiled().is_some()).collect();
        assert_eq!(spoiled, [false, false, true]);
        drop(journals);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_only_a_server_has_cannot_be_carried_over() {
        let mut journal: Journal<&str> = Journal::new(Budget::new(10, 10), 0, &["temporary_table"]);
        assert!(journal.entries().expect_err("spoiled").contains("temporary_table"));
        let mut off: Journal<&str> = Journal::new(Budget::new(0, 0), 0, &[]);
        assert_eq!(off.entries().expect_err("spoiled"), "replay.enabled is false");
    }

    #[test]
    fn a_chained_transaction_begins_like_the_one_before() {
        let mut journal = Journal::new(Budget::new(1 << 20, 1 << 20), 3, &[]);
        for command in ["SET TRANSACTION READ WRITE", "BEGIN", "INSERT"] {
            journal.record(entry(command), 1, false);
        }
        journal.chain(|command| *command == "BEGIN", 9);
        let kept: Vec<&str> = journal.entries().expect("kept").iter().map(|e| e.command).collect();
        assert_eq!((kept, journal.last_insert_id()), (vec!["SET TRANSACTION READ WRITE", "BEGIN"], 9));
    }

    /// However many there are, each has the whole bound for itself.
    #[test]
    fn chained_transactions_do_not_add_up() {
        let budget = Budget::new(5 * OVERHEAD, 1 << 20);
        let mut journal = Journal::new(budget.clone(), 0, &[]);
        journal.record(entry("BEGIN"), 5, false);
        for _ in 0..100 {
            journal.record(entry("INSERT"), 6, false);
            journal.record(entry("SELECT"), 6, true);
            assert!(!journal.is_firm());
            journal.chain(|command| *command == "BEGIN", 0);
            assert!(journal.is_firm(), "{:?}", journal.spoiled());
            assert_eq!(budget.used(), OVERHEAD + 5);
        }
        drop(journal);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_makes_a_statement_repeatable() {
        let fixed = Fixed { micros: 1_700_000_000_000_042, seeds: Some((7, 8)) };
        assert_eq!(fixed.assignments(), "timestamp=1700000000.000042,rand_seed1=7,rand_seed2=8");
        assert_eq!(Fixed::default().assignments(), "");
    }
}
