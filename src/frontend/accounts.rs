//! Who may log in. With `auth.mode="database"` the database's accounts are the accounts: their plugins, and the stored
//! hashes of `mysql_native_password`, are read with the monitor account; what clients prove (passwords) is kept in
//! memory, so that later logins are fast and a server that has not seen the account yet can be logged in to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use parking_lot::Mutex;
use tideover_protocol::auth::{Plugin, caching_sha2, native};
use tideover_protocol::handshake::{Known, Secret};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::backend::{Account, Connector, Control, Target};
use crate::topology::{ClusterState, Flavor, Topology, TopologyStore};

use super::channel::{Channel, Demands};

/// What was read from a server counts as fresh for this long. A password that does not fit is looked up again at once.
const FRESH: Duration = Duration::from_secs(10);
/// Time for reading an account.
const READ: Duration = Duration::from_secs(2);
/// After a failed attempt to read, nobody tries for this long: those who wait ask one after another.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Where accounts come from (`auth.mode`).
#[derive(Debug)]
pub enum AuthMode {
    /// The database's own.
    Database,
    /// A list in the configuration.
    Users(Users),
}

/// The users of the list, by name.
pub type Users = HashMap<Vec<u8>, FixedUser>;

/// A user of the list.
#[derive(Debug, Clone)]
pub enum FixedUser {
    /// With a password.
    Password(Zeroizing<Vec<u8>>),
    /// With the stored hash of `mysql_native_password`.
    NativeHash([u8; 20]),
}

/// What is known of an account before its client proves anything.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its plugin.
    pub plugin: Plugin,
    /// What a response can be checked against.
    pub known: Known,
    /// What the account asks of the client's connection.
    pub channel: Channel,
}

/// What a server has accepted of one account with one password, and when.
#[derive(Debug, Default)]
struct Verified {
    user: Vec<u8>,
    schemas: Vec<(Vec<u8>, Instant)>,
}

/// No server lets an account be read now, in words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// What reads the servers' accounts.
#[derive(Debug, Default)]
struct AccountReader {
    control: Option<Control>,
    failed: Option<(Instant, Unreadable)>,
}

/// All accounts.
#[derive(Debug)]
pub struct AccountDirectory {
    /// The list, if there is one.
    users: Option<ArcSwap<Users>>,
    store: Arc<TopologyStore>,
    targets: Vec<Target>,
    connector: Connector,
    reader: Arc<Account>,
    accounts: tokio::sync::Mutex<AccountReader>,
    read: DashMap<Vec<u8>, (Instant, Vec<Candidate>)>,
    learned: Mutex<HashMap<Vec<u8>, Zeroizing<Vec<u8>>>>,
    verified: DashMap<u64, Verified>,
}

impl AccountDirectory {
    /// A directory that reads with the monitor account.
    #[must_use]
    pub fn new(
        mode: AuthMode,
        store: Arc<TopologyStore>,
        targets: Vec<Target>,
        connector: Connector,
        reader: Arc<Account>,
    ) -> Arc<Self> {
        let users = match mode {
            AuthMode::Database => None,
            AuthMode::Users(users) => Some(ArcSwap::from_pointee(users)),
        };
        Arc::new(Self {
            users,
            store,
            targets,
            connector,
            reader,
            accounts: tokio::sync::Mutex::default(),
            read: DashMap::new(),
            learned: Mutex::default(),
            verified: DashMap::new(),
        })
    }

    /// Another list, for logins from here on. Without one at the start there is none.
    pub fn set_users(&self, users: Users) {
        if let Some(list) = &self.users {
            list.store(Arc::new(users));
        }
    }

    /// The family that clients see.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        let topology = self.store.peek();
        let seen = topology.servers.iter().find(|s| !s.version.is_empty());
        topology.primary().or(seen).map_or(Flavor::MariaDb, |s| s.flavor)
    }

    /// What is known of `user`; `fresh` reads again whatever was read before. The client's native `response` to
    /// `nonce`, where there is one, chooses among accounts of the same name for several hosts. While no server can be
    /// asked, for at most `patience`, it waits for one.
    ///
    /// # Errors
    /// `Unreadable`: nobody could be asked. That is not "no such account", and must not look like it.
    pub async fn find(
        &self,
        user: &[u8],
        (fresh, patience): (bool, Duration),
        (response, nonce): (&[u8], &[u8; 20]),
    ) -> Result<Candidate, Unreadable> {
        if let Some(users) = &self.users {
            return Ok(users.load().get(user).map_or_else(unknown_user, fixed));
        }
        let until = Instant::now() + patience;
        let candidates = loop {
            let version = self.store.peek().version;
            match self.candidates(user, fresh).await {
                Ok(candidates) => break candidates,
                // Its clients send the password itself, and a server decides in the end.
                Err(_) if self.is_of(Flavor::MySql) => break vec![self.unread()],
                Err(why) if Instant::now() >= until => return Err(why),
                Err(_) => {
                    let _ = tokio::time::timeout(TRY_AGAIN, self.store.newer_than(version)).await;
                }
            }
        };
        let fits = |c: &&Candidate| match &c.known {
            Known::NativeStage2(stored) => native::verify(response, nonce, stored).is_some(),
            Known::EmptyPassword => response.is_empty(),
            _ => false,
        };
        let found = candidates.iter().find(fits).or_else(|| candidates.first()).cloned();
        let mut candidate = found.unwrap_or_else(|| self.unread());
        if candidate.plugin == Plugin::CachingSha2
            && let Some(password) = self.learned.lock().get(user)
        {
            candidate.known = Known::CachingSha2Digest(caching_sha2::digest(password));
        }
        Ok(candidate)
    }

    /// Whether the servers are known to be of this family.
    fn is_of(&self, flavor: Flavor) -> bool {
        self.store.peek().servers.iter().any(|s| !s.version.is_empty()) && self.flavor() == flavor
    }

    /// The password that the configuration gives `user`.
    #[must_use]
    pub fn configured_password(&self, user: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.users.as_ref().and_then(|_| self.password(user))
    }

    /// The password of `user` that an earlier login proved.
    #[must_use]
    pub fn password(&self, user: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if let Some(users) = &self.users {
            return match users.load().get(user) {
                Some(FixedUser::Password(password)) => Some(password.clone()),
                _ => None,
            };
        }
        self.learned.lock().get(user).cloned()
    }

    /// A login with `password` succeeded on a server. What was verified with others is out of date.
    pub fn learn(&self, account: &Account, password: &Zeroizing<Vec<u8>>) {
        let before = self.learned.lock().insert(account.user().to_vec(), password.clone());
        if before.as_ref() != Some(password) {
            self.verified.retain(|id, seen| seen.user != account.user() || *id == account.id());
        }
    }

    /// A server denied access with this account. A password that was kept is given up only if it is the one: anybody can
    /// offer a wrong one.
    pub fn forget(&self, account: &Account) {
        let mut learned = self.learned.lock();
        if let (Some(kept), Secret::Password(tried)) = (learned.get(account.user()), &*account.secret())
            && kept == tried
        {
            learned.remove(account.user());
        }
        self.read.remove(account.user());
    }

    /// Whether a server has accepted this account with this schema lately; with `any_age`, ever: while no server can be
    /// asked.
    #[must_use]
    pub fn is_verified(&self, account: &Account, schema: Option<&[u8]>, any_age: bool) -> bool {
        let wanted = schema.unwrap_or_default();
        let fits = |(name, at): &(Vec<u8>, Instant)| name == wanted && (any_age || at.elapsed() < FRESH);
        self.verified.get(&account.id()).is_some_and(|seen| seen.schemas.iter().any(fits))
    }

    /// A server has accepted this account with this schema.
    pub fn verify(&self, account: &Account, schema: Option<&[u8]>) {
        let schema = schema.unwrap_or_default();
        let mut seen = self.verified.entry(account.id()).or_default();
        seen.user = account.user().to_vec();
        seen.schemas.retain(|(name, _)| name != schema);
        seen.schemas.push((schema.to_vec(), Instant::now()));
    }

    async fn candidates(&self, user: &[u8], fresh: bool) -> Result<Vec<Candidate>, Unreadable> {
        if !fresh
            && let Some(entry) = self.read.get(user)
            && entry.0.elapsed() < FRESH
        {
            return Ok(entry.1.clone());
        }
        match self.read_account(user).await {
            Ok(candidates) => {
                self.read.insert(user.to_vec(), (Instant::now(), candidates.clone()));
                Ok(candidates)
            }
            // What was known goes on to hold, but not against a client that has something newer.
            Err(why) if fresh => Err(why),
            Err(why) => self.read.get(user).map(|entry| entry.1.clone()).ok_or(why),
        }
    }

    /// Reads an account from the primary, or from any server while there is none.
    async fn read_account(&self, user: &[u8]) -> Result<Vec<Candidate>, Unreadable> {
        let mut reader = self.accounts.lock().await;
        if let Some((at, why)) = &reader.failed
            && at.elapsed() < TRY_AGAIN
        {
            return Err(why.clone());
        }
        let found = self.read_with(&mut reader.control, user).await.map_err(Unreadable);
        reader.failed = found.as_ref().err().map(|why| (Instant::now(), why.clone()));
        found
    }

    async fn read_with(&self, kept: &mut Option<Control>, user: &[u8]) -> Result<Vec<Candidate>, String> {
        let sql = format!(
            "SELECT plugin, authentication_string, ssl_type, x509_subject, x509_issuer, ssl_cipher FROM mysql.user \
             WHERE user={} ORDER BY host='%', LOCATE('%', host) > 0",
            hex_literal(user)
        );
        let topology = self.store.load();
        let open = || topology.servers.iter().find(|s| s.is_open());
        // One that refuses the monitor's account need not refuse it for ever.
        let wanted = topology.primary().filter(|s| s.is_open()).or_else(open).or_else(|| topology.primary());
        let Some(wanted) = wanted else { return Err(no_server(&topology)) };
        let Some(target) = self.targets.get(wanted.id.0) else { return Err(no_server(&topology)) };
        let mut lost = String::new();
        for _ in 0..2 {
            let control = match kept.take().filter(|c| c.address() == &wanted.address) {
                Some(control) => control,
                None => Control::connect(&self.connector, target, &self.reader, READ)
                    .await
                    .map_err(|e| e.to_string())?,
            };
            match kept.insert(control).query(&sql, READ).await {
                Ok(rows) => {
                    let accounts = rows.rows.iter().map(|row| {
                        let text = |column| row.at(column).unwrap_or_default();
                        let demands = Demands { subject: text(3), issuer: text(4), cipher: text(5) };
                        let channel = Channel::of(row.bytes(2).unwrap_or_default(), demands);
                        candidate(&row.at(0).unwrap_or_default(), row.bytes(1).unwrap_or_default(), channel)
                    });
                    return Ok(accounts.collect());
                }
                Err(error) if error.is_fatal() => (*kept, lost) = (None, error.to_string()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(lost)
    }

    /// What to assume of an account that could not be read: the default of the family. A server decides in the end.
    fn unread(&self) -> Candidate {
        let plugin = match self.flavor() {
            Flavor::MariaDb => Plugin::NativePassword,
            Flavor::MySql => Plugin::CachingSha2,
        };
        if plugin == Plugin::NativePassword {
            unknown_user()
        } else {
            Candidate { plugin, known: Known::Nothing, channel: Channel::Any }
        }
    }
}

/// Why there is nobody to ask.
fn no_server(topology: &Topology) -> String {
    match &topology.state {
        ClusterState::None { why } => why.to_string(),
        _ => "no server can be reached".to_owned(),
    }
}

/// An account that does not exist is treated as one whose password never fits.
fn unknown_user() -> Candidate {
    let mut stored = [0; 20];
    // Any value serves: the client would have to know a preimage of it.
    stored.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at as u8).wrapping_mul(37) ^ 0x5a);
    Candidate { plugin: Plugin::NativePassword, known: Known::NativeStage2(stored), channel: Channel::Any }
}

fn fixed(user: &FixedUser) -> Candidate {
    let stage2 = match user {
        FixedUser::Password(password) if password.is_empty() => {
            let known = Known::EmptyPassword;
            return Candidate { plugin: Plugin::NativePassword, known, channel: Channel::Any };
        }
        FixedUser::Password(password) => native::stage2(&native::stage1(password)),
        FixedUser::NativeHash(hash) => *hash,
    };
    Candidate { plugin: Plugin::NativePassword, known: Known::NativeStage2(stage2), channel: Channel::Any }
}

fn candidate(plugin: &str, stored: &[u8], channel: Channel) -> Candidate {
    let plugin = if plugin.is_empty() { Plugin::NativePassword } else { Plugin::from_name(plugin) };
    let known = match plugin {
        _ if stored.is_empty() && plugin == Plugin::NativePassword => Known::EmptyPassword,
        Plugin::NativePassword => std::str::from_utf8(stored)
            .ok()
            .and_then(native::parse_stored)
            .map_or(Known::Nothing, Known::NativeStage2),
        _ => Known::Nothing,
    };
    Candidate { plugin, known, channel }
}

/// A literal that needs no quoting.
fn hex_literal(text: &[u8]) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let digits: String = text.iter().map(|b| format!("{b:02x}")).collect();
    format!("CONVERT(X'{digits}' USING utf8mb4)")
}
