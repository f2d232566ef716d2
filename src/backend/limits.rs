//! Bounds of the pools.

use std::time::Duration;

/// Bounds, from `[pool]`.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Server connections at most, per server, over all accounts (`pool.max_per_server`).
    pub per_server: usize,
    /// Wait for a free one at most (`pool.acquire_timeout`).
    pub acquire: Duration,
    /// Time for connecting and logging in (`pool.connect_timeout`).
    pub connect: Duration,
    /// Idle ones are closed after (`pool.idle_timeout`).
    pub idle: Duration,
    /// Connections are not reused beyond this age (`pool.max_lifetime`).
    pub lifetime: Duration,
    /// So many idle ones of each account are kept open on each server (`pool.min_idle`).
    pub min_idle: usize,
}
