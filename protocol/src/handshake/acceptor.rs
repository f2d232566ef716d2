use bytes::BytesMut;

use super::HandshakeError;
use crate::auth::Nonce;
use crate::capability::Capabilities;
use crate::packet::{Greeting, Login, SslRequest};
use crate::status::StatusFlags;
use crate::wire::DecodeError;

/// What we say of ourselves to a client.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Version text; clients choose their behaviour by it.
    pub server_version: String,
    /// The client's connection id.
    pub connection_id: u32,
    /// Random bytes for the password plugins, none of them NUL.
    pub nonce: Nonce,
    /// See [`Capabilities::offered`]. SSL in it follows `tls_available`.
    pub capabilities: Capabilities,
    /// Default collation id.
    pub collation: u8,
    /// Server status.
    pub status: StatusFlags,
    /// Default authentication plugin.
    pub plugin: String,
    /// TLS can be started.
    pub tls_available: bool,
    /// A login without TLS is refused (a connection over a Unix socket should not set this).
    pub tls_required: bool,
}

/// What a client's packet amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Start TLS as server now, on the bytes that follow; then hand in the next packet, whose number goes on.
    StartTls,
    /// The login. Its capabilities are those in use on this connection from now on.
    Login(Box<Login>),
}

/// The server's side of the handshake, up to and including the login packet. The password comes after it
/// ([`super::AuthAcceptor`]).
#[derive(Debug)]
pub struct Acceptor {
    offer: Offer,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    ExpectLogin,
    ExpectLoginOverTls,
    Done,
}

impl Acceptor {
    /// Starts with what we have to offer.
    pub fn new(mut offer: Offer) -> Self {
        offer.capabilities.set(Capabilities::SSL, offer.tls_available);
        Self { offer, state: State::ExpectLogin }
    }

    /// Payload of the first packet, with sequence number 0.
    pub fn greeting(&self) -> Vec<u8> {
        let offer = &self.offer;
        let greeting = Greeting {
            server_version: offer.server_version.clone(),
            connection_id: offer.connection_id,
            nonce: offer.nonce,
            capabilities: offer.capabilities,
            collation: offer.collation,
            status: offer.status,
            plugin: offer.plugin.clone(),
        };
        let mut out = BytesMut::new();
        greeting.encode(&mut out);
        out.to_vec()
    }

    /// Takes the client's next packet. An error is final.
    pub fn receive(&mut self, payload: &[u8]) -> Result<Accepted, HandshakeError> {
        if self.state == State::Done {
            return Err(HandshakeError::OutOfTurn);
        }
        let over_tls = self.state == State::ExpectLoginOverTls;
        let head = SslRequest::decode(payload)?;
        if head.capabilities.contains(Capabilities::SSL) && !over_tls {
            if !self.offer.tls_available {
                return Err(HandshakeError::TlsUnavailable);
            }
            self.state = State::ExpectLoginOverTls;
            return Ok(Accepted::StartTls);
        }
        if self.offer.tls_required && !over_tls {
            return Err(HandshakeError::TlsRequired);
        }
        let mut login = Login::decode(payload)?;
        login.capabilities = login.capabilities.negotiated(self.offer.capabilities);
        if !login.capabilities.contains(Capabilities::SECURE_CONNECTION) {
            return Err(DecodeError::Invalid("the client only knows pre-4.1 passwords").into());
        }
        self.state = State::Done;
        Ok(Accepted::Login(Box::new(login)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(tls_available: bool, tls_required: bool) -> Offer {
        Offer {
            server_version: "11.8.2-MariaDB".to_owned(),
            connection_id: 7,
            nonce: [b'n'; 20],
            capabilities: Capabilities::offered(Capabilities::all() - Capabilities::LONG_PASSWORD, false),
            collation: 45,
            status: StatusFlags::AUTOCOMMIT,
            plugin: "mysql_native_password".to_owned(),
            tls_available,
            tls_required,
        }
    }

    fn login(capabilities: Capabilities) -> Vec<u8> {
        let login = Login {
            capabilities: capabilities | Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION,
            max_packet: 1 << 24,
            collation: 45,
            user: b"app".to_vec(),
            auth_response: vec![1; 20],
            database: None,
            plugin: None,
            attributes: Vec::new(),
            zstd_level: 0,
        };
        let mut out = BytesMut::new();
        login.encode(&mut out);
        out.to_vec()
    }

    #[test]
    fn the_greeting_says_what_is_offered() {
        let greeting = Greeting::decode(&Acceptor::new(offer(true, false)).greeting()).unwrap();
        assert!(greeting.capabilities.contains(Capabilities::SSL | Capabilities::STMT_BULK_OPERATIONS));
        assert_eq!((greeting.connection_id, greeting.nonce), (7, [b'n'; 20]));
        assert!(greeting.is_mariadb());
    }

    #[test]
    fn a_login_is_cut_down_to_the_offer() {
        let mut acceptor = Acceptor::new(offer(false, false));
        let wanted = Capabilities::LONG_PASSWORD | Capabilities::CACHE_METADATA | Capabilities::DEPRECATE_EOF;
        let Accepted::Login(login) = acceptor.receive(&login(wanted)).unwrap() else { panic!("no login") };
        assert!(login.capabilities.contains(Capabilities::DEPRECATE_EOF | Capabilities::LONG_PASSWORD));
        assert!(!login.capabilities.contains(Capabilities::CACHE_METADATA));
        assert_eq!(login.user, b"app");
        assert_eq!(acceptor.receive(b""), Err(HandshakeError::OutOfTurn));
    }

    #[test]
    fn tls_comes_first_where_it_is_asked_for_or_required() {
        let tls = login(Capabilities::SSL);
        let mut acceptor = Acceptor::new(offer(true, true));
        assert_eq!(acceptor.receive(&tls[..SslRequest::LEN]), Ok(Accepted::StartTls));
        assert!(matches!(acceptor.receive(&tls), Ok(Accepted::Login(_))));

        let plain = login(Capabilities::empty());
        let refused = Acceptor::new(offer(true, true)).receive(&plain).unwrap_err();
        assert_eq!((refused.clone(), refused.to_err().code), (HandshakeError::TlsRequired, 3159));
        assert!(Acceptor::new(offer(true, false)).receive(&plain).is_ok());
        let unavailable = Acceptor::new(offer(false, false)).receive(&tls).unwrap_err();
        assert_eq!(unavailable.to_err().code, 1043);
    }

    #[test]
    fn ancient_and_broken_clients_are_refused() {
        for payload in [&b""[..], &[0; 40], &login(Capabilities::empty())[..33]] {
            let error = Acceptor::new(offer(false, false)).receive(payload).unwrap_err();
            assert_eq!(error.to_err().code, 1043);
        }
    }
}
