use std::time::Duration;

use super::kind::{Choice, Number, time};
use super::section::{Applies, Section};

/// For how long a session keeps its server connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// For one transaction, unless it is pinned.
    Transaction,
    /// To its end.
    Session,
}

/// `[pool]`: connections to the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// `mode`.
    pub mode: PoolMode,
    /// `max_per_server`: at most so many to each server, over all accounts.
    pub max_per_server: usize,
    /// `min_idle`: so many are kept open to the primary and to the target of a switchover.
    pub min_idle: usize,
    /// `acquire_timeout`: a statement waits at most this long for a free one.
    pub acquire_timeout: Duration,
    /// `connect_timeout`: connecting and logging in take at most this long.
    pub connect_timeout: Duration,
    /// `idle_timeout`: unused ones are closed after this long.
    pub idle_timeout: Duration,
    /// `max_lifetime`: older ones are not used again.
    pub max_lifetime: Duration,
}

const MODES: &[(&str, PoolMode)] = &[("transaction", PoolMode::Transaction), ("session", PoolMode::Session)];
const DAY: u64 = 24 * 3_600 * 1_000;

impl Pool {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let start = Applies::AtStart;
        let pool = Self {
            mode: section.get("mode", start, Choice(MODES), PoolMode::Transaction),
            max_per_server: section.get("max_per_server", start, Number(1..=100_000), 100),
            min_idle: section.get("min_idle", start, Number(0..=100_000), 0),
            acquire_timeout: section.get("acquire_timeout", start, time(1..=DAY), Duration::from_secs(10)),
            connect_timeout: section.get("connect_timeout", start, time(1..=DAY), Duration::from_secs(5)),
            idle_timeout: section.get("idle_timeout", start, time(1_000..=7 * DAY), Duration::from_secs(300)),
            max_lifetime: section.get(
                "max_lifetime",
                start,
                time(1_000..=30 * DAY),
                Duration::from_secs(3_600),
            ),
        };
        if pool.min_idle > pool.max_per_server {
            let message = format!(
                "found {}, expected at most pool.max_per_server ({})",
                pool.min_idle, pool.max_per_server
            );
            section.reader.blame("pool.min_idle", message);
        }
        section.close();
        pool
    }
}
