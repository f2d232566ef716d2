//! Pools of server connections: one per shard, server, account and dialect, under one limit per server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tideover_protocol::capability::Dialect;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use crate::session::SessionState;
use crate::topology::ServerId;

use super::account::Account;
use super::acquire::AcquireError;
use super::base::{Base, Bases, Start};
use super::connection::{Opened, ServerConnection, SetUpRefused};
use super::connector::{ConnectFailure, Connector, Target};
use super::control::flavor_of;
use super::lease::Lease;
use super::limits::PoolLimits;
use super::marks::Marks;
use super::signature::{Signature, TagSource};
use super::slots::Slots;

/// Idle connections that are looked through for one whose session state fits already.
const LOOK_THROUGH: usize = 16;

/// Connections of one server by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// In use.
    pub leased: usize,
    /// Waiting to be used.
    pub idle: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) shard: usize,
    pub(super) server: ServerId,
    pub(super) account: u64,
    pub(super) dialect: Dialect,
    pub(super) use_: Use,
}

/// What connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Everything: they lead to a primary.
    Anything,
    /// Reads alone: their sessions are read-only, so that what was taken for a read by mistake is refused.
    Reading,
}

/// All pools.
#[derive(Debug)]
pub struct Pools {
    limits: ArcSwap<PoolLimits>,
    connector: Connector,
    pub(super) slots: Vec<Arc<Slots>>,
    pub(super) pools: Mutex<HashMap<Key, Arc<AccountPool>>>,
    bases: Bases,
    tags: TagSource,
    marks: Arc<Marks>,
}

impl Pools {
    /// Pools for these servers.
    #[must_use]
    pub fn new(
        limits: PoolLimits,
        connector: Connector,
        servers: &[Target],
        signature: Signature,
    ) -> Arc<Self> {
        let slots = servers
            .iter()
            .enumerate()
            .map(|(at, target)| Arc::new(Slots::new(ServerId(at), target.clone(), limits.per_server)));
        Arc::new(Self {
            limits: ArcSwap::from_pointee(limits),
            connector,
            slots: slots.collect(),
            pools: Mutex::default(),
            bases: Bases::default(),
            tags: TagSource::new(&signature),
            marks: Marks::new(signature.instance),
        })
    }

    /// The pool for this account and dialect on a server, for sessions of one shard. To be kept by the session.
    ///
    /// # Panics
    /// Never for ids of configured servers.
    #[must_use]
    pub fn of(
        self: &Arc<Self>,
        shard: usize,
        server: ServerId,
        account: &Arc<Account>,
        dialect: Dialect,
    ) -> Arc<AccountPool> {
        self.of_use(shard, (server, Use::Anything), account, dialect)
    }

    /// The same, for connections that are used for this alone.
    ///
    /// # Panics
    /// Never for ids of configured servers.
    #[must_use]
    pub fn of_use(
        self: &Arc<Self>,
        shard: usize,
        (server, use_): (ServerId, Use),
        account: &Arc<Account>,
        dialect: Dialect,
    ) -> Arc<AccountPool> {
        let key = Key { shard, server, account: account.id(), dialect, use_ };
        let mut pools = self.pools.lock();
        let pool = pools.entry(key).or_insert_with(|| {
            let slots = self.slots.get(server.0).expect("ids come from the configuration").clone();
            Arc::new(AccountPool {
                slots,
                owner: self.clone(),
                account: account.clone(),
                dialect,
                use_,
                idle: Mutex::default(),
                leased: AtomicUsize::new(0),
                returned: Notify::new(),
                given_back: AtomicU64::new(0),
                queued: AtomicUsize::new(0),
                grown: Mutex::default(),
                base: self.bases.of(key),
            })
        });
        pool.clone()
    }

    /// The bounds that hold now.
    #[must_use]
    pub fn limits(&self) -> PoolLimits {
        **self.limits.load()
    }

    /// Other bounds from here on. With fewer connections to a server than there are, those in use stay until they are given
    /// back.
    pub fn set_limits(&self, limits: PoolLimits) {
        let before = self.limits.swap(Arc::new(limits));
        for slots in &self.slots {
            slots.resize(before.per_server, limits.per_server);
        }
    }

    /// The login machinery, for control connections.
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Where a server is.
    #[must_use]
    pub fn target(&self, server: ServerId) -> Option<&Target> {
        self.slots.get(server.0).map(|s| &s.target)
    }

    /// Connections of a server.
    #[must_use]
    pub fn stats(&self, server: ServerId) -> PoolStats {
        let Some(slots) = self.slots.get(server.0) else { return PoolStats::default() };
        let idle = self.of_server(server).iter().map(|p| p.idle.lock().len()).sum();
        PoolStats { idle, leased: slots.open.load(Ordering::Relaxed).saturating_sub(idle) }
    }

    /// How many idle connections a server has ended by itself: it may have been restarted.
    #[must_use]
    pub fn ended(&self, server: ServerId) -> u64 {
        self.slots.get(server.0).map_or(0, |slots| slots.ended.load(Ordering::Acquire))
    }

    /// Closes what is idle on a server and marks what is in use for closing on return.
    pub fn retire(&self, server: ServerId) {
        if let Some(slots) = self.slots.get(server.0) {
            slots.generation.fetch_add(1, Ordering::AcqRel);
        }
        self.of_server(server).iter().for_each(|pool| pool.let_go_idle());
    }

    /// A server was told what new sessions may begin with (SET GLOBAL): the next login there looks what that is. What is
    /// idle stays until the monitor has found that it was something of this kind, and [retires](Self::retire) it.
    pub fn doubt(&self, server: ServerId) {
        self.of_server(server).iter().for_each(|pool| pool.base.doubt());
    }

    pub(super) fn of_server(&self, server: ServerId) -> Vec<Arc<AccountPool>> {
        self.pools.lock().iter().filter(|(k, _)| k.server == server).map(|(_, p)| p.clone()).collect()
    }

    /// Makes room under the server's limit by closing an idle connection of any account, or of this one. Says whether there
    /// was one. Who has most gives it.
    pub(super) fn evict(&self, server: ServerId, of: Option<u64>) -> bool {
        let mut pools = self.of_server(server);
        pools.retain(|pool| of.is_none_or(|account| pool.account.id() == account));
        pools.sort_by_cached_key(|pool| std::cmp::Reverse(pool.idle.lock().len()));
        for pool in pools {
            let mut idle = pool.idle.lock();
            if !idle.is_empty() {
                idle.remove(0);
                pool.slots.open.fetch_sub(1, Ordering::AcqRel);
                return true;
            }
        }
        false
    }
}

/// Connections of one account to one server, in one dialect.
#[derive(Debug)]
pub struct AccountPool {
    pub(super) slots: Arc<Slots>,
    pub(super) owner: Arc<Pools>,
    pub(super) account: Arc<Account>,
    dialect: Dialect,
    pub(super) use_: Use,
    /// Most recently used last. Boxed, because a lease takes it and gives it back.
    #[allow(clippy::vec_box)]
    pub(super) idle: Mutex<Vec<Box<ServerConnection>>>,
    pub(super) leased: AtomicUsize,
    /// An idle one was given back.
    pub(super) returned: Notify,
    /// How often.
    pub(super) given_back: AtomicU64,
    /// Who wait for that rather than log in.
    pub(super) queued: AtomicUsize,
    /// When it last grew although it had many.
    pub(super) grown: Mutex<Option<Instant>>,
    /// Of a new connection's session, and the longest command it takes: known to all shards.
    base: Arc<Base>,
}

impl AccountPool {
    /// Which server.
    #[must_use]
    pub fn server(&self) -> ServerId {
        self.slots.id
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// A connection whose session is in the state `wanted`.
    ///
    /// # Errors
    /// [`AcquireError`]; nothing of the client's was sent in any case.
    pub async fn acquire(self: &Arc<Self>, wanted: &SessionState) -> Result<Lease, AcquireError> {
        let lease = self.acquire_near(wanted).await?;
        if lease.state.fingerprint() == wanted.fingerprint() {
            return Ok(lease);
        }
        Box::pin(restored(lease, wanted)).await
    }

    /// A connection whose session can be brought to the state `wanted`, and is there already if one was to be had.
    ///
    /// # Errors
    /// [`AcquireError`]; nothing was sent in any case.
    pub async fn acquire_near(self: &Arc<Self>, wanted: &SessionState) -> Result<Lease, AcquireError> {
        // What waits is boxed: nearly every statement finds a connection, and need not carry the room for more.
        let permit = match self.slots.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => Box::pin(self.wait()).await?,
        };
        match self.take_in_turn(wanted) {
            Some(connection) => Ok(Lease::new(connection, self.clone(), permit)),
            None => Box::pin(self.lease_other(permit, Some(wanted))).await,
        }
    }

    /// The same with a connection that a session kept for itself, if that can still serve it.
    ///
    /// # Errors
    /// [`AcquireError`]; nothing of the client's was sent in any case.
    pub async fn resume(
        self: &Arc<Self>,
        kept: Lease,
        wanted: &SessionState,
        restored: bool,
    ) -> Result<Lease, AcquireError> {
        let current = kept.generation == self.slots.generation.load(Ordering::Acquire);
        let mine = Arc::ptr_eq(kept.pool(), self);
        if !mine || !current || kept.io.stream().has_input() || !kept.can_become(wanted) {
            kept.scrub();
            return if restored { self.acquire(wanted).await } else { self.acquire_near(wanted).await };
        }
        if !restored || kept.state.fingerprint() == wanted.fingerprint() {
            return Ok(kept);
        }
        self::restored(kept, wanted).await
    }

    /// The same, if there is room at once.
    ///
    /// # Errors
    /// [`AcquireError`]; nothing of the client's was sent in any case.
    pub async fn acquire_now(self: &Arc<Self>, wanted: &SessionState) -> Result<Lease, AcquireError> {
        if self.slots.permits.available_permits() == 0 {
            let limit = self.owner.limits().per_server;
            let full = self.slots.is_full();
            return Err(AcquireError::Exhausted { limit, full, waited: Duration::ZERO });
        }
        self.acquire(wanted).await
    }

    /// Whether somebody waits for a connection of this server, of whichever account.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.slots.is_wanted()
    }

    /// What a session of this account starts from, once a connection was made; as far as known, since the server may have
    /// been told otherwise by now ([`is_base_known`](Self::is_base_known)).
    #[must_use]
    pub fn base(&self) -> Option<Arc<SessionState>> {
        self.base.last().map(|start| start.state)
    }

    /// The same after COM_RESET_CONNECTION.
    #[must_use]
    pub fn base_after_reset(&self) -> Option<Arc<SessionState>> {
        self.base.last().map(|start| start.reset)
    }

    /// Whether that is what new connections start from, for all that is known.
    #[must_use]
    pub fn is_base_known(&self) -> bool {
        self.base.of(self.slots.generation.load(Ordering::Acquire)).is_some()
    }

    /// A new connection: to learn what sessions start from, and that the server lets the account in.
    ///
    /// # Errors
    /// [`AcquireError`].
    pub async fn acquire_new(self: &Arc<Self>) -> Result<Lease, AcquireError> {
        let permit = self.wait().await?;
        self.lease_other(permit, None).await
    }

    /// Connections of this pool.
    pub(super) fn in_use_or_idle(&self) -> usize {
        self.idle.lock().len() + self.leased.load(Ordering::Relaxed)
    }

    pub(super) async fn wait(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        let limits = self.owner.limits();
        let _waiter = self.slots.count_waiter();
        match timeout_at(Instant::now() + limits.acquire, self.slots.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(AcquireError::Exhausted {
                limit: limits.per_server,
                full: self.slots.is_full(),
                waited: limits.acquire,
            }),
        }
    }

    /// An idle connection that is healthy and fits, preferring one that is in the wanted state already.
    pub(super) fn take_idle(&self, wanted: &SessionState) -> Option<Box<ServerConnection>> {
        let mut idle = self.idle.lock();
        let from = idle.len().saturating_sub(LOOK_THROUGH);
        let mut at = idle.len();
        let mut second = None;
        while at > from {
            at -= 1;
            let candidate = idle.get(at)?;
            if candidate.io.stream().has_input() {
                idle.remove(at);
                self.slots.ended.fetch_add(1, Ordering::AcqRel);
                self.slots.open.fetch_sub(1, Ordering::AcqRel);
                second = second.map(|s: usize| s - 1);
            } else if candidate.state.fingerprint() == wanted.fingerprint() {
                return Some(idle.remove(at));
            } else if second.is_none() && candidate.can_become(wanted) {
                second = Some(at);
            }
        }
        second.map(|at| idle.remove(at))
    }

    pub(super) async fn connect(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Box<ServerConnection>, AcquireError> {
        let counted = self.slots.count_opening();
        let generation = self.slots.generation.load(Ordering::Acquire);
        let target = &self.slots.target;
        let (io, connected) =
            self.owner.connector.login(target, &self.account, self.dialect, deadline).await?;
        let start = self.base.of(generation);
        let news = start.is_none();
        let opened = Opened {
            io,
            server: self.slots.id,
            flavor: flavor_of(&connected.greeting.server_version),
            thread: connected.greeting.connection_id,
            capabilities: connected.capabilities,
            tag: self.owner.tags.next(),
            marks: self.owner.marks.clone(),
            generation,
            reading: self.use_ == Use::Reading,
            start,
        };
        let set_up = timeout_at(deadline, ServerConnection::set_up(opened)).await;
        let connection = match set_up {
            Ok(Ok(connection)) => Box::new(connection),
            Ok(Err(error)) => {
                let address = target.address.clone();
                let failure = match SetUpRefused::of(&error) {
                    Some(refusal) => ConnectFailure::Refused { address, error: refusal.clone() },
                    None => ConnectFailure::Unreachable { address, error },
                };
                return Err(failure.into());
            }
            Err(_) => return Err(ConnectFailure::TimedOut { address: target.address.clone() }.into()),
        };
        if news {
            let ServerConnection { base, after_reset, largest, .. } = &*connection;
            let (state, reset) = (base.clone(), after_reset.clone());
            self.base.learn(generation, Start { state, reset, largest: *largest });
        }
        counted.keep();
        Ok(connection)
    }

    /// Closes what is idle.
    pub(super) fn let_go_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        self.slots.open.fetch_sub(idle.len(), Ordering::AcqRel);
    }

    /// Takes a connection back, whose `idle_since` is now; closes it if it must not be reused.
    pub(super) fn give_back(&self, connection: Box<ServerConnection>) {
        let limits = self.owner.limits();
        let current = connection.generation == self.slots.generation.load(Ordering::Acquire);
        if current && connection.is_reusable() && connection.idle_since - connection.opened < limits.lifetime
        {
            self.idle.lock().push(connection);
            self.given_back.fetch_add(1, Ordering::AcqRel);
            self.returned.notify_one();
        } else {
            self.slots.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Brings the connection into the state `wanted`.
async fn restored(mut lease: Lease, wanted: &SessionState) -> Result<Lease, AcquireError> {
    // Cancelled half-way it must not be reused.
    lease.broken = true;
    let within = lease.pool().owner.limits().connect;
    match timeout(within, lease.restore(wanted)).await {
        Ok(Ok(Ok(()))) => lease.broken = false,
        Ok(Ok(Err(error))) => return Err(AcquireError::Restore(error)),
        Ok(Err(error)) => return Err(AcquireError::Lost(error)),
        // A server that hangs ends no connection.
        Err(_) => return Err(AcquireError::Lost(std::io::ErrorKind::TimedOut.into())),
    }
    Ok(lease)
}
