//! The login conversation, as server ([`Acceptor`], [`AuthAcceptor`]) and as client ([`Connector`]). Payloads in, steps
//! out; the driver frames them, runs TLS and RSA, and makes nonces.

mod acceptor;
mod auth_acceptor;
mod connector;
mod error;

pub use acceptor::{Accepted, Acceptor, Offer};
pub use auth_acceptor::{AuthAcceptor, AuthRequest, AuthStep, Known, Proof};
pub use connector::{ConnectOptions, ConnectStep, Connected, Connector, Secret, TlsWish};
pub use error::{ConnectError, HandshakeError};

use zeroize::Zeroizing;

/// A password as it stands on the wire in the clear: up to its NUL, which must be the last byte.
fn clear_password(payload: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match payload.split_last() {
        Some((0, password)) if !password.contains(&0) => Some(Zeroizing::new(password.to_vec())),
        _ => None,
    }
}

/// The same in the other direction.
fn with_nul(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    text.extend_from_slice(password);
    text.push(0);
    text
}
