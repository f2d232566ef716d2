//! The guard's handle: finds the server to ask, asks until it can tell or time is up, and knows which servers can be asked
//! at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::backend::{Account, Connector, Pools, Target};
use crate::sql::program::Name;
use crate::topology::{Flavor, Server, ServerId, Topology, TopologyStore};

use super::case::{Case, Settlement};
use super::desk::{Desk, Link, Question, Reply};
use super::gone::{self, Lost, Present};
use super::inspect::inspect;
use super::looks::Looks;
use super::markers::Markers;
use super::mode::GuardMode;
use super::programs::{self, Identity, Programs};
use super::readiness::{Obstacle, obstacles};

/// Before asking again after a failure.
const PAUSE: Duration = Duration::from_millis(10);
/// Before a server that would not log texts is asked again to do so.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// For one query of an inspection.
const QUERY: Duration = Duration::from_secs(2);

/// What the guard works with, handed in by `app`.
#[derive(Debug)]
pub struct GuardParts {
    /// `guard.mode`.
    pub mode: GuardMode,
    /// Who is the primary, and where the logs ended.
    pub store: Arc<TopologyStore>,
    /// Connections that must be replaced when a server's logging changes.
    pub pools: Arc<Pools>,
    /// The login machinery.
    pub connector: Connector,
    /// The servers.
    pub targets: Vec<Target>,
    /// Who reads the logs: needs REPLICATION SLAVE, and what the monitor needs.
    pub account: Arc<Account>,
}

/// The guard.
#[derive(Debug)]
pub struct Guard {
    mode: GuardMode,
    store: Arc<TopologyStore>,
    pools: Arc<Pools>,
    desks: Vec<Arc<Desk>>,
    readiness: Mutex<Vec<Vec<Obstacle>>>,
    /// Something keeps tags from proving outcomes on a server, which does not keep markers from it.
    tags_fail: AtomicBool,
    markers: Markers,
    programs: Programs,
    /// One reads at a time: whoever waits finds what it wants to know.
    reading: tokio::sync::Mutex<()>,
    /// For each server, for all who had something under way there when it stood still.
    looks: Vec<Looks<Present>>,
}

impl Guard {
    /// A guard that has looked at nothing yet.
    #[must_use]
    pub fn new(parts: GuardParts) -> Arc<Self> {
        let GuardParts { mode, store, pools, connector, targets, account } = parts;
        let readiness = targets.iter().map(|_| vec![Obstacle::NotInspected("not looked at yet".to_owned())]);
        let readiness = Mutex::new(readiness.collect());
        let tags_fail = AtomicBool::new(false);
        let looks = targets.iter().map(|_| Looks::default()).collect();
        let desks = targets.into_iter().enumerate().map(|(at, target)| {
            let link = Link { connector: connector.clone(), target, account: account.clone() };
            Desk::new(ServerId(at), link)
        });
        Arc::new(Self {
            mode,
            store,
            pools,
            desks: desks.collect(),
            readiness,
            tags_fail,
            markers: Markers::default(),
            programs: Programs::default(),
            reading: tokio::sync::Mutex::default(),
            looks,
        })
    }

    /// `guard.mode`.
    #[must_use]
    pub fn mode(&self) -> GuardMode {
        self.mode
    }

    /// What stands in the way of proving outcomes, server by server: `host:port: reason`. Servers that are down are left out.
    #[must_use]
    pub fn why_not(&self) -> Vec<String> {
        match self.mode {
            GuardMode::Off => return vec!["guard.mode = \"off\"".to_owned()],
            GuardMode::Marker => return self.why_no_marker(),
            GuardMode::Auto | GuardMode::Tag => {}
        }
        let topology = self.store.load();
        let readiness = self.readiness.lock();
        let of = |server: &Server| {
            let obstacles = readiness.get(server.id.0).map(Vec::as_slice).unwrap_or_default();
            let address = server.address.clone();
            obstacles.iter().map(move |obstacle| format!("{address}: {obstacle}")).collect::<Vec<_>>()
        };
        topology.servers.iter().filter(|server| server.is_up()).flat_map(of).collect()
    }

    /// What stands in the way of the commit marker: `host:port: reason`. Servers that are down are left out.
    #[must_use]
    pub fn why_no_marker(&self) -> Vec<String> {
        if !self.mode.marks() {
            return vec![format!("guard.mode = \"{}\"", self.mode.name())];
        }
        let topology = self.store.load();
        let up = topology.servers.iter().filter(|server| server.is_up());
        let mut found: Vec<String> = up
            .filter_map(|s| self.markers.problem(s.id).map(|why| format!("{}: {why}", s.address)))
            .collect();
        let refusals = self.markers.refusals();
        found.extend(refusals.iter().filter_map(|(id, user, why)| {
            let server = topology.server(*id)?;
            Some(format!("{}: account {user}: {why}", server.address))
        }));
        found
    }

    /// Whether a unit of an account is to leave a mark before it commits; `blind`: its tags prove nothing.
    #[must_use]
    pub fn wants_mark(&self, blind: bool, (server, user): (ServerId, &str)) -> bool {
        let wanted = match self.mode {
            GuardMode::Auto => blind || self.tags_fail.load(Ordering::Relaxed),
            GuardMode::Marker => true,
            GuardMode::Tag | GuardMode::Off => false,
        };
        wanted && self.markers.is_usable(server, user, Instant::now())
    }

    /// A server refused a mark to an account: it is left alone for a while.
    pub fn mark_refused(&self, (server, user): (ServerId, &str), (code, why): (u16, &str)) {
        tracing::warn!(user, code, why, "the commit marker was refused: such units are not guarded");
        self.markers.refused((server, user), (code, why.to_owned()), Instant::now());
    }

    /// Whether a CALL of a procedure may be put between BEGIN and COMMIT; `anew`: whatever is known of it is read again. The
    /// inner error says why not.
    ///
    /// # Errors
    /// The server could not be asked.
    pub async fn program(
        &self,
        server: ServerId,
        name: &Name,
        anew: bool,
    ) -> Result<Result<Identity, String>, String> {
        let known = || self.programs.known(server, name, Instant::now());
        if !anew && let Some(verdict) = known() {
            return Ok(verdict);
        }
        let _one = self.reading.lock().await;
        if !anew && let Some(verdict) = known() {
            return Ok(verdict);
        }
        let desk = self.desks.get(server.0).ok_or_else(|| "no such server".to_owned())?;
        let mut control = desk.link.control(Instant::now() + QUERY).await?;
        let verdict = programs::read(&mut control, name, QUERY).await.map_err(|e| e.to_string())?;
        if let Err(why) = &verdict {
            tracing::debug!(?name, why, "a procedure cannot leave a mark");
        }
        self.programs.learn((server, name.clone()), verdict.clone(), Instant::now());
        Ok(verdict)
    }

    /// Whether a procedure, and all that it calls, certainly ends no transaction. `false` also where that cannot be read.
    pub async fn keeps_transaction(&self, server: ServerId, name: &Name) -> bool {
        let known = || self.programs.keeps(server, name, Instant::now());
        if let Some(keeps) = known() {
            return keeps;
        }
        let _one = self.reading.lock().await;
        if let Some(keeps) = known() {
            return keeps;
        }
        let Some(desk) = self.desks.get(server.0) else { return false };
        let Ok(mut control) = desk.link.control(Instant::now() + QUERY).await else { return false };
        let Ok(keeps) = programs::read_keeps(&mut control, name, QUERY).await else { return false };
        self.programs.learn_keeps((server, name.clone()), keeps, Instant::now());
        keeps
    }

    /// Whether a server that counted as lost and answers again still runs what was sent to it on a connection, of this id there
    /// and opened then. `None`: it does not say.
    pub async fn still_runs(&self, server: ServerId, (thread, opened): (u32, Instant)) -> Option<bool> {
        let (desk, looks) = (self.desks.get(server.0)?, self.looks.get(server.0)?);
        let look = async {
            let mut control = desk.link.control(Instant::now() + QUERY).await.ok()?;
            gone::look(&mut control, QUERY).await.ok()
        };
        let lost = Lost { thread, opened, patience: Instant::now() };
        looks.tell(look, |present| present.runs(&lost)).await
    }

    /// Looks at every server that is up, all at once.
    pub async fn inspect_all(self: &Arc<Self>) {
        let topology = self.store.load();
        let mut looking = tokio::task::JoinSet::new();
        for server in topology.servers.iter().filter(|server| server.is_open()) {
            let (guard, id) = (self.clone(), server.id);
            looking.spawn(async move { guard.inspect(id).await });
        }
        looking.join_all().await;
    }

    async fn inspect(&self, id: ServerId) {
        let Some(desk) = self.desks.get(id.0) else { return };
        let looked = match desk.link.control(Instant::now() + QUERY).await {
            Ok(control) => inspect(control, self.mode.tags(), QUERY).await.map_err(|e| e.to_string()),
            Err(why) => Err(why),
        };
        let found = match looked {
            Ok((facts, switched)) => {
                if switched {
                    // Connections opened before log no texts.
                    self.pools.retire(id);
                }
                self.markers.looked(id, facts.marker.clone());
                obstacles(&facts)
            }
            Err(why) => vec![Obstacle::NotInspected(why)],
        };
        let mut readiness = self.readiness.lock();
        if let Some(slot) = readiness.get_mut(id.0)
            && *slot != found
        {
            for obstacle in found.iter().filter(|_| self.mode.tags()) {
                tracing::warn!(server = %desk.link.target.address, "units in doubt cannot be settled there: {obstacle}");
            }
            *slot = found;
        }
        let fails = readiness.iter().flatten().any(Obstacle::is_the_tags_alone);
        self.tags_fail.store(fails, Ordering::Relaxed);
    }

    /// Looks again at servers that come back, and at those that have stopped to log texts. Never ends.
    pub async fn watch(self: Arc<Self>) {
        let mut before = self.store.load();
        let mut tried: Vec<Option<Instant>> = self.desks.iter().map(|_| None).collect();
        loop {
            let now = match timeout(TRY_AGAIN, self.store.newer_than(before.version)).await {
                Ok(now) => now,
                Err(_) => before.clone(),
            };
            for server in now.servers.iter().filter(|server| server.is_open()) {
                let Some(tried) = tried.get_mut(server.id.0) else { continue };
                let is_back = before.server(server.id).is_none_or(|was| !was.is_open());
                let again =
                    self.needs_another_look(server) && tried.is_none_or(|at| at.elapsed() >= TRY_AGAIN);
                if is_back || again {
                    *tried = Some(Instant::now());
                    self.inspect(server.id).await;
                }
            }
            before = now;
        }
    }

    fn needs_another_look(&self, server: &Server) -> bool {
        let readiness = self.readiness.lock();
        let known = readiness.get(server.id.0).map(Vec::as_slice).unwrap_or_default();
        let silent = self.mode.tags() && server.flavor == Flavor::MySql && !server.logs_statements;
        let unmarked = self.mode.marks() && self.markers.problem(server.id).is_some();
        silent
            || unmarked
            || known.iter().any(|o| matches!(o, Obstacle::NotInspected(_) | Obstacle::Unreadable(_)))
    }

    /// Finds out what became of a unit, by `deadline` at the latest. Cancel-safe: what runs for it goes on or is dropped.
    pub async fn settle(&self, case: Case, deadline: Instant) -> Settlement {
        if self.mode == GuardMode::Off {
            return Settlement::CannotTell("the guard is off (guard.mode)".to_owned());
        }
        if case.mark.is_none() && !self.mode.tags() {
            return Settlement::CannotTell("the unit has left no mark".to_owned());
        }
        let case = Arc::new(case);
        let began = Instant::now();
        let patience = began + deadline.saturating_duration_since(began) / 2;
        let mut why = "there is no primary".to_owned();
        let mut tries = 0;
        while Instant::now() < deadline {
            let topology = self.store.load();
            let Some(primary) = topology.primary() else {
                let _ = timeout_at(deadline, self.store.newer_than(topology.version)).await;
                continue;
            };
            match self.ask(&case, primary, (patience, deadline)).await {
                Reply::Settled(settlement) if self.is_still(primary, &topology) => {
                    return self.doubt(settlement, &case, primary.id);
                }
                Reply::Settled(_) => {}
                Reply::Later(reason) => why = reason,
            }
            // The topology may be about to change.
            let pause = PAUSE * 2_u32.pow(tries.min(3));
            tries += 1;
            let _ = timeout(pause, self.store.newer_than(topology.version)).await;
            sleep(PAUSE / 5).await;
        }
        Settlement::CannotTell(why)
    }

    async fn ask(
        &self,
        case: &Arc<Case>,
        primary: &Server,
        (patience, deadline): (Instant, Instant),
    ) -> Reply {
        let Some(desk) = self.desks.get(primary.id.0) else { return Reply::Later(String::new()) };
        let patience = (primary.id == case.server).then_some(patience);
        let answer = desk.ask(Question { case: case.clone(), patience, asked: Instant::now(), deadline });
        match timeout_at(deadline, answer).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Reply::Later("the lost connection could not be ended".to_owned()),
            Err(_) => Reply::Later(
                "the lost connection could not be ended, or the log not be read, in time".to_owned(),
            ),
        }
    }

    /// Whether what `primary` said still counts.
    fn is_still(&self, primary: &Server, topology: &Topology) -> bool {
        let now = self.store.peek();
        now.epoch == topology.epoch && now.primary().is_some_and(|p| p.id == primary.id)
    }

    /// Absence proves nothing where the unit could be missing without a sign.
    fn doubt(&self, settlement: Settlement, case: &Case, reader: ServerId) -> Settlement {
        if settlement != Settlement::NotCommitted {
            return settlement;
        }
        let readiness = self.readiness.lock();
        if case.mark.is_some() {
            // The table may be left out of a filtered replication.
            let filtered = |id: ServerId| readiness.get(id.0).is_some_and(|o| o.contains(&Obstacle::Filters));
            let hidden = reader != case.server && (filtered(reader) || filtered(case.server));
            return if hidden { Settlement::CannotTell(Obstacle::Filters.to_string()) } else { settlement };
        }
        let hiding = |id: ServerId, only_own: bool| {
            let obstacles = readiness.get(id.0).map(Vec::as_slice).unwrap_or_default();
            let counts = |o: &&Obstacle| o.hides() && !(only_own && **o == Obstacle::NoReplicaUpdates);
            obstacles.iter().find(counts).map(ToString::to_string)
        };
        let why = hiding(case.server, true)
            .or_else(|| if reader == case.server { None } else { hiding(reader, false) });
        why.map_or(settlement, Settlement::CannotTell)
    }
}
