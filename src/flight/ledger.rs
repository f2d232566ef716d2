//! Which commits were acknowledged to whom lately. PURE.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::topology::{GtidSet, ServerId};

/// Commits kept; the oldest go first. 24 bytes each.
pub const COMMITS: usize = 65_536;
/// Different sources of GTIDs kept: servers, domains, tags. Beyond it everything is forgotten, which is said.
const SOURCES: usize = 64;

/// A transaction that was acknowledged and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCommit {
    /// The session to which it was acknowledged.
    pub session: u32,
    /// Its GTID.
    pub gtid: String,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    session: u32,
    server: u16,
    source: u16,
    number: u64,
}

/// The last [`COMMITS`] commits.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    /// Number of the oldest entry, counted from the first of all.
    oldest: u64,
    sources: Vec<Arc<str>>,
}

impl Ledger {
    /// Notes a commit: `gtid` as the server reported it.
    pub(super) fn note(&mut self, (session, server): (u32, ServerId), gtid: &[u8]) {
        let Ok(text) = str::from_utf8(gtid) else { return };
        let server = u16::try_from(server.0).unwrap_or(u16::MAX);
        // The usual case, without a look at anything else: the same source as before, one number.
        let at = text.rfind(['-', ':']).unwrap_or_default();
        if let (Some(source), Some(number)) = (text.get(..at), text.get(at + 1..))
            && let Some(source) = self.sources.iter().position(|s| &**s == source)
            && let Ok(number) = number.parse()
        {
            let source = u16::try_from(source).unwrap_or_default();
            return self.push(Entry { session, server, source, number });
        }
        for (source, first, last) in GtidSet::parse_single(text).intervals() {
            let source = self.source(source);
            for number in first.max(last.saturating_sub(15))..=last {
                self.push(Entry { session, server, source, number });
            }
        }
    }

    /// How many commits were noted so far.
    pub(super) fn mark(&self) -> u64 {
        self.oldest + self.entries.len() as u64
    }

    /// Takes out the commits of other servers than `primary`, and those of itself from before `mark`, that `executed`
    /// lacks. The flag says that there may have been more, of which nothing is known any more.
    pub(super) fn take_lost(
        &mut self,
        primary: ServerId,
        mark: u64,
        executed: &GtidSet,
    ) -> (Vec<LostCommit>, bool) {
        let primary = u16::try_from(primary.0).unwrap_or(u16::MAX);
        let (mut lost, mut rest) = (Vec::new(), VecDeque::with_capacity(self.entries.len()));
        let mut more = false;
        for (at, entry) in self.entries.drain(..).enumerate() {
            let source = self.sources.get(usize::from(entry.source)).map(|s| &**s).unwrap_or_default();
            let before = entry.server != primary || self.oldest + (at as u64) < mark;
            if !before || executed.contains(source, entry.number) {
                rest.push_back(entry);
                continue;
            }
            more |= at == 0 && self.oldest > 0;
            let separator = if source.len() >= 36 { ':' } else { '-' };
            lost.push(LostCommit {
                session: entry.session,
                gtid: format!("{source}{separator}{}", entry.number),
            });
        }
        self.oldest += lost.len() as u64;
        self.entries = rest;
        (lost, more)
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= COMMITS {
            self.entries.pop_front();
            self.oldest += 1;
        }
        self.entries.push_back(entry);
    }

    fn source(&mut self, name: &str) -> u16 {
        let at = self.sources.iter().position(|s| &**s == name).unwrap_or_else(|| {
            if self.sources.len() >= SOURCES {
                self.oldest += self.entries.len() as u64;
                self.entries.clear();
                self.sources.clear();
            }
            self.sources.push(name.into());
            self.sources.len() - 1
        });
        u16::try_from(at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServerId = ServerId(0);
    const B: ServerId = ServerId(1);
    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn lost(ledger: &mut Ledger, primary: ServerId, mark: u64, executed: &str) -> Vec<String> {
        let (lost, _) = ledger.take_lost(primary, mark, &GtidSet::parse(executed));
        lost.into_iter().map(|l| format!("{} {}", l.session, l.gtid)).collect()
    }

    #[test]
    fn finds_what_the_new_primary_lacks() {
        let mut ledger = Ledger::default();
        for (session, gtid) in [(1, "0-1-7"), (2, "0-1-8"), (1, "0-1-9"), (3, "nonsense"), (3, "")] {
            ledger.note((session, A), gtid.as_bytes());
        }
        ledger.note((4, B), b"0-2-10");
        assert_eq!(lost(&mut ledger, B, 0, "0-1-9,0-2-10"), Vec::<String>::new());
        // The numbers of a domain go on with another server: what counts is the source.
        assert_eq!(lost(&mut ledger, B, 0, "0-1-7,0-2-12"), ["2 0-1-8", "1 0-1-9"]);
        assert_eq!(lost(&mut ledger, B, 0, "0-1-7,0-2-12"), Vec::<String>::new(), "said once");
        // A third server that is further behind.
        assert_eq!(lost(&mut ledger, ServerId(2), 0, "0-1-6"), ["1 0-1-7", "4 0-2-10"]);
    }

    #[test]
    fn reads_the_sets_of_mysql() {
        let mut ledger = Ledger::default();
        ledger.note((1, A), format!("{U}:7").as_bytes());
        ledger.note((1, A), format!("{U}:8-9").as_bytes());
        ledger.note((1, A), format!("{U}:tag:3").as_bytes());
        ledger.note((1, A), format!("{U}:11").as_bytes());
        let found = lost(&mut ledger, B, 0, &format!("{U}:1-8:tag:1-3"));
        assert_eq!(found, [format!("1 {U}:9"), format!("1 {U}:11")]);
    }

    /// A primary that comes back without what it acknowledged; what it acknowledges afterwards is newer than the look.
    #[test]
    fn a_server_is_asked_about_its_own_past_alone() {
        let mut ledger = Ledger::default();
        ledger.note((1, A), b"0-1-7");
        ledger.note((1, A), b"0-1-8");
        let mark = ledger.mark();
        ledger.note((1, A), b"0-1-9");
        assert_eq!(lost(&mut ledger, A, mark, "0-1-7"), ["1 0-1-8"]);
        assert_eq!(ledger.mark(), mark + 1);
    }

    #[test]
    fn is_bounded_and_says_so() {
        let mut ledger = Ledger::default();
        for number in 1..=COMMITS as u64 + 5 {
            ledger.note((1, A), format!("0-1-{number}").as_bytes());
        }
        assert_eq!((ledger.entries.len(), ledger.mark()), (COMMITS, COMMITS as u64 + 5));
        let (lost, more) = ledger.take_lost(B, 0, &GtidSet::parse("0-1-100"));
        assert_eq!((lost.len() as u64, more), (COMMITS as u64 + 5 - 100, false));
        let (_, more) = ledger.take_lost(B, 0, &GtidSet::parse(""));
        assert!(more);
        for source in 0..SOURCES + 2 {
            ledger.note((1, A), format!("{source}-9-1").as_bytes());
        }
        assert!(ledger.sources.len() <= SOURCES);
    }
}
