use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::topology::{GtidSet, ServerId, Topology};

use super::choice::{Candidate, choose, is_fit, warmth};
use super::delay::Delay;
use super::position::Position;
use super::rules::Rules;
use super::why::Why;

/// A server that failed is left alone for this long: by then the monitor has looked at it.
const SUSPECT: Duration = Duration::from_millis(250);
/// The monitor, which is told when a connection is lost, has looked again within this time.
const LOOKED_AT: Duration = Duration::from_secs(5);
/// A replica that was waited for in vain is not waited for again within this time.
const BEHIND: Duration = Duration::from_millis(50);

/// What a read on a replica must have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// What the session has written and what it has seen.
    Session,
    /// Nothing in particular, `max_lag` apart.
    Eventual,
    /// Everything that is committed: reads go to the primary.
    Strong,
}

/// Who serves a read for which no replica is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The primary.
    Primary,
    /// A replica, as soon as there is one.
    Wait,
    /// Nobody: the client gets an error.
    Error,
}

/// What the configuration says of one server.
#[derive(Debug, Clone)]
pub struct Share {
    /// Its share of reads, 1 to 1000; 100 is ordinary.
    pub weight: u32,
    /// It is in the proxy's own zone.
    pub near: bool,
    /// It gets no reads.
    pub maintenance: bool,
}

/// From `[routing]` and `[[server]]`.
#[derive(Debug, Clone)]
pub struct RoutingOptions {
    /// Whether replicas serve reads at all (`routing.reads`).
    pub replicas: bool,
    /// What they must have seen (`routing.consistency`).
    pub consistency: Consistency,
    /// Replicas further behind get no reads (`routing.max_lag`).
    pub max_lag: Duration,
    /// A replica that lacks something is waited for at most this long (`routing.wait`).
    pub wait: Duration,
    /// Who serves a read if no replica can (`routing.fallback`).
    pub fallback: Fallback,
    /// A replica that comes back gets its full share after this time (`routing.slow_start`).
    pub slow_start: Duration,
    /// One for each server, in configured order.
    pub shares: Vec<Share>,
    /// The `[[route]]` tables.
    pub rules: Rules,
}

/// What is known of one server besides the topology.
#[derive(Debug, Default)]
struct Load {
    running: AtomicU32,
    /// Smoothed, microseconds.
    latency: AtomicU32,
    reads: AtomicU64,
    /// Grows each time that it goes or comes, or a connection to it was lost.
    lives: AtomicU64,
    /// When it last did.
    lives_since: AtomicU64,
    /// Idle connections that it has ended, as last heard.
    ended: AtomicU64,
    fit_since: AtomicU64,
    /// Connections to it are being opened ahead of need, so that it gets no reads yet.
    warming: AtomicBool,
    /// What it was seen to have in one of its lives, beyond what the monitor saw.
    proven: ArcSwap<(u64, GtidSet)>,
    suspect_until: AtomicU64,
    behind_until: AtomicU64,
    delay: Delay,
}

/// One server's part in serving reads, for status.
#[derive(Debug, Clone)]
pub struct ReaderView {
    /// Which.
    pub id: ServerId,
    /// Whether it gets reads now.
    pub fit: bool,
    /// Reads of ours that run there.
    pub running: u32,
    /// How long a read takes, microseconds, smoothed.
    pub latency: u32,
    /// Reads that it has served.
    pub reads: u64,
}

/// Who serves reads: what the sessions of all shards know of the replicas together. Atomics alone: no session waits
/// for another.
#[derive(Debug)]
pub struct Desk {
    options: RoutingOptions,
    loads: Vec<Load>,
    hits: [AtomicU64; Why::ALL.len()],
    began: Instant,
}

impl Desk {
    /// For the configured servers.
    #[must_use]
    pub fn new(options: RoutingOptions) -> Self {
        let loads = options.shares.iter().map(|_| Load::default()).collect();
        Self { options, loads, hits: Default::default(), began: Instant::now() }
    }

    /// From the configuration.
    #[must_use]
    pub const fn options(&self) -> &RoutingOptions {
        &self.options
    }

    /// Whether any read may go to a replica.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let some = self.options.replicas || self.options.rules.0.iter().any(|rule| rule.replica);
        some && self.options.consistency != Consistency::Strong
    }

    /// Takes in a new topology. Gives the servers that can serve reads now and could not before: they get none until
    /// [`warmed`](Self::warmed) is called.
    pub fn observe(&self, before: &Topology, now: &Topology) -> Vec<ServerId> {
        let fit = |topology: &Topology, id| {
            topology.server(id).is_some_and(|server| is_fit(server, topology, self.options.max_lag))
        };
        // One that only lags, or whose applier was stopped, has all that it had.
        let state = |topology: &Topology, id| {
            topology.server(id).map(|server| (server.role, server.unanswered.is_some()))
        };
        let mut back = Vec::new();
        for (at, load) in self.loads.iter().enumerate() {
            let id = ServerId(at);
            if state(before, id) != state(now, id) {
                self.begin_life(load);
            }
            if fit(now, id) && !fit(before, id) {
                load.warming.store(true, Ordering::Relaxed);
                back.push(id);
            }
        }
        back
    }

    /// A server that [`observe`](Self::observe) gave may get reads now.
    pub fn warmed(&self, id: ServerId) {
        if let Some(load) = self.loads.get(id.0) {
            load.fit_since.store(self.now(), Ordering::Relaxed);
            load.warming.store(false, Ordering::Relaxed);
        }
    }

    /// A replica for a read. `avoid` has a bit for each server that must not be taken.
    #[must_use]
    pub fn choose(&self, topology: &Topology, avoid: u64, draw: u32) -> Option<ServerId> {
        // Room for the candidates of any usual cluster without a visit to the allocator.
        let mut few = [Candidate { id: ServerId(0), weight: 0, running: 0, latency: 0, near: false }; 16];
        let mut count = 0;
        for at in 0..self.loads.len() {
            if count < few.len()
                && let Some(candidate) = self.candidate(topology, ServerId(at), avoid)
                && let Some(place) = few.get_mut(count)
            {
                *place = candidate;
                count += 1;
            }
        }
        choose(few.get(..count).unwrap_or_default(), draw)
    }

    /// Whether this server can serve a read now.
    #[must_use]
    pub fn may_serve(&self, topology: &Topology, id: ServerId, avoid: u64) -> bool {
        self.candidate(topology, id, avoid).is_some()
    }

    fn candidate(&self, topology: &Topology, id: ServerId, avoid: u64) -> Option<Candidate> {
        let (share, load) = (self.options.shares.get(id.0)?, self.loads.get(id.0)?);
        let avoided = id.0 >= 64 || avoid & (1 << id.0) != 0;
        let server = topology.server(id)?;
        if avoided || share.maintenance || !is_fit(server, topology, self.options.max_lag) {
            return None;
        }
        let now = self.now();
        if now < load.suspect_until.load(Ordering::Relaxed) || load.warming.load(Ordering::Relaxed) {
            return None;
        }
        let since = Duration::from_millis(now.saturating_sub(load.fit_since.load(Ordering::Relaxed)));
        Some(Candidate {
            id,
            weight: (share.weight * warmth(since, self.options.slow_start) / 100).max(1),
            running: load.running.load(Ordering::Relaxed),
            latency: load.latency.load(Ordering::Relaxed),
            near: share.near,
        })
    }

    /// Whether another replica would serve for half the cost or less.
    #[must_use]
    pub fn is_outdone(&self, topology: &Topology, (id, avoid): (ServerId, u64), draw: u32) -> bool {
        let cost = |id| self.candidate(topology, id, avoid).map(|candidate| candidate.cost());
        let other = self.choose(topology, avoid, draw).filter(|other| *other != id).and_then(cost);
        matches!((cost(id), other), (Some(own), Some(other)) if other * 2 <= own)
    }

    /// How often the server has gone or come: what was known of its position holds within one life. `ended` is how many idle
    /// connections it has ended by itself so far: it may have been restarted.
    #[must_use]
    pub fn life(&self, id: ServerId, ended: u64) -> u64 {
        let Some(load) = self.loads.get(id.0) else { return 0 };
        if load.ended.load(Ordering::Relaxed) != ended && load.ended.swap(ended, Ordering::Relaxed) != ended {
            self.begin_life(load);
        }
        load.lives.load(Ordering::Relaxed)
    }

    /// Whether the monitor has surely looked at the server in its present life: what it saw before may be so no more.
    #[must_use]
    pub fn was_looked_at(&self, id: ServerId) -> bool {
        let since = self.loads.get(id.0).map_or(0, |load| load.lives_since.load(Ordering::Relaxed));
        self.now() >= since + LOOKED_AT.as_millis() as u64
    }

    fn begin_life(&self, load: &Load) {
        load.lives_since.store(self.now(), Ordering::Relaxed);
        load.lives.fetch_add(1, Ordering::Relaxed);
    }

    /// A read leaves for a server.
    pub fn begin(&self, id: ServerId) {
        if let Some(load) = self.loads.get(id.0) {
            load.running.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A read is over, after this time if it was served.
    pub fn end(&self, id: ServerId, took: Option<Duration>) {
        let Some(load) = self.loads.get(id.0) else { return };
        load.running.fetch_sub(1, Ordering::Relaxed);
        let Some(took) = took else { return };
        load.reads.fetch_add(1, Ordering::Relaxed);
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).min(10_000_000);
        let before = load.latency.load(Ordering::Relaxed);
        // What another session writes in between is lost, which matters to nobody.
        let smooth = if before == 0 { took } else { before - before / 16 + took / 16 };
        load.latency.store(smooth, Ordering::Relaxed);
    }

    /// Something went wrong on a server.
    pub fn suspect(&self, id: ServerId) {
        self.note_until(id, SUSPECT, |load| &load.suspect_until);
    }

    /// A connection to it was lost: it may be back before the monitor looks, and have less than it had.
    pub fn lost(&self, id: ServerId) {
        if let Some(load) = self.loads.get(id.0) {
            self.begin_life(load);
        }
        self.suspect(id);
    }

    /// In this life of a server all that `needs` names was found there.
    pub fn prove(&self, id: ServerId, life: u64, needs: &mut Position) {
        let Some(load) = self.loads.get(id.0) else { return };
        let (proven, needs) = (load.proven.load(), needs.set());
        // Sets of single commits say little of others' needs, and would pile up: one that has all of the last is kept. If
        // two are proven at once, one of them is: each is true.
        if proven.0 != life || needs.covers(&proven.1) {
            load.proven.store(Arc::new((life, needs.clone())));
        }
    }

    /// Whether that is known to be so.
    #[must_use]
    pub fn has_proven(&self, id: ServerId, life: u64, needs: &mut Position) -> bool {
        let Some(load) = self.loads.get(id.0) else { return false };
        let proven = load.proven.load();
        proven.0 == life && proven.1.covers(needs.set())
    }

    /// A read asked there for a commit this time after its answer, and found it there after `took`.
    pub fn caught_up(&self, id: ServerId, since: Duration, took: Duration) {
        if let Some(load) = self.loads.get(id.0) {
            let latency = Duration::from_micros(load.latency.load(Ordering::Relaxed).into());
            load.delay.note(since, took, latency);
        }
    }

    /// How long a read had better wait before it asks there for a commit, this time after its answer: at most half of the time
    /// that it may wait at all.
    #[must_use]
    pub fn ask_later(&self, id: ServerId, since: Duration) -> Option<Duration> {
        self.loads.get(id.0)?.delay.left(since).map(|left| left.min(self.options.wait / 2))
    }

    /// A server was waited for in vain.
    pub fn behind(&self, id: ServerId) {
        self.note_until(id, BEHIND, |load| &load.behind_until);
    }

    /// Whether it was so just now.
    #[must_use]
    pub fn is_behind(&self, id: ServerId) -> bool {
        let until = self.loads.get(id.0).map_or(0, |load| load.behind_until.load(Ordering::Relaxed));
        self.now() < until
    }

    fn note_until(&self, id: ServerId, time: Duration, place: impl Fn(&Load) -> &AtomicU64) {
        if let Some(load) = self.loads.get(id.0) {
            place(load).store(self.now() + time.as_millis() as u64, Ordering::Relaxed);
        }
    }

    /// Counts a decision.
    pub fn count(&self, why: Why) {
        if let Some(hits) = self.hits.get(why as usize) {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often each reason decided, by name; without those that never did.
    #[must_use]
    pub fn hits(&self) -> Vec<(&'static str, u64)> {
        let all = Why::ALL.iter().zip(&self.hits);
        let named = all.map(|(why, hits)| (why.name(), hits.load(Ordering::Relaxed)));
        named.filter(|(_, hits)| *hits > 0).collect()
    }

    /// All servers as they serve reads.
    #[must_use]
    pub fn readers(&self, topology: &Topology) -> Vec<ReaderView> {
        let view = |(at, load): (usize, &Load)| ReaderView {
            id: ServerId(at),
            fit: self.may_serve(topology, ServerId(at), 0),
            running: load.running.load(Ordering::Relaxed),
            latency: load.latency.load(Ordering::Relaxed),
            reads: load.reads.load(Ordering::Relaxed),
        };
        self.loads.iter().enumerate().map(view).collect()
    }

    /// Milliseconds since the start, never 0.
    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{ClusterState, Replication, Role, Server};

    const REPLICA: ServerId = ServerId(1);

    fn desk() -> Desk {
        let share = Share { weight: 100, near: false, maintenance: false };
        Desk::new(RoutingOptions {
            replicas: true,
            consistency: Consistency::Session,
            max_lag: Duration::from_secs(10),
            wait: Duration::from_millis(10),
            fallback: Fallback::Primary,
            slow_start: Duration::ZERO,
            shares: vec![share.clone(), share],
            rules: Rules::default(),
        })
    }

    fn topology(role: Role, applying: bool) -> Topology {
        let mut topology = Topology::unseen(&["a:1".into(), "b:1".into()]);
        topology.state = ClusterState::Ok { primary: ServerId(0) };
        let replication = Replication {
            source_host: "a".to_owned(),
            source_port: 1,
            source_number: 1,
            receiving: true,
            receiver_stopped: false,
            applying,
            lag: Some(Duration::ZERO),
            error: String::new(),
            received: String::new(),
        };
        let base = topology.servers[1].clone();
        topology.servers[1] = Server { role, problem: String::new(), replication: Some(replication), ..base };
        topology
    }

    #[test]
    fn one_that_comes_back_serves_when_it_is_warm_and_begins_another_life() {
        let desk = desk();
        let [down, up, stopped] =
            [(Role::Down, false), (Role::Replica, true), (Role::Replica, false)].map(|(r, a)| topology(r, a));
        assert!(!desk.may_serve(&down, REPLICA, 0));
        assert_eq!(desk.observe(&down, &up), [REPLICA]);
        assert!(!desk.may_serve(&up, REPLICA, 0), "it is being warmed");
        desk.warmed(REPLICA);
        assert!(desk.may_serve(&up, REPLICA, 0));
        let life = desk.life(REPLICA, 0);
        assert!(desk.observe(&up, &stopped).is_empty() && !desk.may_serve(&stopped, REPLICA, 0));
        assert_eq!(desk.observe(&stopped, &up), [REPLICA]);
        assert_eq!(desk.life(REPLICA, 0), life, "it has what it had");
        assert!(desk.observe(&up, &down).is_empty());
        assert!(desk.life(REPLICA, 0) > life, "nobody knows with what it comes back");
        let life = desk.life(REPLICA, 0);
        desk.lost(REPLICA);
        assert!(desk.life(REPLICA, 0) > life, "it may have been restarted already");
        let life = desk.life(REPLICA, 0);
        assert!(desk.life(REPLICA, 2) > life && desk.life(REPLICA, 2) == desk.life(REPLICA, 2));
        assert!(!desk.was_looked_at(REPLICA));
    }

    #[test]
    fn what_one_session_finds_there_serves_others() {
        let desk = desk();
        let (mut late, mut early, mut single) =
            (Position::default(), Position::default(), Position::default());
        late.committed(b"0-1-9");
        early.committed(b"0-1-7");
        assert!(!desk.has_proven(REPLICA, 3, &mut early));
        desk.prove(REPLICA, 3, &mut late);
        desk.prove(REPLICA, 3, &mut early);
        assert!(desk.has_proven(REPLICA, 3, &mut early) && desk.has_proven(REPLICA, 3, &mut late));
        assert!(!desk.has_proven(REPLICA, 4, &mut early), "in another life");
        single.committed(b"5-1-1");
        assert!(!desk.has_proven(REPLICA, 3, &mut single));
    }
}
