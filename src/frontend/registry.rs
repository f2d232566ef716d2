//! All live sessions by id: to list, to signal, to kill.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use crate::gate::{Gate, Returning};
use crate::relay::{Signal, Signals};
use crate::session::{PinReason, Pins};
use crate::topology::ServerId;

use super::torn::Torn;
use super::turns::Turns;

/// The first id of a session. Servers count theirs from 1 and do not come here, so that a client can tell the ids of its
/// PROCESSLIST (the servers') from its own, and KILL means the right one.
pub(super) const FIRST_ID: u32 = 1 << 30;

/// What others may know of a session and do to it.
#[derive(Debug)]
pub struct SessionHandle {
    /// The id in the client's handshake.
    pub id: u32,
    peer: Mutex<Option<SocketAddr>>,
    /// To tell it something.
    pub signal: Signal,
    started: Instant,
    user: Mutex<String>,
    in_unit: AtomicBool,
    in_transaction: AtomicBool,
    /// If the open unit were ended now, it could surely be done again without the client's noticing.
    movable: AtomicBool,
    /// Keeps others at the gate until this session's transaction was done again.
    place: Mutex<Option<Returning>>,
    held: AtomicBool,
    /// Server in the upper half, thread id in the lower, both plus one; 0 for none.
    server_thread: AtomicU64,
    pins: AtomicU32,
    /// How many are just ending a statement of this session on its server.
    kills: AtomicUsize,
    /// Counts up when a statement leaves for the server and when its answer is there: odd in between.
    turns: AtomicU32,
    /// What `turns` was when somebody last looked for statements that take long.
    looked: AtomicU32,
}

/// A session as `/v1/sessions` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// Its id.
    pub id: u32,
    /// The account.
    pub user: String,
    /// Where the client is.
    pub client: String,
    /// `idle`, `held`, `statement` or `transaction`.
    pub state: &'static str,
    /// Why it cannot move to another server now; empty if it can.
    pub pins: Vec<&'static str>,
    /// The server connection that it holds, if any: server number and thread id there.
    pub server: Option<(usize, u32)>,
    /// Age, seconds.
    pub age_s: u64,
}

impl SessionHandle {
    /// The client's address; `None` over a Unix socket.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        *self.peer.lock()
    }

    /// A load balancer has said whose connection it is.
    pub(super) fn set_peer(&self, peer: SocketAddr) {
        *self.peer.lock() = Some(peer);
    }

    /// The account's name, once known.
    pub fn set_user(&self, user: &[u8]) {
        *self.user.lock() = String::from_utf8_lossy(user).into_owned();
    }

    /// The account's name.
    #[must_use]
    pub fn user(&self) -> String {
        self.user.lock().clone()
    }

    /// A unit of work begins or ends.
    pub fn set_in_unit(&self, inside: bool) {
        self.in_unit.store(inside, Ordering::Release);
        if !inside {
            // A cut is meant for the unit that was open: the next one is not concerned.
            drop(self.take_place());
            self.movable.store(false, Ordering::Release);
            self.signal
                .lower(Signals::CUT | Signals::SERVER_LOST | Signals::MOVED | Signals::PART | Signals::TORN);
        }
    }

    /// Whether a transaction is open.
    pub fn set_in_transaction(&self, inside: bool) {
        self.in_transaction.store(inside, Ordering::Relaxed);
    }

    /// Whether the open unit could surely be done again if it were ended now.
    pub fn set_movable(&self, movable: bool) {
        self.movable.store(movable, Ordering::Release);
    }

    /// What was kept for this session by [`SessionRegistry::follow`], if so.
    #[must_use]
    pub fn take_place(&self) -> Option<Returning> {
        self.place.lock().take()
    }

    /// Whether it waits at the gate.
    pub fn set_held(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// A statement leaves for the server, or its answer is there.
    pub fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the same statement waits for its answer as at the last call.
    fn still_waits(&self) -> bool {
        let turns = self.turns.load(Ordering::Relaxed);
        self.looked.swap(turns, Ordering::Relaxed) == turns && turns % 2 == 1
    }

    /// The server connection that it uses.
    pub fn set_server(&self, server: Option<(ServerId, u32)>) {
        let word = server.map_or(0, |(id, thread)| ((id.0 as u64 + 1) << 32) | u64::from(thread));
        self.server_thread.store(word, Ordering::SeqCst);
    }

    /// Somebody is about to end its statement on its server: until the guard is dropped, no connection that this session
    /// gives up is used again, for the KILL could meet somebody else's statement there.
    #[must_use]
    pub fn kill(self: &Arc<Self>) -> Killing {
        self.kills.fetch_add(1, Ordering::SeqCst);
        Killing(self.clone())
    }

    /// Whether a KILL may be on its way. To be asked after `set_server(None)`.
    #[must_use]
    pub fn is_being_killed(&self) -> bool {
        self.kills.load(Ordering::SeqCst) > 0
    }

    /// The server connection that it uses now.
    #[must_use]
    pub fn server(&self) -> Option<(ServerId, u32)> {
        let word = self.server_thread.load(Ordering::SeqCst);
        let server = usize::try_from(word >> 32).ok()?.checked_sub(1)?;
        Some((ServerId(server), (word & 0xffff_ffff) as u32))
    }

    /// Why it cannot move now.
    pub fn set_pins(&self, pins: Pins) {
        self.pins.store(pins.bits(), Ordering::Relaxed);
    }

    fn pins(&self) -> Pins {
        Pins::from_bits(self.pins.load(Ordering::Relaxed))
    }

    fn holds_tables(&self) -> bool {
        self.pins().contains(PinReason::TableLock)
    }

    fn view(&self) -> SessionView {
        let state = if self.held.load(Ordering::Relaxed) {
            "held"
        } else if self.in_transaction.load(Ordering::Relaxed) {
            "transaction"
        } else if self.in_unit.load(Ordering::Relaxed) {
            "statement"
        } else {
            "idle"
        };
        SessionView {
            id: self.id,
            user: self.user.lock().clone(),
            client: self.peer().map_or_else(|| "unix".to_owned(), |p| p.to_string()),
            state,
            pins: self.pins().iter().map(|pin| pin.name()).collect(),
            server: self.server().map(|(id, thread)| (id.0, thread)),
            age_s: self.started.elapsed().as_secs(),
        }
    }
}

/// All live sessions.
#[derive(Debug, Default)]
pub struct SessionRegistry {
    sessions: DashMap<u32, Arc<SessionHandle>>,
    next: AtomicU32,
    count: AtomicUsize,
    /// Transactions that have just lost their locks.
    pub(super) torn: Arc<Torn>,
    /// Who may do an interrupted transaction again now.
    pub(super) turns: Turns,
}

impl SessionRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Registers a new session under an id that no live one has. It is forgotten when the guard is dropped.
    pub fn register(self: &Arc<Self>, peer: Option<SocketAddr>) -> Registered {
        loop {
            let id = FIRST_ID | (self.next.fetch_add(1, Ordering::Relaxed) & (FIRST_ID - 1));
            let handle = Arc::new(SessionHandle {
                id,
                peer: Mutex::new(peer),
                signal: Signal::default(),
                started: Instant::now(),
                user: Mutex::default(),
                in_unit: AtomicBool::new(false),
                in_transaction: AtomicBool::new(false),
                movable: AtomicBool::new(false),
                place: Mutex::default(),
                held: AtomicBool::new(false),
                server_thread: AtomicU64::new(0),
                pins: AtomicU32::default(),
                kills: AtomicUsize::new(0),
                turns: AtomicU32::new(0),
                looked: AtomicU32::new(0),
            });
            if self.sessions.contains_key(&id) {
                continue;
            }
            self.sessions.insert(id, handle.clone());
            self.count.fetch_add(1, Ordering::Relaxed);
            return Registered { handle, registry: self.clone() };
        }
    }

    /// A session by id.
    #[must_use]
    pub fn find(&self, id: u32) -> Option<Arc<SessionHandle>> {
        self.sessions.get(&id).map(|entry| entry.value().clone())
    }

    /// The sessions of an account's name.
    #[must_use]
    pub fn of_user(&self, user: &str) -> Vec<Arc<SessionHandle>> {
        let mine = self.sessions.iter().filter(|entry| *entry.value().user.lock() == user);
        mine.map(|entry| entry.value().clone()).collect()
    }

    /// Live sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Raises a signal for all sessions; for [`Signals::CUT`] only for those with an open unit. Gives their number.
    pub fn raise_all(&self, what: Signals) -> usize {
        let mut raised = 0;
        for entry in &self.sessions {
            let handle = entry.value();
            if what != Signals::CUT || handle.in_unit.load(Ordering::Acquire) {
                handle.signal.raise(what);
                raised += 1;
            }
        }
        raised
    }

    /// The servers on which a statement has been waiting for its answer since the last call.
    #[must_use]
    pub fn waiting_servers(&self) -> Vec<ServerId> {
        let mut servers = Vec::new();
        for entry in &self.sessions {
            if entry.value().still_waits()
                && let Some((server, _)) = entry.value().server()
                && !servers.contains(&server)
            {
                servers.push(server);
            }
        }
        servers
    }

    /// Ends the units that are open on a server, but for those that have locked tables: they cannot be done again, and need
    /// nothing that others hold. Gives their number.
    pub fn cut_units(&self, server: ServerId) -> usize {
        let mut cut = 0;
        for entry in &self.sessions {
            let handle = entry.value();
            let there = handle.server().is_some_and(|(id, _)| id == server);
            if there && !handle.holds_tables() && handle.in_unit.load(Ordering::Acquire) {
                handle.signal.raise(Signals::CUT);
                cut += 1;
            }
        }
        cut
    }

    /// Tells the sessions that use a server something: that it is lost, or no longer the primary.
    pub fn tell(&self, server: ServerId, what: Signals) -> usize {
        let mut told = 0;
        for entry in &self.sessions {
            if entry.value().server().is_some_and(|(id, _)| id == server) {
                entry.value().signal.raise(what);
                told += 1;
            }
        }
        told
    }

    /// Tells the sessions that have a transaction open on a server something.
    pub(super) fn tell_transactions(&self, server: ServerId, what: Signals) {
        for entry in &self.sessions {
            let handle = entry.value();
            let there = handle.server().is_some_and(|(id, _)| id == server);
            if there && handle.in_transaction.load(Ordering::Relaxed) {
                handle.signal.raise(what);
            }
        }
    }

    /// How many sessions have a connection on a server.
    #[must_use]
    pub fn on(&self, server: ServerId) -> usize {
        self.sessions.iter().filter(|e| e.value().server().is_some_and(|(id, _)| id == server)).count()
    }

    /// Whether every open unit could surely be done again if it were ended now.
    #[must_use]
    pub fn all_movable(&self) -> bool {
        let movable = |handle: &SessionHandle| {
            !handle.in_unit.load(Ordering::Acquire) || handle.movable.load(Ordering::Acquire)
        };
        self.sessions.iter().all(|entry| movable(entry.value()))
    }

    /// Tells sessions that have a transaction or locked tables on a former primary to follow. Before the gate opens: until they
    /// have, nobody else is let in.
    pub fn follow(&self, former: ServerId, gate: &Arc<Gate>) {
        for entry in &self.sessions {
            let handle = entry.value();
            let there = handle.server().is_some_and(|(id, _)| id == former);
            if there && handle.in_transaction.load(Ordering::Relaxed) {
                *handle.place.lock() = Some(gate.returning());
                handle.signal.raise(Signals::MOVED);
            } else if there && handle.holds_tables() {
                // Its locks are gone with the server's role; nobody need wait for it.
                handle.signal.raise(Signals::MOVED);
            } else if there && handle.pins().for_session().is_empty() {
                // What its last statement has left there can be read as long as that server is there.
                handle.signal.raise(Signals::PART);
            }
        }
    }

    /// All sessions, by id.
    #[must_use]
    pub fn views(&self) -> Vec<SessionView> {
        let mut views: Vec<SessionView> = self.sessions.iter().map(|entry| entry.value().view()).collect();
        views.sort_by_key(|v| v.id);
        views
    }

    /// How many sessions are pinned for each reason.
    #[must_use]
    pub fn pins(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for entry in &self.sessions {
            for pin in entry.value().pins().iter() {
                *counts.entry(pin.name()).or_default() += 1;
            }
        }
        counts
    }
}

/// Somebody is ending a statement of a session.
#[derive(Debug)]
pub struct Killing(Arc<SessionHandle>);

impl Drop for Killing {
    fn drop(&mut self) {
        self.0.kills.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A registered session.
#[derive(Debug)]
pub struct Registered {
    /// Its handle.
    pub handle: Arc<SessionHandle>,
    registry: Arc<SessionRegistry>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.sessions.remove(&self.handle.id);
        self.registry.count.fetch_sub(1, Ordering::Relaxed);
    }
}
