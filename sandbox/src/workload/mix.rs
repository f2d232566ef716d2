use serde::Serialize;

/// What one unit of work does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// A transaction: `SELECT … FOR UPDATE` of two accounts, two updates, one insert into the ledger.
    Transfer,
    /// An autocommit insert with an id of its own.
    Insert,
    /// An autocommit `UPDATE … SET n = n + 1`: doing it twice shows.
    Increment,
    /// An autocommit insert through a statement that was prepared when the session began.
    PreparedInsert,
    /// A read through a prepared statement: the last acknowledged insert must be there exactly once.
    PreparedRead,
    /// A read of the client's own counter: it must be what was acknowledged.
    Read,
    /// The session's own settings must be what the client set when the session began.
    SessionCheck,
    /// A long transaction of several writes and reads, which must fit together; see [`super::WorkloadOptions::long_hold`].
    Long,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Transfer,
        Self::Insert,
        Self::Increment,
        Self::PreparedInsert,
        Self::PreparedRead,
        Self::Read,
        Self::SessionCheck,
        Self::Long,
    ];

    /// A name for people and for files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Insert => "insert",
            Self::Increment => "increment",
            Self::PreparedInsert => "prepared insert",
            Self::PreparedRead => "prepared read",
            Self::Read => "read",
            Self::SessionCheck => "session check",
            Self::Long => "long transaction",
        }
    }
}

/// How often each kind of unit comes, as weights against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    weights: Vec<(Kind, u32)>,
    total: u32,
}

impl Mix {
    /// A mix of one's own. Kinds without a weight do not come; with no weight at all, reads do.
    pub fn new(weights: &[(Kind, u32)]) -> Self {
        let mut weights: Vec<_> = weights.iter().copied().filter(|&(_, weight)| weight > 0).collect();
        if weights.is_empty() {
            weights.push((Kind::Read, 1));
        }
        let total = weights.iter().map(|&(_, weight)| weight).sum();
        Self { weights, total }
    }

    /// Only what changes data.
    pub fn writes() -> Self {
        use Kind::{Increment, Insert, PreparedInsert, Transfer};
        Self::new(&[(Transfer, 3), (Insert, 2), (Increment, 2), (PreparedInsert, 2)])
    }

    /// Only reads and session checks.
    pub fn reads() -> Self {
        Self::new(&[(Kind::Read, 4), (Kind::PreparedRead, 4), (Kind::SessionCheck, 1)])
    }

    /// Only long transactions.
    pub fn long() -> Self {
        Self::new(&[(Kind::Long, 1)])
    }

    /// The kind that a random number stands for.
    pub(crate) fn pick(&self, random: u64) -> Kind {
        let mut left = u32::try_from(random % u64::from(self.total)).unwrap_or_default();
        for &(kind, weight) in &self.weights {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        Kind::Read
    }
}

impl Default for Mix {
    /// A bit of everything, some two thirds of it writes.
    fn default() -> Self {
        Self::new(&[
            (Kind::Transfer, 4),
            (Kind::Insert, 2),
            (Kind::Increment, 2),
            (Kind::PreparedInsert, 2),
            (Kind::PreparedRead, 2),
            (Kind::Read, 2),
            (Kind::SessionCheck, 1),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept() {
        let mix = Mix::new(&[(Kind::Transfer, 3), (Kind::Read, 1), (Kind::Insert, 0)]);
        let picked: Vec<_> = (0..4).map(|random| mix.pick(random)).collect();
        assert_eq!(picked, [Kind::Transfer, Kind::Transfer, Kind::Transfer, Kind::Read]);
    }

    #[test]
    fn a_mix_of_nothing_reads() {
        assert_eq!(Mix::new(&[]).pick(7), Kind::Read);
    }
}
