//! Failover of our own (`failover.mode = "auto"`): watches over the primary, promotes a replica once it is certainly gone
//! (the rule is in `evidence`), and takes the old one back when it returns (`returner`).

mod ask;
mod candidate;
mod evidence;
mod promotion;
mod receiver;
mod returner;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use crate::backend::{Control, ControlError, Target};
use crate::flight::Cause;
use crate::gate::Reasons;
use crate::topology::{Server, ServerId, Topology, Unanswered};

use super::coordinator::Coordinator;
use super::options::CoordinatorParts;
use evidence::{Evidence, Finding, Rules, Testimony};
use promotion::{Promotion, Stopped};

/// Time for one short control statement.
const STATEMENT: Duration = Duration::from_secs(3);
/// Between judgements while there is no primary, if nothing new is published.
const TICK: Duration = Duration::from_millis(50);
/// Between judgements while there is one.
const CALM: Duration = Duration::from_secs(1);
/// A replica that reached the primary is asked again after so long.
const REACHED: Duration = Duration::from_secs(2);
/// One that did not, after so long, if it seems connected again.
const NOT_REACHED: Duration = Duration::from_secs(10);
/// Before the first failed promotion is tried again; doubled each time up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
/// Between tries at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Between tries to take one server back.
const AGAIN: Duration = Duration::from_secs(2);

/// From `[failover]`.
#[derive(Debug, Clone)]
pub struct FailoverOptions {
    /// `failover.detect`.
    pub detect: Duration,
    /// `failover.confirm`.
    pub confirm: Duration,
    /// `failover.stall`; zero for never.
    pub stall: Duration,
    /// `failover.witnesses`; 0 for a majority.
    pub witnesses: usize,
    /// `failover.apply_timeout`: the chosen replica may take this long to apply what it has received.
    pub apply_timeout: Duration,
    /// A replica that is asked to connect anew is waited for this long (`monitor.timeout`).
    pub ask: Duration,
}

/// Why there is no failover although there is no primary, for `status`. Empty if nothing is to be said.
#[derive(Debug, Clone, Default)]
pub struct FailoverNote(Arc<Mutex<String>>);

impl FailoverNote {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().clone()
    }

    fn set(&self, text: &str) {
        let mut note = self.0.lock();
        if *note != text {
            text.clone_into(&mut note);
        }
    }
}

/// Told of each end: `done`, `failed` or `stuck`.
pub type Count = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Watches, promotes, takes back.
pub struct Failover {
    parts: CoordinatorParts,
    options: FailoverOptions,
    coordinator: Arc<Coordinator>,
    count: Count,
    note: FailoverNote,
    watch: Watch,
}

/// What is remembered from one judgement to the next.
#[derive(Debug, Default)]
struct Watch {
    /// The primary, or the last one while there is none.
    primary: Option<ServerId>,
    /// When that one was last seen.
    seen: Option<Instant>,
    /// Since when looks at it fail.
    failing: Option<Instant>,
    /// What replicas said when they were asked, and when.
    asked: HashMap<ServerId, (bool, Instant)>,
    /// The server that we promoted last, and the `server_id` of the one before it.
    promoted: Option<(ServerId, u32)>,
    /// Promotions that failed in a row, and when to try again.
    failures: u32,
    not_before: Option<Instant>,
    /// Servers that were tried to be taken back, and when.
    tried: HashMap<ServerId, Instant>,
    /// What was said last, so that it is said once.
    said: String,
}

impl Watch {
    /// There is a primary.
    fn sees(&mut self, primary: ServerId, by_command: bool) {
        self.primary = Some(primary);
        self.asked.clear();
        (self.failures, self.not_before) = (0, None);
        // Somebody else has made another server primary since: who is to follow whom is theirs to say, also when ours is
        // the primary again. A switchover of ours leaves it to us.
        let stays = |promoted| promoted == primary || by_command;
        self.promoted = self.promoted.filter(|(p, _)| stays(*p)).map(|(_, replaced)| (primary, replaced));
    }
}

impl std::fmt::Debug for Failover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Failover").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Failover {
    /// Watches nothing yet.
    #[must_use]
    pub fn new(
        parts: CoordinatorParts,
        options: FailoverOptions,
        coordinator: Arc<Coordinator>,
        (count, note): (Count, FailoverNote),
    ) -> Self {
        Self { parts, options, coordinator, count, note, watch: Watch::default() }
    }

    /// Watches until it is cancelled.
    pub async fn run(mut self) {
        loop {
            let topology = self.parts.monitor.store().load();
            self.note(&topology);
            let pause = match (topology.primary(), self.watch.primary) {
                (Some(_), _) => {
                    self.take_back(&topology).await;
                    CALM
                }
                (None, Some(lost)) => {
                    self.attend(&topology, lost).await;
                    TICK
                }
                // Who was the primary is not known: nobody is promoted by guess.
                (None, None) => CALM,
            };
            let _ = timeout(pause, self.parts.monitor.store().newer_than(topology.version)).await;
        }
    }

    fn note(&mut self, topology: &Topology) {
        let watch = &mut self.watch;
        if let Some(primary) = topology.primary() {
            watch.sees(primary.id, self.parts.commanded.is(primary.id));
            self.note.set("");
        }
        let seen = watch.primary.and_then(|id| topology.server(id)).is_some_and(|s| s.unanswered.is_none());
        if seen || watch.seen.is_none() {
            watch.seen = Some(Instant::now());
            watch.failing = None;
        } else if watch.failing.is_none() {
            watch.failing = Some(Instant::now());
        }
    }

    /// There is no primary: is it gone, and whom is to be asked?
    async fn attend(&mut self, topology: &Topology, lost: ServerId) {
        let evidence = self.evidence(topology, lost);
        match evidence::judge(&self.rules(), &evidence) {
            Finding::Gone => self.fail_over(topology, lost).await,
            Finding::Ask(replicas) => {
                let answers = join_all(replicas.iter().map(|id| self.ask(*id))).await;
                for (id, reached) in replicas.into_iter().zip(answers) {
                    let Some(server) = topology.server(id) else { continue };
                    tracing::info!(replica = %server.address, ?reached, "asked whether it reaches the primary");
                    if let Some(reached) = reached {
                        self.watch.asked.insert(id, (reached, Instant::now()));
                    }
                }
            }
            Finding::Lives(why) => {
                self.note.set(&why);
                self.say(format!("no failover: {why}"));
            }
            // What changes by the millisecond is not worth a line.
            Finding::Wait(why) => self.note.set(&why),
        }
    }

    fn rules(&self) -> Rules {
        let FailoverOptions { detect, confirm, stall, witnesses, .. } = self.options;
        Rules { detect, confirm, stall, witnesses }
    }

    fn evidence(&self, topology: &Topology, lost: ServerId) -> Evidence {
        let primary = topology.server(lost);
        let number = primary.map(|p| p.number).unwrap_or_default();
        let mut others: Vec<_> = topology.servers.iter().filter(|s| s.id != lost).collect();
        // Where somebody has stopped the applier, a question starts it: such a replica is asked if another did not get through.
        others.sort_by_key(|s| s.replication.as_ref().is_some_and(|r| !r.applying));
        let unanswered = primary.and_then(|p| p.unanswered);
        // A look that is not answered takes time by itself, and counts from before it; a refusal counts from itself on.
        let since = match unanswered {
            Some(Unanswered::Silent | Unanswered::Stuck) => self.watch.seen,
            _ => self.watch.failing,
        };
        Evidence {
            unanswered,
            down: primary.is_some_and(|p| !p.is_up()),
            unseen: since.map(|at| at.elapsed()).unwrap_or_default(),
            others: others.iter().map(|s| (s.id, self.testimony(s, number))).collect(),
        }
    }

    fn testimony(&self, server: &Server, lost: u32) -> Testimony {
        if !server.is_open() {
            return Testimony::Absent;
        }
        if let Some((reached, at)) = self.watch.asked.get(&server.id)
            && at.elapsed() < if *reached { REACHED } else { NOT_REACHED }
        {
            return Testimony::Asked(*reached);
        }
        match &server.replication {
            Some(r) if r.source_number != lost && r.source_number != 0 => Testimony::Ignorant,
            // Connecting: it has noticed by itself.
            Some(r) if !r.receiving && !r.receiver_stopped => Testimony::Lost,
            // To be asked, it would have to forget what it has received.
            Some(r) if !receiver::can_be_ready(server.flavor, r) => Testimony::Ignorant,
            Some(r) if r.receiving => Testimony::Connected,
            // Given up after too many tries: it tells when it is made to try again.
            Some(r) if !r.error.is_empty() => Testimony::Connected,
            Some(_) | None => Testimony::Ignorant,
        }
    }

    async fn ask(&self, id: ServerId) -> Option<bool> {
        let mut control = connect(&self.parts, id, STATEMENT).await.ok()?;
        ask::reaches_source(&mut control, self.options.ask).await
    }

    /// The primary is gone: promotes, unless somebody else is at it.
    async fn fail_over(&mut self, topology: &Topology, lost: ServerId) {
        if self.watch.not_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        if self.parts.gate.reasons().contains(Reasons::HOLD) {
            self.say("no failover: somebody holds traffic (tideover hold)".to_owned());
            return;
        }
        let coordinator = self.coordinator.clone();
        let Some(_one) = coordinator.exclusive() else { return };
        let Some(old) = topology.server(lost) else { return };
        tracing::warn!(primary = %old.address, "the primary is gone: failing over");
        let flight = self.parts.flights.begin(Cause::Failover, &old.address);
        self.parts.gate.close(Reasons::SWITCHOVER);
        let promotion =
            Promotion { parts: &self.parts, apply_timeout: self.options.apply_timeout, old, flight };
        let result = promotion.run(topology).await;
        self.parts.gate.open(Reasons::SWITCHOVER);
        self.parts.flights.release(flight);
        match result {
            Ok(new) => {
                self.watch.promoted = Some((new, old.number));
                self.parts.commanded.note(None);
                self.finish(flight, ("done", &self.address(new)), None);
                self.watch.tried.clear();
            }
            Err(Stopped::Before(why)) => {
                self.watch.failures += 1;
                let pause = PAUSE.saturating_mul(1 << self.watch.failures.min(8)).min(LONGEST_PAUSE);
                self.watch.not_before = Some(Instant::now() + pause);
                self.finish(flight, ("failed", ""), Some(&why));
            }
            Err(Stopped::Amid(why)) => {
                self.watch.not_before = Some(Instant::now() + LONGEST_PAUSE);
                self.finish(flight, ("stuck", ""), Some(&why));
            }
        }
    }

    fn finish(&self, flight: crate::flight::FlightId, (result, to): (&'static str, &str), why: Option<&str>) {
        self.note.set(why.unwrap_or_default());
        if let Some(why) = why {
            self.parts.flights.step(flight, result, why, None);
            tracing::error!(result, "failover: {why}");
        } else {
            tracing::warn!(primary = to, "failover done");
        }
        self.parts.flights.end(flight, result, to);
        (self.count)(result);
    }

    /// After a failover of ours: servers that come back, and replicas that still follow the lost primary.
    async fn take_back(&mut self, topology: &Topology) {
        let Some((promoted, replaced)) = self.watch.promoted else { return };
        let Some(primary) = topology.primary().filter(|p| p.id == promoted) else { return };
        for server in &topology.servers {
            let judged = returner::judge(server, primary, replaced);
            let lately = self.watch.tried.get(&server.id).is_some_and(|at| at.elapsed() < AGAIN);
            if judged == returner::Return::Leave || lately {
                continue;
            }
            let coordinator = self.coordinator.clone();
            let Some(_one) = coordinator.exclusive() else { return };
            let options = coordinator.options();
            self.watch.tried.insert(server.id, Instant::now());
            // A person, or somebody's script, may be at it this very moment.
            let now = self.parts.monitor.look(&[server.id]).await;
            let still = now.server(server.id).zip(now.primary());
            if still.is_none_or(|(server, primary)| returner::judge(server, primary, replaced) != judged) {
                continue;
            }
            match promotion::take_back(&self.parts, &options, (server, primary), &judged).await {
                Ok(done) => {
                    tracing::info!(server = %server.address, "{done}");
                    if judged == returner::Return::Fence {
                        // What comes next need not wait.
                        self.watch.tried.remove(&server.id);
                    }
                }
                Err(why) => self.say(format!("{}: {why}", server.address)),
            }
            self.parts.monitor.look(&[server.id]).await;
        }
    }

    fn address(&self, id: ServerId) -> String {
        let topology = self.parts.monitor.store().load();
        topology.server(id).map(|s| s.address.to_string()).unwrap_or_default()
    }

    /// Once, until something else is to be said.
    fn say(&mut self, text: String) {
        if self.watch.said != text {
            tracing::warn!("{text}");
            self.watch.said = text;
        }
    }
}

/// A control connection of our own.
async fn connect(parts: &CoordinatorParts, id: ServerId, within: Duration) -> Result<Control, ControlError> {
    let target = parts.pools.target(id).cloned().unwrap_or_else(|| Target { address: "?".into() });
    Control::connect(parts.pools.connector(), &target, &parts.account, within).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_promoted_is_forgotten_when_somebody_else_has_promoted() {
        let (ours, theirs, commanded) = (ServerId(0), ServerId(1), ServerId(2));
        let mut watch = Watch { promoted: Some((ours, 7)), ..Watch::default() };
        watch.sees(ours, false);
        assert_eq!(watch.promoted, Some((ours, 7)));
        watch.sees(commanded, true);
        assert_eq!(watch.promoted, Some((commanded, 7)));
        watch.sees(theirs, false);
        watch.sees(ours, false);
        watch.sees(commanded, true);
        assert_eq!((watch.promoted, watch.primary), (None, Some(commanded)));
    }
}
