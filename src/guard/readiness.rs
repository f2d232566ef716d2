//! What stands in the way of proving outcomes on a server. PURE.

use std::fmt;

/// What a server says of its logging.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// It keeps a binary log.
    pub(super) log: bool,
    /// What it gets by replication goes to its own log.
    pub(super) replica_updates: bool,
    /// Texts of statements are logged, those that come by replication included.
    pub(super) texts: bool,
    /// Transactions or statements are logged compressed.
    pub(super) compressed: bool,
    /// Databases or tables are left out of its log or its replication.
    pub(super) filters: bool,
    /// Why we cannot read the log, if so.
    pub(super) unreadable: Option<String>,
    /// Why the commit marker cannot be used, if so.
    pub(super) marker: Option<String>,
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    NoLog,
    NoReplicaUpdates,
    NoTexts,
    Compressed,
    Filters,
    Unreadable(String),
    NotInspected(String),
}

impl Obstacle {
    /// Whether the tag cannot prove there what the marker could.
    pub(super) fn is_the_tags_alone(&self) -> bool {
        !matches!(self, Self::Filters | Self::NotInspected(_))
    }

    /// Whether a committed unit can be missing from the log there without leaving any sign that it may be.
    pub(super) fn hides(&self) -> bool {
        matches!(self, Self::NoLog | Self::NoReplicaUpdates | Self::Filters)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLog => write!(f, "it keeps no binary log (log_bin)"),
            Self::NoReplicaUpdates => {
                write!(
                    f,
                    "what it replicates does not go to its own binary log (log_replica_updates, log_slave_updates)"
                )
            }
            Self::NoTexts => write!(
                f,
                "texts of statements are not in its binary log (binlog_rows_query_log_events; MariaDB: \
                 binlog_annotate_row_events, replicate_annotate_row_events)"
            ),
            Self::Compressed => {
                write!(
                    f,
                    "its binary log is compressed (binlog_transaction_compression; MariaDB: log_bin_compress)"
                )
            }
            Self::Filters => write!(f, "its binary log or its replication is filtered"),
            Self::Unreadable(why) | Self::NotInspected(why) => write!(f, "{why}"),
        }
    }
}

/// Everything that stands in the way.
pub(super) fn obstacles(facts: &Facts) -> Vec<Obstacle> {
    if !facts.log {
        return vec![Obstacle::NoLog];
    }
    let mut found = Vec::new();
    let mut add = |is_there: bool, obstacle| {
        if is_there {
            found.push(obstacle);
        }
    };
    add(!facts.replica_updates, Obstacle::NoReplicaUpdates);
    add(!facts.texts, Obstacle::NoTexts);
    add(facts.compressed, Obstacle::Compressed);
    add(facts.filters, Obstacle::Filters);
    found.extend(facts.unreadable.clone().map(Obstacle::Unreadable));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_has_its_obstacle() {
        let good = Facts { log: true, replica_updates: true, texts: true, ..Facts::default() };
        let rows = [
            (good.clone(), vec![]),
            (Facts::default(), vec![Obstacle::NoLog]),
            (Facts { replica_updates: false, ..good.clone() }, vec![Obstacle::NoReplicaUpdates]),
            (
                Facts { texts: false, compressed: true, ..good.clone() },
                vec![Obstacle::NoTexts, Obstacle::Compressed],
            ),
            (Facts { filters: true, ..good.clone() }, vec![Obstacle::Filters]),
            (
                Facts { unreadable: Some("no".to_owned()), ..good },
                vec![Obstacle::Unreadable("no".to_owned())],
            ),
        ];
        for (facts, expected) in rows {
            assert_eq!(obstacles(&facts), expected, "{facts:?}");
        }
    }
}
