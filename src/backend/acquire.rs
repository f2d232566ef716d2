//! Why no connection of a pool is to be had.

use std::time::Duration;

use tideover_protocol::packet::ErrPacket;

use super::connector::ConnectFailure;

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// All connections are in use, and none came back in time.
    #[error("no server connection became free within {} s (pool.max_per_server = {limit}{})",
        .waited.as_secs(), if *.full { "; the server itself takes no more" } else { "" })]
    Exhausted {
        /// `pool.max_per_server`.
        limit: usize,
        /// The server has said that it has too many connections, ours or others.
        full: bool,
        /// How long was waited.
        waited: Duration,
    },
    /// Connecting failed.
    #[error(transparent)]
    Connect(#[from] ConnectFailure),
    /// The server refuses a part of the session's state.
    #[error("error {}", .0.code)]
    Restore(ErrPacket),
    /// The connection broke while the session's state was restored. Nothing of the client's was sent.
    #[error("connection lost while the session was restored: {0}")]
    Lost(std::io::Error),
}
