use crate::packet::ErrPacket;
use crate::wire::DecodeError;

/// Why a client cannot be let in. The connection ends with [`HandshakeError::to_err`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client sent something that is no login.
    #[error("bad handshake: {0}")]
    Malformed(#[from] DecodeError),
    /// The client must use TLS and does not.
    #[error("the connection must use TLS")]
    TlsRequired,
    /// The client asks for TLS and there is none.
    #[error("the client asks for TLS, which is not available")]
    TlsUnavailable,
    /// A packet came when none was due.
    #[error("a packet out of turn")]
    OutOfTurn,
}

impl HandshakeError {
    /// What the client is told: the numbers that servers use.
    pub fn to_err(&self) -> ErrPacket {
        match self {
            Self::TlsRequired => ErrPacket::new(
                3159,
                "HY000",
                "Connections using insecure transport are prohibited while --require_secure_transport=ON.",
            ),
            _ => ErrPacket::new(1043, "08S01", "Bad handshake"),
        }
    }
}

/// Why we did not get in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server said no, in place of the greeting or to the login.
    #[error("the server refused the login: {0}")]
    Refused(ErrPacket),
    /// The server sent something that does not belong there.
    #[error("the server broke the protocol: {0}")]
    Violation(#[from] DecodeError),
    /// The plugin needs the password itself, and only a digest of it is known.
    #[error("plugin {0} needs the password, which is not known")]
    NeedsPassword(String),
    /// The plugin sends the password itself, and the connection is neither TLS nor local.
    #[error("plugin {0} sends the password, so it needs TLS")]
    NeedsSecureChannel(String),
    /// The plugin is not implemented.
    #[error("authentication plugin {0} is not supported")]
    UnsupportedPlugin(String),
    /// TLS is required and the server has none.
    #[error("TLS is required and the server does not offer it")]
    TlsUnavailable,
    /// The server lacks capabilities that the connection cannot do without.
    #[error("the server lacks capabilities: {0:?}")]
    MissingCapabilities(crate::capability::Capabilities),
    /// The caller called out of turn.
    #[error("a step out of turn")]
    OutOfTurn,
}
