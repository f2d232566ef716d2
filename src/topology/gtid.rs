//! Sets of transactions, as the two families name them. PURE.

use std::collections::BTreeMap;
use std::fmt;

/// Transactions by source, each source with the numbers that are there.
///
/// MySQL: a source is a UUID, or `uuid:tag`, in lower case. MariaDB: a source is `domain-server`, and a position
/// `domain-server-number` stands for everything of that source up to the number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet {
    /// Sorted, disjoint, inclusive intervals.
    sources: BTreeMap<String, Vec<(u64, u64)>>,
}

impl GtidSet {
    /// Reads a set in either notation. What is not understood is left out: a set can only seem smaller.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::read(text, false)
    }

    /// Reads single GTIDs in either notation, as reported after a commit: in MariaDB's, only the number itself.
    #[must_use]
    pub fn parse_single(text: &str) -> Self {
        Self::read(text, true)
    }

    /// Reads a replication position: MariaDB's by domain alone, since numbers of a domain go on whoever writes.
    #[must_use]
    pub fn parse_position(text: &str) -> Self {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim) {
            match mariadb(part) {
                Some((source, number)) => {
                    set.add(source.split('-').next().unwrap_or_default(), (1, number));
                }
                None => set.read_mysql(part),
            }
        }
        set
    }

    fn read(text: &str, single: bool) -> Self {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim) {
            match mariadb(part) {
                Some((source, number)) => set.add(source, (if single { number } else { 1 }, number)),
                None => set.read_mysql(part),
            }
        }
        set
    }

    /// `uuid:1-5:7:tag:1-3`.
    fn read_mysql(&mut self, part: &str) {
        let mut pieces = part.split(':').map(str::trim);
        let uuid = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let mut source = uuid.clone();
        for piece in pieces {
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            match (first.trim().parse(), last.trim().parse()) {
                (Ok(first), Ok(last)) => self.add(&source, (first, last)),
                _ => source = format!("{uuid}:{}", piece.to_ascii_lowercase()),
            }
        }
    }

    /// Adds an interval of a source.
    pub fn add(&mut self, source: &str, (first, last): (u64, u64)) {
        if first > last || source.is_empty() {
            return;
        }
        let intervals = self.sources.entry(source.to_owned()).or_default();
        intervals.push((first, last));
        intervals.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
        for (first, last) in intervals.drain(..) {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        *intervals = merged;
    }

    /// Adds everything of another set.
    pub fn add_all(&mut self, other: &Self) {
        for (source, intervals) in &other.sources {
            intervals.iter().for_each(|interval| self.add(source, *interval));
        }
    }

    /// Whether a transaction is in it. `source` as [`sources`](Self::intervals) names it.
    #[must_use]
    pub fn contains(&self, source: &str, number: u64) -> bool {
        let intervals = self.sources.get(source).map(Vec::as_slice).unwrap_or_default();
        let at = intervals.partition_point(|(_, last)| *last < number);
        intervals.get(at).is_some_and(|(first, _)| *first <= number)
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (source, intervals) in &self.sources {
            let taken = other.sources.get(source).map(Vec::as_slice).unwrap_or_default();
            for (first, last) in intervals {
                // `None` once the largest number there is was taken.
                let mut from = Some(*first);
                for (begin, end) in taken.iter().filter(|(begin, end)| end >= first && begin <= last) {
                    if let (Some(from), Some(before)) = (from, begin.checked_sub(1)) {
                        rest.add(source, (from, before));
                    }
                    from = from.and_then(|from| Some(from.max(end.checked_add(1)?)));
                }
                if let Some(from) = from {
                    rest.add(source, (from, *last));
                }
            }
        }
        rest
    }

    /// Whether `other` has nothing that is not in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // Intervals that touch are one: what is there lies in a single one.
        let has = |here: &[(u64, u64)], (first, last): &(u64, u64)| {
            let at = here.partition_point(|(_, end)| end < first);
            here.get(at).is_some_and(|(begin, end)| begin <= first && last <= end)
        };
        other.sources.iter().all(|(source, intervals)| {
            let here = self.sources.get(source).map(Vec::as_slice).unwrap_or_default();
            intervals.iter().all(|interval| has(here, interval))
        })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.values().all(Vec::is_empty)
    }

    /// How many transactions.
    #[must_use]
    pub fn count(&self) -> u64 {
        let length = |(first, last): &(u64, u64)| (last - first).saturating_add(1);
        self.sources.values().flatten().fold(0, |sum, interval| sum.saturating_add(length(interval)))
    }

    /// Each interval with its source.
    pub fn intervals(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.sources
            .iter()
            .flat_map(|(source, list)| list.iter().map(move |(first, last)| (source.as_str(), *first, *last)))
    }
}

/// `uuid:3-5` or, for MariaDB, `0-1-3..5`.
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (source, first, last) in self.intervals() {
            let mysql = source.len() >= 36;
            let (join, to) = if mysql { (":", "-") } else { ("-", "..") };
            write!(f, "{separator}{source}{join}{first}")?;
            if first != last {
                write!(f, "{to}{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// `domain-server-number`: the source and the number.
fn mariadb(part: &str) -> Option<(&str, u64)> {
    let (source, number) = part.rsplit_once('-')?;
    let (domain, server) = source.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits(domain) && digits(server)).then_some(())?;
    Some((source, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn reads_both_notations() {
        let set = GtidSet::parse("0-1-10,0-2-4, 5-1-1");
        assert_eq!(set.to_string(), "0-1-1..10,0-2-1..4,5-1-1");
        assert_eq!(set.count(), 15);
        let set = GtidSet::parse(&format!("{}:1-5:7:12-13:Tag:2,\n{U}:6", U.to_uppercase()));
        assert_eq!(set.to_string(), format!("{U}:1-7,{U}:12-13,{U}:tag:2"));
        assert_eq!(set.count(), 10);
        assert!(GtidSet::parse("").is_empty() && GtidSet::parse("nonsense,1-2").is_empty());
        assert_eq!(GtidSet::parse_single("0-1-7").to_string(), "0-1-7");
        assert_eq!(
            GtidSet::parse_position("0-1-7").to_string(),
            GtidSet::parse_position("0-9-7").to_string()
        );
    }

    #[test]
    fn knows_what_is_in_it() {
        let set = GtidSet::parse(&format!("{U}:1-5:9-10"));
        let inside: Vec<u64> = (0..12).filter(|n| set.contains(U, *n)).collect();
        assert_eq!(inside, [1, 2, 3, 4, 5, 9, 10]);
        assert!(!set.contains("0-1", 3));
    }

    #[test]
    fn takes_away() {
        let rows = [
            ("1-10", "1-10", ""),
            ("1-10", "1-7", "8-10"),
            ("1-10", "3-4:6", "1-2:5:7-10"),
            ("1-10", "20-30", "1-10"),
            ("5", "1-3:7-9", "5"),
            ("1-3:7-9", "2-8", "1:9"),
        ];
        for (one, other, rest) in rows {
            let set = |text: &str| {
                GtidSet::parse(&if text.is_empty() { String::new() } else { format!("{U}:{text}") })
            };
            assert_eq!(set(one).minus(&set(other)), set(rest), "{one} minus {other}");
            assert_eq!(set(other).covers(&set(one)), rest.is_empty());
        }
        let lost = GtidSet::parse("0-1-105,0-2-4").minus(&GtidSet::parse("0-1-100,0-2-9"));
        assert_eq!((lost.to_string().as_str(), lost.count()), ("0-1-101..105", 5));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let all = GtidSet::parse(&format!("{U}:0-18446744073709551615"));
        assert_eq!(all.count(), u64::MAX);
        assert!(all.minus(&all).is_empty());
        assert!(all.contains(U, u64::MAX));
    }
}
