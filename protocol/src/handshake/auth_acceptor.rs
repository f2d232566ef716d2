use std::fmt;

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::{HandshakeError, clear_password};
use crate::auth::{Nonce, Plugin, caching_sha2, native};
use crate::packet::{AuthMore, AuthSwitch};

/// What is known of an account's password. Debug output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the client's password is proven by logging in to a server with it.
    Nothing,
    /// The account has no password.
    EmptyPassword,
    /// `mysql_native_password`: SHA1(SHA1(password)).
    NativeStage2([u8; 20]),
    /// `caching_sha2_password`: SHA256(SHA256(password)), see [`caching_sha2::digest`].
    CachingSha2Digest([u8; 32]),
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::EmptyPassword => "EmptyPassword",
            Self::NativeStage2(_) => "NativeStage2(hidden)",
            Self::CachingSha2Digest(_) => "CachingSha2Digest(hidden)",
        })
    }
}

/// One login, or one COM_CHANGE_USER.
#[derive(Debug, Clone)]
pub struct AuthRequest {
    /// Plugin that made the client's response; clients without PLUGIN_AUTH use `mysql_native_password`.
    pub client_plugin: Plugin,
    /// The client's response to `nonce`.
    pub response: Vec<u8>,
    /// Plugin of the account.
    pub account_plugin: Plugin,
    /// The nonce of the greeting.
    pub nonce: Nonce,
    /// The channel is TLS or a Unix socket, so a password may cross it.
    pub secure: bool,
    /// Public RSA key in PEM for channels that are not secure; the driver has the private one.
    pub rsa_public_key: Option<Vec<u8>>,
    /// What the response can be checked against.
    pub known: Known,
}

/// What a client has proven, and what it gives us to log in to servers with. Debug output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// SHA1(password), checked against the stored stage 2.
    NativeStage1([u8; 20]),
    /// The password, **not checked**: log in to a server with it (or compare with what is known) before the client gets
    /// its OK.
    Password(Zeroizing<Vec<u8>>),
    /// The response matches the digest of a password that is already known.
    CachedPassword,
    /// The client has no password. Not checked when nothing was known of the account.
    Empty,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NativeStage1(_) => "NativeStage1(hidden)",
            Self::Password(_) => "Password(hidden)",
            Self::CachedPassword => "CachedPassword",
            Self::Empty => "Empty",
        })
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStep {
    /// Send this payload, read the client's next packet and hand it to [`AuthAcceptor::receive`].
    Send(Vec<u8>),
    /// Decrypt this with the private RSA key (OAEP with SHA-1) and hand the result to [`AuthAcceptor::decrypted`].
    Decrypt(Vec<u8>),
    /// The client has proven itself.
    Proven(Proof),
    /// Send this payload, which expects no answer; then the client has proven itself.
    SendThenProven(Vec<u8>, Proof),
    /// Wrong password: error 1045.
    Denied,
    /// The account's plugin needs the password itself, and the channel is not secure: error 1045, and the message
    /// should say that TLS would help.
    NeedsSecureChannel,
}

/// The password exchange in the server's role.
#[derive(Debug)]
pub struct AuthAcceptor {
    request: AuthRequest,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// The client was switched to the wanted plugin.
    ExpectResponse,
    /// caching_sha2_password: full authentication was asked for.
    ExpectPassword,
    /// The public key was sent.
    ExpectEncrypted,
    /// The driver decrypts.
    Decrypting,
    Done,
}

impl AuthAcceptor {
    /// Starts from the client's login.
    pub fn new(request: AuthRequest) -> Self {
        Self { request, state: State::Start }
    }

    /// The plugin that the client has to use for this account: the account's own where we can serve it, otherwise the
    /// password in the clear.
    fn wanted_plugin(&self) -> Plugin {
        match (&self.request.account_plugin, &self.request.known) {
            (Plugin::CachingSha2, _) => Plugin::CachingSha2,
            (Plugin::NativePassword, Known::NativeStage2(_) | Known::EmptyPassword) => Plugin::NativePassword,
            _ => Plugin::ClearPassword,
        }
    }

    /// The first step.
    pub fn start(&mut self) -> AuthStep {
        if self.state != State::Start {
            return AuthStep::Denied;
        }
        let wanted = self.wanted_plugin();
        if wanted == Plugin::ClearPassword && !self.request.secure {
            self.state = State::Done;
            return AuthStep::NeedsSecureChannel;
        }
        if self.request.client_plugin == wanted {
            let response = std::mem::take(&mut self.request.response);
            return self.check(&response);
        }
        self.state = State::ExpectResponse;
        let data = if wanted == Plugin::ClearPassword { Vec::new() } else { self.request.nonce.to_vec() };
        let mut out = BytesMut::new();
        AuthSwitch { plugin: wanted.name().to_owned(), data }.encode(&mut out);
        AuthStep::Send(out.to_vec())
    }

    /// Takes the client's next packet. An error is final.
    pub fn receive(&mut self, payload: &[u8]) -> Result<AuthStep, HandshakeError> {
        match self.state {
            State::ExpectResponse => Ok(self.check(payload)),
            State::ExpectPassword => Ok(self.full_authentication(payload)),
            State::ExpectEncrypted => Ok(self.decrypt(payload)),
            State::Start | State::Decrypting | State::Done => Err(HandshakeError::OutOfTurn),
        }
    }

    /// Takes the decrypted password, or `None` if it could not be decrypted.
    pub fn decrypted(&mut self, plaintext: Option<&[u8]>) -> AuthStep {
        let due = self.state == State::Decrypting;
        self.state = State::Done;
        let plaintext = plaintext.filter(|_| due).unwrap_or_default();
        prove(clear_password(&caching_sha2::obfuscate(plaintext, &self.request.nonce)))
    }

    /// A response made by the wanted plugin.
    fn check(&mut self, response: &[u8]) -> AuthStep {
        self.state = State::Done;
        let wanted = self.wanted_plugin();
        if wanted == Plugin::ClearPassword {
            return prove(clear_password(response));
        }
        // The plugins send nothing (caching_sha2_password: perhaps a NUL) for an empty password.
        if response.is_empty() || (wanted == Plugin::CachingSha2 && response == [0]) {
            return match self.request.known {
                Known::Nothing | Known::EmptyPassword => AuthStep::Proven(Proof::Empty),
                Known::NativeStage2(_) | Known::CachingSha2Digest(_) => AuthStep::Denied,
            };
        }
        match (wanted, &self.request.known) {
            (_, Known::EmptyPassword) => AuthStep::Denied,
            (Plugin::NativePassword, Known::NativeStage2(stored)) => {
                match native::verify(response, &self.request.nonce, stored) {
                    Some(stage1) => AuthStep::Proven(Proof::NativeStage1(stage1)),
                    None => AuthStep::Denied,
                }
            }
            (Plugin::CachingSha2, known) => {
                let fast = matches!(known, Known::CachingSha2Digest(digest)
                    if caching_sha2::verify(response, &self.request.nonce, digest));
                if fast {
                    return AuthStep::SendThenProven(more(&[AuthMore::FAST_OK]), Proof::CachedPassword);
                }
                // A wrong response may also mean that the password was changed: the password itself decides.
                self.state = State::ExpectPassword;
                AuthStep::Send(more(&[AuthMore::FULL_AUTHENTICATION]))
            }
            _ => AuthStep::Denied,
        }
    }

    fn full_authentication(&mut self, payload: &[u8]) -> AuthStep {
        self.state = State::Done;
        if self.request.secure {
            return prove(clear_password(payload));
        }
        let Some(key) = &self.request.rsa_public_key else {
            return AuthStep::NeedsSecureChannel;
        };
        if payload == [0x02] {
            self.state = State::ExpectEncrypted;
            return AuthStep::Send(more(key));
        }
        self.decrypt(payload)
    }

    fn decrypt(&mut self, payload: &[u8]) -> AuthStep {
        self.state = State::Decrypting;
        AuthStep::Decrypt(payload.to_vec())
    }
}

fn prove(password: Option<Zeroizing<Vec<u8>>>) -> AuthStep {
    match password {
        None => AuthStep::Denied,
        Some(password) if password.is_empty() => AuthStep::Proven(Proof::Empty),
        Some(password) => AuthStep::Proven(Proof::Password(password)),
    }
}

fn more(data: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    AuthMore { data: data.to_vec() }.encode(&mut out);
    out.to_vec()
}
