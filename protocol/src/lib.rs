//! The MySQL wire protocol as the proxy needs it, for MariaDB and MySQL, in both roles.
//!
//! Sans-io: bytes in, bytes out. No socket, no clock, no randomness, no configuration: what needs one of them
//! (TLS, RSA, a nonce) is asked of the caller by a step that says so. Nothing that a peer sends can panic here;
//! the lints below keep it that way.
//!
//! * [`frame`]: the 4-byte headers; payloads of more than 16 MiB; [`frame::Deframer`].
//! * [`capability`], [`status`]: the flag words, and which of them make a [`capability::Dialect`].
//! * [`command`]: what a client may send, and which answer each command gets.
//! * [`packet`]: one packet a file, decoded and encoded.
//! * [`proxy_header`]: what a load balancer says in front of a connection.
//! * [`response`]: where an answer ends, found from frame heads without looking into rows.
//! * [`binlog`]: the binary log, read to prove whether a transaction committed.
//! * [`auth`], [`handshake`]: passwords and the login conversation, as server and as client.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

pub mod auth;
pub mod binlog;
pub mod capability;
pub mod command;
pub mod frame;
pub mod handshake;
pub mod packet;
pub mod proxy_header;
pub mod response;
pub mod status;
pub mod wire;
