use std::fmt::Write;

use crate::topology::{Flavor, GtidSet};

/// What a server must have executed so that a session does not see less than it has seen or done before.
///
/// Of commits of the session's own MySQL's numbers from the first to the last are kept: what lies between is others' and
/// older than the last. MariaDB's positions are one number for each domain.
#[derive(Debug, Clone, Default)]
pub struct Position {
    set: GtidSet,
    /// The last commit as it was reported, not in `set` yet: most are followed by another before anybody reads.
    last: Vec<u8>,
    version: u64,
}

impl Position {
    /// Another number each time that more is needed.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The session has committed: the GTID as its server reported it.
    pub fn committed(&mut self, gtid: &[u8]) {
        if source_of(gtid) != source_of(&self.last) {
            self.take_in();
        }
        self.last.clear();
        self.last.extend_from_slice(gtid);
        self.version += 1;
    }

    /// The session may have seen all that a server had when it gave this (see [`everything`]).
    pub fn seen(&mut self, position: &str) {
        let plain = without_owners(position);
        self.set.add_all(&GtidSet::parse_position(&plain));
        self.version += 1;
    }

    /// All that the session can have seen, and that is not lost, is in this position of the present primary. `false`: it is
    /// none.
    pub fn bounded_by(&mut self, position: &str) -> bool {
        let set = GtidSet::parse_position(&without_owners(position));
        if set.is_empty() {
            return false;
        }
        self.last.clear();
        self.set = set;
        self.version += 1;
        true
    }

    /// What is needed.
    pub(super) fn set(&mut self) -> &GtidSet {
        self.take_in();
        &self.set
    }

    /// Whether a server that has executed `gtid` has all that is needed.
    pub fn is_in(&mut self, gtid: &str) -> bool {
        self.take_in();
        self.set.is_empty() || GtidSet::parse_position(gtid).covers(&self.set)
    }

    /// All that is needed as a list that the functions of a family take which wait for it. Nothing in it needs quoting. `None` if
    /// nothing is needed, or the position is not one of this family.
    pub fn list(&mut self, flavor: Flavor) -> Option<String> {
        self.take_in();
        let mut list = String::new();
        for (source, first, last) in self.set.intervals() {
            if !source.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'_')) {
                return None;
            }
            let separator = if list.is_empty() { "" } else { "," };
            // Writing to a String cannot fail. The server's number in a GTID is not looked at.
            let _ = match flavor {
                Flavor::MariaDb if source.len() < 36 => write!(list, "{separator}{source}-1-{last}"),
                Flavor::MySql if source.len() >= 36 => write!(list, "{separator}{source}:{first}-{last}"),
                _ => return None,
            };
        }
        (!list.is_empty()).then_some(list)
    }

    /// Puts the last commit into the set.
    fn take_in(&mut self) {
        if self.last.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.last).into_owned();
        self.last.clear();
        if !text.contains(':') {
            self.set.add_all(&GtidSet::parse_position(&text));
            return;
        }
        for (source, first, last) in GtidSet::parse(&text).intervals() {
            let since =
                self.set.intervals().find(|(of, ..)| *of == source).map_or(first, |(_, since, _)| since);
            let mut whole = GtidSet::default();
            whole.add(source, (since.min(first), last));
            self.set.add_all(&whole);
        }
    }
}

/// The statement that gives all that a query before it on the same server can have seen: a bound from above.
///
/// A transaction is in MariaDB's binary log before it can be seen. MySQL owns its GTID until it is among the executed
/// ones, which happens after it can be seen.
#[must_use]
pub const fn everything(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "SELECT CONCAT(@@global.gtid_binlog_pos,',',@@global.gtid_slave_pos) LIMIT 1",
        Flavor::MySql => "SELECT CONCAT(@@global.gtid_owned,',',@@global.gtid_executed) LIMIT 1",
    }
}

/// The statement that waits on MySQL until all can be seen that is in the binary log: replicas may have shown it before.
/// Between both a transaction owns its GTID.
pub const SETTLE: &str =
    "SELECT WAIT_FOR_EXECUTED_GTID_SET(REGEXP_REPLACE(@@global.gtid_owned,'#[0-9]+',''),1) LIMIT 1";

/// Who numbered a commit: commits of one source are in order.
fn source_of(gtid: &[u8]) -> &[u8] {
    let end = match memchr::memrchr(b':', gtid) {
        Some(colon) => colon,
        None => memchr::memchr(b'-', gtid).unwrap_or(0),
    };
    gtid.get(..end).unwrap_or_default()
}

/// MySQL's `gtid_owned` names the owner behind each number: `uuid:7#12:8#14`.
fn without_owners(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut owner = false;
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        owner = c == '#' || (owner && c.is_ascii_digit());
        if !owner {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn own_commits_of_mariadb() {
        let mut position = Position::default();
        assert!(position.is_in("") && position.list(Flavor::MariaDb).is_none());
        let before = position.version();
        position.committed(b"0-1-7");
        position.committed(b"0-1-9");
        assert!(position.version() > before);
        assert!(!position.is_in("0-1-8") && position.is_in("0-2-9") && position.is_in("1-1-1,0-1-10"));
        position.committed(b"5-1-3");
        assert!(!position.is_in("0-1-10") && position.is_in("0-1-10,5-1-3"));
        assert_eq!(position.list(Flavor::MariaDb).as_deref(), Some("0-1-9,5-1-3"));
        assert_eq!(position.list(Flavor::MySql), None);
    }

    #[test]
    fn own_commits_of_mysql() {
        let mut position = Position::default();
        position.committed(format!("{U}:7").as_bytes());
        assert!(position.is_in(&format!("{U}:1-7")) && !position.is_in(&format!("{U}:1-6")));
        position.committed(format!("{U}:10").as_bytes());
        // Appliers that do not keep the order may have the later one first.
        assert!(!position.is_in(&format!("{U}:1-6:10")) && !position.is_in(&format!("{U}:1-8:10")));
        assert!(position.is_in(&format!("{U}:7-10")));
        assert_eq!(position.list(Flavor::MySql), Some(format!("{U}:7-10")));
        position.committed(format!("{U}:tag:3").as_bytes());
        assert!(!position.is_in(&format!("{U}:1-10")) && position.is_in(&format!("{U}:1-10:tag:1-3")));
    }

    #[test]
    fn what_others_may_have_shown() {
        let mut position = Position::default();
        position.seen(&format!("{U}:7#12:8#14,{U}:1-6"));
        assert!(position.is_in(&format!("{U}:1-8")) && !position.is_in(&format!("{U}:1-7")));
        let mut position = Position::default();
        position.seen("0-1-5,0-2-3,");
        assert!(position.is_in("0-1-5") && !position.is_in("0-1-4"));
        position.seen("");
        assert!(position.is_in("0-1-5"));
    }

    #[test]
    fn a_bound_takes_the_place_of_what_was_needed() {
        let mut position = Position::default();
        position.committed(format!("{U}:900").as_bytes());
        let before = position.version();
        assert!(!position.bounded_by(",") && !position.bounded_by("") && position.version() == before);
        // What the present primary does not have is lost, and not to be waited for.
        assert!(position.bounded_by(&format!("{U}:8#14,{U}:1-7")) && position.version() > before);
        assert!(position.is_in(&format!("{U}:1-8")) && !position.is_in(&format!("{U}:1-7")));
    }

    #[test]
    fn nothing_odd_gets_into_a_statement() {
        let mut position = Position::default();
        position.committed(b"3e11fa47-71ca-11e1-9e33-c80aa94295'2:7");
        assert_eq!(position.list(Flavor::MySql), None);
    }
}
