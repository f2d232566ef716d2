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

/// How packets to and from servers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Off,
    /// With zlib.
    Zlib,
    /// With zstd, which MySQL can and MariaDB cannot.
    Zstd,
}

/// How servers are told the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// Not at all: they see the proxy's.
    Off,
    /// By a PROXY header of version 1.
    V1,
    /// By one of version 2.
    V2,
}

const COMPRESSIONS: &[(&str, Compression)] =
    &[("off", Compression::Off), ("zlib", Compression::Zlib), ("zstd", Compression::Zstd)];
const HEADERS: &[(&str, ProxyProtocol)] =
    &[("off", ProxyProtocol::Off), ("v1", ProxyProtocol::V1), ("v2", ProxyProtocol::V2)];

/// `[pool]`: connections to the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// `mode`.
    pub mode: PoolMode,
    /// `max_per_server`: at most so many to each server, over all accounts.
    pub max_per_server: usize,
    /// `min_idle`: so many idle ones of each account are kept open to each server.
    pub min_idle: usize,
    /// `acquire_timeout`: a statement waits at most this long for a free one.
    pub acquire_timeout: Duration,
    /// `connect_timeout`: connecting and logging in take at most this long.
    pub connect_timeout: Duration,
    /// `idle_timeout`: unused ones are closed after this long.
    pub idle_timeout: Duration,
    /// `max_lifetime`: older ones are not used again.
    pub max_lifetime: Duration,
    /// `compression`: of what is sent and received, where a server can.
    pub compression: Compression,
    /// `proxy_protocol`: servers of MariaDB are told the client's address.
    pub proxy_protocol: ProxyProtocol,
}

const MODES: &[(&str, PoolMode)] = &[("transaction", PoolMode::Transaction), ("session", PoolMode::Session)];
const DAY: u64 = 24 * 3_600 * 1_000;

impl Pool {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let (start, live) = (Applies::AtStart, Applies::Live);
        let pool = Self {
            mode: section.get("mode", start, Choice(MODES), PoolMode::Transaction),
            max_per_server: section.get("max_per_server", live, Number(1..=100_000), 100),
            min_idle: section.get("min_idle", live, Number(0..=100_000), 0),
            acquire_timeout: section.get("acquire_timeout", live, time(1..=DAY), Duration::from_secs(10)),
            connect_timeout: section.get("connect_timeout", live, time(1..=DAY), Duration::from_secs(5)),
            idle_timeout: section.get("idle_timeout", live, time(1_000..=7 * DAY), Duration::from_secs(300)),
            max_lifetime: section.get(
                "max_lifetime",
                live,
                time(1_000..=30 * DAY),
                Duration::from_secs(3_600),
            ),
            compression: section.get("compression", start, Choice(COMPRESSIONS), Compression::Off),
            proxy_protocol: section.get("proxy_protocol", start, Choice(HEADERS), ProxyProtocol::Off),
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
