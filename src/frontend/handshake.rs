//! Logs a client in: drives the protocol's `Acceptor` and `AuthAcceptor` over its socket, and lets a server have the
//! last word.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::rand;
use tideover_protocol::auth::{Nonce, Plugin};
use tideover_protocol::capability::{Capabilities, Dialect};
use tideover_protocol::handshake::{
    Accepted, Acceptor, AuthAcceptor, AuthRequest, AuthStep, Known, Offer, Proof, Secret,
};
use tideover_protocol::packet::{ErrPacket, Login};
use tideover_protocol::proxy_header::{self, Front};
use tideover_protocol::status::StatusFlags;
use zeroize::Zeroizing;

use crate::backend::{Account, Manner};
use crate::net::{Codec, PacketIo, Stream};
use crate::topology::{Flavor, Server, Topology};

use super::accounts::{Candidate, Unreadable};
use super::channel::Channel;
use super::error;
use super::registry::SessionHandle;
use super::shared::Shared;

/// Largest packet before login, bytes: names, attributes and an RSA block fit many times.
const LOGIN_PACKET: usize = 64 * 1024;

/// A client that has proven itself to us (a server may still refuse it).
pub(super) struct LoggedIn {
    pub(super) client: PacketIo,
    pub(super) login: Box<Login>,
    pub(super) account: Arc<Account>,
    pub(super) dialect: Dialect,
    /// Number of the packet that answers the login.
    pub(super) sequence: u8,
    pub(super) nonce: Nonce,
    /// The password itself, when the client sent it: to be remembered once a server has accepted it.
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
}

/// Why a login ended.
pub(super) enum LoginFailure {
    /// The client is gone or broke the transport.
    Gone(io::Error),
    /// Tell it this and close.
    Refuse { client: Box<PacketIo>, sequence: u8, error: ErrPacket },
}

/// What was proven, and by what.
pub(super) struct Proven {
    pub(super) secret: Secret,
    /// What the account asks of its connections.
    pub(super) channel: Channel,
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
}

/// What to log in to servers with; and the password, if the client has just sent it.
type Means = (Secret, Option<Zeroizing<Vec<u8>>>);

/// Greets and logs in. The caller bounds the time.
pub(super) async fn accept(
    shared: &Shared,
    handle: &SessionHandle,
    mut client: PacketIo,
) -> Result<LoggedIn, LoginFailure> {
    let nonce = fresh_nonce();
    let mut acceptor = Acceptor::new(offer(shared, handle.id, nonce, client.stream()));
    client.send_packet(&acceptor.greeting(), 0).await.map_err(LoginFailure::Gone)?;
    if let Err(error) = read_header(shared, handle, &mut client).await {
        return Err(unreadable(client, 1, error));
    }
    let mut sequence = 1;
    let login = loop {
        let (payload, next) = match client.read_packet(sequence, LOGIN_PACKET).await {
            Ok(packet) => packet,
            Err(error) => return Err(unreadable(client, sequence, error)),
        };
        sequence = next;
        match acceptor.receive(&payload) {
            Ok(Accepted::Login(login)) => break login,
            Ok(Accepted::StartTls) => client = start_tls(shared, client).await?,
            Err(error) => {
                return Err(LoginFailure::Refuse {
                    client: Box::new(client),
                    sequence,
                    error: error.to_err(),
                });
            }
        }
    };
    handle.set_user(&login.user);
    let mut conversation = Conversation { shared, peer: handle.peer(), client, sequence };
    let plugin = login.plugin.as_deref().map_or(Plugin::NativePassword, Plugin::from_name);
    let proven = conversation.prove(&login.user, (plugin, &login.auth_response), nonce).await;
    let Conversation { client, sequence, .. } = conversation;
    match proven {
        Ok(Ok(proven)) => {
            let dialect = Dialect::new(login.capabilities, login.collation);
            let (account, password) = proven.account(&login.user, shared, handle);
            Ok(LoggedIn { client, login, account, dialect, sequence, nonce, password })
        }
        Ok(Err(error)) => Err(LoginFailure::Refuse { client: Box::new(client), sequence, error }),
        Err(error) => Err(unreadable(client, sequence, error)),
    }
}

impl Proven {
    /// Who to log in to servers as; and the password, if the client has just sent it.
    pub(super) fn account(
        self,
        user: &[u8],
        shared: &Shared,
        handle: &SessionHandle,
    ) -> (Arc<Account>, Option<Zeroizing<Vec<u8>>>) {
        let client = handle.peer().filter(|_| shared.options().tells_address);
        let manner = Manner {
            tls: self.channel.needs_tls(),
            certificate: self.channel.needs_certificate(),
            client: client.map(|peer| peer.ip().to_canonical()),
        };
        (Account::with(user, self.secret, manner), self.password)
    }
}

/// A load balancer may say in front of the client's first packet whose connection it is.
async fn read_header(shared: &Shared, handle: &SessionHandle, client: &mut PacketIo) -> io::Result<()> {
    let networks = shared.options().proxy_networks.clone();
    let from = client.stream().peer().map(|peer| peer.ip());
    if !from.is_some_and(|from| networks.iter().any(|network| network.contains(from))) {
        return Ok(());
    }
    loop {
        let front = proxy_header::read(client.input())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        match front {
            Front::Incomplete => client.fill_some().await?,
            Front::Other => return Ok(()),
            Front::Header { len, client: whose } => {
                client.consume(len);
                if let Some(whose) = whose {
                    handle.set_peer(whose);
                }
                return Ok(());
            }
        }
    }
}

/// What cannot be read as a packet gets the protocol's own error; a client that is gone gets nothing.
fn unreadable(client: PacketIo, sequence: u8, error: io::Error) -> LoginFailure {
    if error.kind() == io::ErrorKind::InvalidData {
        let error = if error.to_string().contains("sequence") {
            ErrPacket::new(1156, "08S01", "Got packets out of order")
        } else {
            ErrPacket::new(1043, "08S01", "Bad handshake")
        };
        return LoginFailure::Refuse { client: Box::new(client), sequence, error };
    }
    LoginFailure::Gone(error)
}

async fn start_tls(shared: &Shared, client: PacketIo) -> Result<PacketIo, LoginFailure> {
    let gone = |text: &str| LoginFailure::Gone(io::Error::new(io::ErrorKind::InvalidData, text.to_owned()));
    let raw = client.into_raw().ok_or_else(|| gone("TLS inside TLS"))?;
    let tls = shared.tls.as_ref().ok_or_else(|| gone("TLS is not offered"))?;
    // Boxed: a TLS handshake is large and most sessions have none; their tasks must stay small.
    let stream = Box::pin(tls.accept(raw)).await.map_err(LoginFailure::Gone)?;
    Ok(PacketIo::new(stream, &shared.buffers))
}

fn offer(shared: &Shared, connection_id: u32, nonce: Nonce, stream: &Stream) -> Offer {
    let topology = shared.store.load();
    let seen = topology.primary().or_else(|| topology.servers.iter().find(|s| !s.version.is_empty()));
    let (flavor, version) = seen.map_or((Flavor::MariaDb, String::new()), |s| (s.flavor, s.version.clone()));
    // With a certificate of its own the proxy offers TLS; otherwise it does what the servers do.
    let server_tls = |s: &Server| Capabilities::from_bits_retain(s.offers).contains(Capabilities::SSL);
    let mirrored = shared.options().tls_like_servers && !seen.is_some_and(server_tls);
    let tls = shared.tls.is_some() && !mirrored;
    let plugin = match flavor {
        Flavor::MariaDb => "mysql_native_password",
        Flavor::MySql => "caching_sha2_password",
    };
    Offer {
        server_version: greeted_version(flavor, version),
        connection_id,
        nonce,
        capabilities: Capabilities::offered(in_common(&topology), tls),
        collation: match flavor {
            Flavor::MariaDb => 45,
            Flavor::MySql => 255,
        },
        status: StatusFlags::AUTOCOMMIT,
        plugin: plugin.to_owned(),
        tls_available: tls,
        tls_required: shared.options().tls_required && !stream.is_secure(),
    }
}

/// How the client wants its packets compressed. Of one that can do both the servers take zlib.
pub(super) fn codec(login: &Login) -> Option<Codec> {
    if login.capabilities.contains(Capabilities::COMPRESS) {
        return Some(Codec::Zlib);
    }
    login.capabilities.contains(Capabilities::ZSTD_COMPRESSION).then_some(Codec::Zstd(login.zstd_level))
}

/// What all servers seen so far offer: a session may come to be on any of them.
fn in_common(topology: &Topology) -> Capabilities {
    let seen = topology.servers.iter().filter(|s| s.offers != 0);
    let offers = seen.map(|s| Capabilities::from_bits_retain(s.offers));
    // Before anything was seen: what every server of today has.
    offers.reduce(|a, b| a & b).unwrap_or(Capabilities::ESSENTIAL | Capabilities::DIALECT_OF_ALL)
}

/// The version as the server's greeting spells it: before 11, MariaDB's have a prefix for replicas that know no version of
/// two digits.
fn greeted_version(flavor: Flavor, version: String) -> String {
    match version.split('.').next() {
        None | Some("") => "8.0.0-tideover".to_owned(),
        Some("10") if flavor == Flavor::MariaDb => format!("5.5.5-{version}"),
        Some(_) => version,
    }
}

/// Twenty random bytes, none of them NUL or `$`, as the servers make them.
pub(super) fn fresh_nonce() -> Nonce {
    let mut nonce = [0; 20];
    if rand::fill(&mut nonce).is_err() {
        // Without randomness no login can be safe; an all-ones nonce would be a constant challenge.
        std::process::abort();
    }
    for byte in &mut nonce {
        *byte &= 0x7f;
        if *byte == 0 || *byte == b'$' {
            *byte += 1;
        }
    }
    nonce
}

/// The password conversation, for login and COM_CHANGE_USER.
pub(super) struct Conversation<'a> {
    pub(super) shared: &'a Shared,
    /// Where the client is.
    pub(super) peer: Option<SocketAddr>,
    pub(super) client: PacketIo,
    pub(super) sequence: u8,
}

impl Conversation<'_> {
    /// What is known of the account that fits what the client has shown already.
    async fn candidate(
        &self,
        user: &[u8],
        (client_plugin, response): (&Plugin, &[u8]),
        nonce: &Nonce,
    ) -> Result<Candidate, Unreadable> {
        let accounts = &self.shared.accounts;
        // Told in time: whoever has not logged in by then is closed without a word.
        let patience = self.shared.options().login_timeout * 4 / 5;
        let candidate = accounts.find(user, (false, patience), (response, nonce)).await?;
        if *client_plugin == Plugin::NativePassword
            && let Known::NativeStage2(stored) = &candidate.known
            && tideover_protocol::auth::native::verify(response, nonce, stored).is_none()
        {
            // Wrong, or changed since it was read.
            return accounts.find(user, (true, patience), (response, nonce)).await;
        }
        Ok(candidate)
    }

    /// Lets the client prove that it is `user`. The inner error is the server-like refusal.
    pub(super) async fn prove(
        &mut self,
        user: &[u8],
        (client_plugin, response): (Plugin, &[u8]),
        nonce: Nonce,
    ) -> io::Result<Result<Proven, ErrPacket>> {
        let candidate = match self.candidate(user, (&client_plugin, response), &nonce).await {
            Ok(candidate) => candidate,
            Err(why) => return Ok(Err(error::accounts_unreadable(&why))),
        };
        // As the servers say it, and after the same conversation: whoever asks must not learn what the account wants.
        let channel = candidate.channel;
        let mut auth = AuthAcceptor::new(AuthRequest {
            client_plugin,
            response: response.to_vec(),
            account_plugin: candidate.plugin,
            nonce,
            secure: self.client.stream().is_secure(),
            rsa_public_key: Some(self.shared.rsa.public_pem().to_vec()),
            known: candidate.known,
        });
        // Of an empty password caching_sha2_password sends the NUL at its end.
        let is_password = |answer: &[u8]| !matches!(answer, [] | [0]);
        let mut with_password = is_password(response);
        let mut step = auth.start();
        let proof = loop {
            step = match step {
                AuthStep::Send(payload) => {
                    self.sequence = self.client.send_packet(&payload, self.sequence).await?;
                    let (answer, next) = self.client.read_packet(self.sequence, LOGIN_PACKET).await?;
                    self.sequence = next;
                    with_password |= is_password(&answer);
                    match auth.receive(&answer) {
                        Ok(step) => step,
                        Err(error) => return Ok(Err(error.to_err())),
                    }
                }
                AuthStep::Decrypt(ciphertext) => {
                    let plaintext = self.shared.rsa.decrypt(&ciphertext);
                    auth.decrypted(plaintext.as_ref().map(|p| p.as_slice()))
                }
                AuthStep::SendThenProven(payload, proof) => {
                    self.sequence = self.client.send_packet(&payload, self.sequence).await?;
                    break proof;
                }
                AuthStep::Proven(proof) => break proof,
                AuthStep::Denied => return Ok(Err(denied(user, self.peer, with_password))),
                AuthStep::NeedsSecureChannel => {
                    let text = "tideover: this account's authentication plugin needs the password itself: \
                                connect with TLS";
                    return Ok(Err(ErrPacket::new(1045, "28000", text)));
                }
            };
        };
        if !channel.admits(self.client.stream()) {
            return Ok(Err(denied(user, self.peer, with_password)));
        }
        Ok(self.secret(user, proof).map(|(secret, password)| Proven { secret, channel, password }))
    }

    /// What to log in to servers with; and the password, if the client has just sent it.
    fn secret(&self, user: &[u8], proof: Proof) -> Result<Means, ErrPacket> {
        let accounts = &self.shared.accounts;
        Ok(match proof {
            // A password that the configuration names logs in by any method.
            Proof::NativeStage1(stage1) => match accounts.configured_password(user) {
                Some(password) => (Secret::Password(password), None),
                None => (Secret::NativeStage1(stage1), None),
            },
            Proof::Password(password) if password.is_empty() => (Secret::Empty, None),
            Proof::Password(password) => (Secret::Password(password.clone()), Some(password)),
            Proof::CachedPassword => {
                let password = accounts.password(user);
                let password = password.ok_or_else(|| denied(user, self.peer, true))?;
                (Secret::Password(password), None)
            }
            Proof::Empty => (Secret::Empty, None),
        })
    }
}

/// ER_ACCESS_DENIED_ERROR in the servers' words.
pub(super) fn denied(user: &[u8], peer: Option<SocketAddr>, with_password: bool) -> ErrPacket {
    let host = peer.map_or_else(|| "localhost".to_owned(), |p| p.ip().to_string());
    let text = format!(
        "Access denied for user '{}'@'{host}' (using password: {})",
        String::from_utf8_lossy(user),
        if with_password { "YES" } else { "NO" }
    );
    ErrPacket::new(1045, "28000", text)
}
