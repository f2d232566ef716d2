use std::fmt;

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::{ConnectError, with_nul};
use crate::auth::{Nonce, Plugin, caching_sha2, ed25519, native};
use crate::capability::Capabilities;
use crate::packet::{AuthMore, AuthSwitch, ErrPacket, Greeting, Login, OkPacket, SslRequest};
use crate::wire::DecodeError;

/// What we log in with. Debug output does not show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Secret {
    /// No password.
    #[default]
    Empty,
    /// The password.
    Password(Zeroizing<Vec<u8>>),
    /// SHA1(password), enough for `mysql_native_password`.
    NativeStage1([u8; 20]),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Password(_) => "Password(hidden)",
            Self::NativeStage1(_) => "NativeStage1(hidden)",
        })
    }
}

/// Whether to use TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsWish {
    /// Never.
    #[default]
    Off,
    /// If the server has it.
    Preferred,
    /// Or fail.
    Required,
}

/// How to log in.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// Account name.
    pub user: Vec<u8>,
    /// Its password.
    pub secret: Secret,
    /// Default database.
    pub database: Option<Vec<u8>>,
    /// Capabilities wanted, see [`crate::capability::Dialect::asked`]. What the server lacks is left out: compare
    /// [`Connected::capabilities`].
    pub capabilities: Capabilities,
    /// Collation id.
    pub collation: u8,
    /// Connection attributes.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether to use TLS.
    pub tls: TlsWish,
    /// The channel is a Unix socket, so a password may cross it without TLS.
    pub secure_channel: bool,
    /// How packets may be compressed once we are in: COMPRESS (zlib) or ZSTD_COMPRESSION, or neither. What the server lacks is
    /// left out.
    pub compression: Capabilities,
    /// Level of zstd, 1 to 22.
    pub zstd_level: u8,
    /// Largest packet to announce, in bytes.
    pub max_packet: u32,
    /// Random bytes of ours, which `parsec` wants.
    pub random: [u8; ed25519::CHALLENGE],
}

/// What to do next. Debug output does not show what is sent, since it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub enum ConnectStep {
    /// Send this payload, then read on.
    Send(Vec<u8>),
    /// Send this payload, start TLS as client, then send what [`Connector::tls_established`] gives. Numbers go on.
    SendThenTls(Vec<u8>),
    /// Encrypt with this key (RSA-OAEP with SHA-1), then send what [`Connector::encrypted`] gives.
    EncryptRsa {
        /// The server's public key.
        public_key_pem: Vec<u8>,
        /// What to encrypt.
        plaintext: Zeroizing<Vec<u8>>,
    },
    /// Read on.
    Wait,
    /// We are in.
    Done(Box<Connected>),
}

impl fmt::Debug for ConnectStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(payload) => write!(f, "Send({} bytes)", payload.len()),
            Self::SendThenTls(payload) => write!(f, "SendThenTls({} bytes)", payload.len()),
            Self::EncryptRsa { .. } => f.write_str("EncryptRsa(hidden)"),
            Self::Wait => f.write_str("Wait"),
            Self::Done(connected) => f.debug_tuple("Done").field(connected).finish(),
        }
    }
}

/// A finished login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// What the server said of itself.
    pub greeting: Greeting,
    /// Capabilities in use on this connection.
    pub capabilities: Capabilities,
    /// The OK packet that ended the login.
    pub ok: OkPacket,
}

/// The client's side of the handshake.
#[derive(Debug)]
pub struct Connector {
    options: ConnectOptions,
    state: State,
}

#[derive(Debug)]
enum State {
    ExpectGreeting,
    AwaitTls(Box<Session>),
    ExpectAnswer(Box<Session>),
    AwaitEncryption(Box<Session>),
    Done,
}

/// What is settled once the greeting is there.
#[derive(Debug)]
struct Session {
    greeting: Greeting,
    capabilities: Capabilities,
    plugin: Plugin,
    nonce: Nonce,
    secure: bool,
    asked_for_key: bool,
    /// What the server drew, for plugins that draw more than a nonce.
    challenge: Vec<u8>,
}

impl Connector {
    /// Starts; the server speaks first.
    pub fn new(options: ConnectOptions) -> Self {
        Self { options, state: State::ExpectGreeting }
    }

    /// Takes the server's next packet. An error is final.
    pub fn receive(&mut self, payload: &[u8]) -> Result<ConnectStep, ConnectError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::ExpectGreeting => self.greeted(payload),
            State::ExpectAnswer(session) => self.answered(session, payload),
            State::AwaitTls(_) | State::AwaitEncryption(_) | State::Done => Err(ConnectError::OutOfTurn),
        }
    }

    /// TLS is up: the payload to send. Empty if TLS was not asked for.
    pub fn tls_established(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::AwaitTls(mut session) => {
                session.secure = true;
                self.login(session)
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// The password is encrypted: the payload to send.
    pub fn encrypted(&mut self, ciphertext: Vec<u8>) -> Vec<u8> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::AwaitEncryption(session) => self.state = State::ExpectAnswer(session),
            other => self.state = other,
        }
        ciphertext
    }

    fn greeted(&mut self, payload: &[u8]) -> Result<ConnectStep, ConnectError> {
        if payload.first() == Some(&0xff) {
            return Err(ConnectError::Refused(ErrPacket::decode(payload, Capabilities::empty())?));
        }
        let greeting = Greeting::decode(payload)?;
        let missing = (Capabilities::PROTOCOL_41 | Capabilities::PLUGIN_AUTH) - greeting.capabilities;
        if !missing.is_empty() {
            return Err(ConnectError::MissingCapabilities(missing));
        }
        let mut wanted = self.options.capabilities | Capabilities::ESSENTIAL;
        wanted.set(Capabilities::CONNECT_WITH_DB, self.options.database.is_some());
        let codecs = Capabilities::COMPRESS | Capabilities::ZSTD_COMPRESSION;
        wanted.remove(Capabilities::SSL | codecs);
        wanted |= self.options.compression & codecs;
        let mut capabilities = wanted.negotiated(greeting.capabilities);
        let tls = self.use_tls(greeting.capabilities)?;
        capabilities.set(Capabilities::SSL, tls);
        let session = Box::new(Session {
            plugin: self.first_plugin(&greeting.plugin),
            nonce: greeting.nonce,
            capabilities,
            greeting,
            secure: self.options.secure_channel,
            asked_for_key: false,
            challenge: Vec::new(),
        });
        if !tls {
            return Ok(ConnectStep::Send(self.login(session)));
        }
        let mut out = BytesMut::new();
        let (max_packet, collation) = (self.options.max_packet, self.options.collation);
        SslRequest { capabilities, max_packet, collation }.encode(&mut out);
        self.state = State::AwaitTls(session);
        Ok(ConnectStep::SendThenTls(out.to_vec()))
    }

    fn use_tls(&self, server: Capabilities) -> Result<bool, ConnectError> {
        match (self.options.tls, server.contains(Capabilities::SSL)) {
            (TlsWish::Off, _) | (TlsWish::Preferred, false) => Ok(false),
            (TlsWish::Preferred | TlsWish::Required, true) => Ok(true),
            (TlsWish::Required, false) => Err(ConnectError::TlsUnavailable),
        }
    }

    /// The plugin to start with: the server's default if the secret serves it. A wrong guess costs a round trip.
    fn first_plugin(&self, server_default: &str) -> Plugin {
        match (&self.options.secret, Plugin::from_name(server_default)) {
            (Secret::Password(_) | Secret::Empty, Plugin::CachingSha2) => Plugin::CachingSha2,
            _ => Plugin::NativePassword,
        }
    }

    fn login(&mut self, session: Box<Session>) -> Vec<u8> {
        let login = Login {
            capabilities: session.capabilities,
            max_packet: self.options.max_packet,
            collation: self.options.collation,
            user: self.options.user.clone(),
            auth_response: self.scramble(&session.plugin, &session.nonce),
            database: self.options.database.clone(),
            plugin: Some(session.plugin.name().to_owned()),
            attributes: self.options.attributes.clone(),
            zstd_level: self.options.zstd_level,
        };
        self.state = State::ExpectAnswer(session);
        let mut out = BytesMut::new();
        login.encode(&mut out);
        out.to_vec()
    }

    /// Answer of the two challenge plugins; nothing for an empty password.
    fn scramble(&self, plugin: &Plugin, nonce: &Nonce) -> Vec<u8> {
        match (&self.options.secret, plugin) {
            (Secret::Password(password), _) if password.is_empty() => Vec::new(),
            (Secret::Password(password), Plugin::CachingSha2) => {
                caching_sha2::scramble(password, nonce).to_vec()
            }
            (Secret::Password(password), Plugin::NativePassword) => {
                native::scramble(&native::stage1(password), nonce).to_vec()
            }
            (Secret::NativeStage1(stage1), Plugin::NativePassword) => {
                native::scramble(stage1, nonce).to_vec()
            }
            _ => Vec::new(),
        }
    }

    fn answered(&mut self, session: Box<Session>, payload: &[u8]) -> Result<ConnectStep, ConnectError> {
        let caps = session.capabilities;
        match payload.first() {
            Some(0x00) => {
                let ok = OkPacket::decode(payload, caps)?;
                let Session { greeting, capabilities, .. } = *session;
                Ok(ConnectStep::Done(Box::new(Connected { greeting, capabilities, ok })))
            }
            Some(0xff) => Err(ConnectError::Refused(ErrPacket::decode(payload, caps)?)),
            Some(0xfe) => self.switched(session, AuthSwitch::decode(payload)?),
            Some(0x01) => self.continued(session, &AuthMore::decode(payload)?.data),
            Some(b'P') if session.plugin == Plugin::Parsec => self.continued(session, payload),
            other => {
                let got = other.copied().unwrap_or_default();
                Err(DecodeError::WrongPacket { expected: "an answer to the login", got }.into())
            }
        }
    }

    /// The server wants another plugin.
    fn switched(
        &mut self,
        mut session: Box<Session>,
        switch: AuthSwitch,
    ) -> Result<ConnectStep, ConnectError> {
        session.plugin = Plugin::from_name(&switch.plugin);
        session.asked_for_key = false;
        let secure = session.secure;
        let answer = match session.plugin {
            Plugin::NativePassword | Plugin::CachingSha2 => {
                session.nonce = nonce(&switch.data)?;
                if session.plugin == Plugin::CachingSha2
                    && matches!(self.options.secret, Secret::NativeStage1(_))
                {
                    return Err(ConnectError::NeedsPassword(switch.plugin));
                }
                self.scramble(&session.plugin, &session.nonce)
            }
            Plugin::Sha256Password if !secure => {
                session.nonce = nonce(&switch.data)?;
                session.asked_for_key = true;
                if self.password(&switch.plugin)?.is_empty() { vec![0] } else { vec![1] }
            }
            Plugin::ClearPassword | Plugin::Sha256Password => {
                if !secure {
                    return Err(ConnectError::NeedsSecureChannel(switch.plugin));
                }
                with_nul(self.password(&switch.plugin)?).to_vec()
            }
            Plugin::Ed25519 => {
                let password = self.password(&switch.plugin)?;
                ed25519::sign(password, challenge(&switch.data)?).to_vec()
            }
            Plugin::Parsec => {
                self.password(&switch.plugin)?;
                session.challenge = challenge(&switch.data)?.to_vec();
                // An empty packet asks for the account's salt.
                Vec::new()
            }
            Plugin::Other(_) => {
                return Err(ConnectError::UnsupportedPlugin(switch.plugin));
            }
        };
        self.state = State::ExpectAnswer(session);
        Ok(ConnectStep::Send(answer))
    }

    /// The plugin goes on.
    fn continued(&mut self, mut session: Box<Session>, data: &[u8]) -> Result<ConnectStep, ConnectError> {
        let key_due = std::mem::take(&mut session.asked_for_key);
        let step = match (&session.plugin, data) {
            (Plugin::CachingSha2, [AuthMore::FAST_OK]) => ConnectStep::Wait,
            (Plugin::CachingSha2, [AuthMore::FULL_AUTHENTICATION]) => {
                let password = self.password(session.plugin.name())?;
                if session.secure {
                    ConnectStep::Send(with_nul(password).to_vec())
                } else {
                    session.asked_for_key = true;
                    ConnectStep::Send(vec![0x02])
                }
            }
            (Plugin::CachingSha2 | Plugin::Sha256Password, key) if key_due => {
                let password = self.password(session.plugin.name())?;
                let plaintext = caching_sha2::obfuscate(&with_nul(password), &session.nonce);
                self.state = State::AwaitEncryption(session);
                return Ok(ConnectStep::EncryptRsa { public_key_pem: key.to_vec(), plaintext });
            }
            (Plugin::Parsec, description) => {
                let password = self.password(session.plugin.name())?;
                let draws = (session.challenge.as_slice(), &self.options.random);
                let answer = ed25519::parsec(password, draws, description);
                ConnectStep::Send(answer.ok_or(DecodeError::Invalid("a salt of parsec"))?)
            }
            _ => return Err(DecodeError::Invalid("authentication data out of turn").into()),
        };
        self.state = State::ExpectAnswer(session);
        Ok(step)
    }

    fn password(&self, plugin: &str) -> Result<&[u8], ConnectError> {
        match &self.options.secret {
            Secret::Empty => Ok(b""),
            Secret::Password(password) => Ok(password),
            Secret::NativeStage1(_) => Err(ConnectError::NeedsPassword(plugin.to_owned())),
        }
    }
}

/// What the plugins of MariaDB that sign are given; a NUL may follow.
fn challenge(data: &[u8]) -> Result<&[u8], ConnectError> {
    data.get(..ed25519::CHALLENGE)
        .ok_or_else(|| DecodeError::Invalid("a challenge must have 32 bytes").into())
}

fn nonce(data: &[u8]) -> Result<Nonce, ConnectError> {
    data.try_into().map_err(|_| DecodeError::Invalid("a nonce must have 20 bytes").into())
}
