use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::topology::{ServerId, Topology};

use super::choice::{Candidate, choose, is_fit, warmth};
use super::rules::Rules;
use super::why::Why;

/// A server that failed is left alone for this long: by then the monitor has looked at it.
const SUSPECT: Duration = Duration::from_millis(250);
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
    /// Grows each time that it becomes fit again.
    lives: AtomicU64,
    fit_since: AtomicU64,
    suspect_until: AtomicU64,
    behind_until: AtomicU64,
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

/// Who serves reads: what the sessions of all shards know of the replicas together. Atomics only, no lock.
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

    /// Takes in a new topology.
    pub fn observe(&self, before: &Topology, now: &Topology) {
        let fit = |topology: &Topology, id| {
            topology.server(id).is_some_and(|server| is_fit(server, topology, self.options.max_lag))
        };
        for (at, load) in self.loads.iter().enumerate() {
            if fit(now, ServerId(at)) && !fit(before, ServerId(at)) {
                load.lives.fetch_add(1, Ordering::Relaxed);
                load.fit_since.store(self.now(), Ordering::Relaxed);
            }
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
        if now < load.suspect_until.load(Ordering::Relaxed) {
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

    /// How often the server has become fit: what was known of its position holds within one life.
    #[must_use]
    pub fn lives(&self, id: ServerId) -> u64 {
        self.loads.get(id.0).map_or(0, |load| load.lives.load(Ordering::Relaxed))
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
