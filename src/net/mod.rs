//! The only place that names sockets and TLS: streams, buffered packet input and output, listeners, certificates.
//! Knows frames only as far as to cut a byte stream into them.

#![allow(clippy::disallowed_types, reason = "sockets are this module's own")]

mod buffer;
mod client_tls;
mod commands;
mod compressed;
mod listener;
mod packet_io;
mod rsa;
mod stream;
mod tls;

pub use buffer::{Buffer, BufferPool};
pub use client_tls::{ClientTls, ClientTlsFiles, ClientTlsMode, ClientTlsRead};
pub use compressed::{Codec, Compressed};
pub use listener::{Accepted, AdminListener, Bound, ListenAddress, Listener};
pub use packet_io::PacketIo;
pub use rsa::{RsaKey, encrypt_with_pem};
pub use stream::{Departure, Raw, Stream, dial, dial_plain};
pub use tls::{ServerTls, ServerTlsRead, TlsError};
