//! Promotes the most advanced replica of a primary that is gone, and takes servers back afterwards.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::backend::Control;
use crate::flight::FlightId;
use crate::gate::Reasons;
use crate::topology::{Flavor, GtidSet, Server, ServerId, Topology, Unanswered};

use super::super::fence::fence;
use super::super::options::{CoordinatorParts, SwitchoverOptions};
use super::super::preflight::by_gtid;
use super::super::repoint::{forget, repoint, source_of};
use super::super::statements;
use super::candidate::{Candidate, choose};
use super::returner::Return;
use super::{STATEMENT, connect, receiver};

/// A primary that is gone gets this long to prove the opposite before its successor becomes writable.
const LAST_CHANCE: Duration = Duration::from_millis(300);
/// Held by whoever promotes, on every replica: two proxies must not promote two servers.
const LOCK: &str = "SELECT GET_LOCK('tideover.failover', 0)";

/// Why a promotion stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Nothing was promoted; the replicas receive again.
    Before(String),
    /// A server may be writable without being the primary: a person must look.
    Amid(String),
}

/// One promotion.
pub(super) struct Promotion<'a> {
    pub(super) parts: &'a CoordinatorParts,
    pub(super) apply_timeout: Duration,
    pub(super) old: &'a Server,
    pub(super) flight: FlightId,
}

/// A replica with our connection to it.
struct Reached {
    id: ServerId,
    control: Control,
}

impl Promotion<'_> {
    /// Runs it to its end; gives the new primary.
    pub(super) async fn run(&self, topology: &Topology) -> Result<ServerId, Stopped> {
        let mut replicas = Vec::new();
        let result = self.prepare(topology, &mut replicas).await;
        let new = match result {
            Ok(new) => new,
            Err(why) => {
                self.receive_again(&mut replicas).await;
                return Err(Stopped::Before(why));
            }
        };
        let Some(chosen) = replicas.iter_mut().find(|r| r.id == new) else {
            return Err(Stopped::Before("the chosen replica is not connected".to_owned()));
        };
        if let Err(stopped) = self.promote(new, &mut chosen.control).await {
            if matches!(stopped, Stopped::Before(_)) {
                self.receive_again(&mut replicas).await;
            }
            return Err(stopped);
        }
        self.publish(new).await?;
        self.parts.gate.open(Reasons::SWITCHOVER);
        self.parts.flights.release(self.flight);
        let begun = Instant::now();
        if let Err(why) = forget(&mut chosen.control).await {
            tracing::warn!("the new primary has not forgotten its source: {why}");
        }
        self.step("forget", "", begun);
        // Dropping the connections gives the locks back. The others follow by `take_back`.
        Ok(new)
    }

    /// Everything before the promotion itself: locks, receivers stopped, one chosen, all applied.
    async fn prepare(&self, topology: &Topology, replicas: &mut Vec<Reached>) -> Result<ServerId, String> {
        let begun = Instant::now();
        let mut up: Vec<&Server> =
            topology.servers.iter().filter(|s| s.id != self.old.id && s.is_open()).collect();
        up.sort_by_key(|s| s.number);
        for server in up {
            let control = match connect(self.parts, server.id, STATEMENT).await {
                Ok(control) => control,
                Err(error) => {
                    replicas.clear();
                    return Err(error.to_string());
                }
            };
            replicas.push(Reached { id: server.id, control });
        }
        for at in 0..replicas.len() {
            let Some(replica) = replicas.get_mut(at) else { break };
            let locked = replica.control.query(LOCK, STATEMENT).await;
            let locked = locked.map(|rows| rows.scalar()).unwrap_or_default();
            if locked.as_deref() != Some("1") {
                // Nothing is to be started again: the replicas are in somebody else's hands.
                replicas.clear();
                return Err("the lock of a replica cannot be had: another proxy is failing over".to_owned());
            }
        }
        self.quieten(replicas).await?;
        self.step("stop_receivers", &format!("{} replicas", replicas.len()), begun);

        let begun = Instant::now();
        let ids: Vec<ServerId> = replicas.iter().map(|r| r.id).collect();
        let now = self.parts.monitor.look(&ids).await;
        let mut candidates = Vec::new();
        for replica in replicas.iter_mut() {
            let Some(server) = now.server(replica.id) else { continue };
            candidates.push(self.candidate(server, &mut replica.control).await);
        }
        let chosen = choose(&candidates)?;
        self.step("choose", &format!("{} has {}", chosen.address, chosen.has), begun);

        let begun = Instant::now();
        let Some(reached) = replicas.iter_mut().find(|r| r.id == chosen.id) else {
            return Err("the chosen replica is not connected".to_owned());
        };
        let received = now.server(chosen.id).and_then(|s| s.replication.as_ref());
        let received = received.map(|r| r.received.clone()).unwrap_or_default();
        let applied = self.apply(&mut reached.control, &received);
        let (applied, back) = tokio::join!(applied, self.answers());
        if back {
            return Err(format!("{} answers again", self.old.address));
        }
        applied?;
        self.step("apply", "all that was received", begun);
        Ok(chosen.id)
    }

    /// From here on nothing arrives from the old primary any more, should it live after all.
    async fn quieten(&self, replicas: &mut [Reached]) -> Result<(), String> {
        let stops = join_all(replicas.iter_mut().map(|r| receiver::stop(&mut r.control))).await;
        for (replica, stopped) in replicas.iter().zip(stops) {
            // From one that refuses connections nothing arrives anyway.
            if !stopped.map_err(|e| e.to_string())? && self.old.unanswered != Some(Unanswered::Gone) {
                let address = replica.control.address();
                return Err(format!(
                    "{address} cannot be kept from receiving: its applier has ended with an error, and it would forget \
                     what it has received"
                ));
            }
        }
        Ok(())
    }

    /// Whether the old primary answers after all. The end of its binary log is what one that hangs cannot tell.
    async fn answers(&self) -> bool {
        let Ok(mut control) = connect(self.parts, self.old.id, LAST_CHANCE).await else { return false };
        for sql in statements::log_status(control.flavor()) {
            match control.query(sql, LAST_CHANCE).await {
                Ok(_) => return true,
                Err(error) if error.is_fatal() => return false,
                Err(_) => {}
            }
        }
        // An error is an answer too.
        true
    }

    async fn candidate(&self, server: &Server, control: &mut Control) -> Candidate {
        let executed = GtidSet::parse_position(&server.gtid);
        let mut has = executed.clone();
        if let Some(replication) = &server.replication {
            has.add_all(&GtidSet::parse_position(&replication.received));
        }
        let unfit = match self.unfit(server) {
            Some(why) => Some(why),
            None => match by_gtid(control, server).await {
                Ok(finding) => (!finding.ok).then_some(finding.message),
                Err(error) => Some(error.to_string()),
            },
        };
        let (address, number) = (server.address.to_string(), server.number);
        Candidate { id: server.id, address, number, unfit, executed, has }
    }

    fn unfit(&self, server: &Server) -> Option<String> {
        let Some(replication) = &server.replication else { return Some("it follows nobody".to_owned()) };
        if !server.is_open() {
            Some(server.problem.clone())
        } else if replication.source_number != self.old.number {
            Some("it did not follow the lost primary".to_owned())
        } else if !replication.applying {
            Some(format!("its applier does not run: {}", replication.error))
        } else if !server.logs_replica_updates {
            Some("it has no binary log with replicated changes".to_owned())
        } else if server.flavor != self.old.flavor {
            Some("it is of another family".to_owned())
        } else {
            None
        }
    }

    /// What it has received must be applied before it becomes writable: stopping a replica forgets the relay log.
    async fn apply(&self, control: &mut Control, received: &str) -> Result<(), String> {
        if received.is_empty() {
            return Ok(());
        }
        let within = self.apply_timeout;
        let wait = statements::wait_for(control.flavor(), received, within.as_secs_f64());
        let rows = control.query(&wait, within + STATEMENT).await.map_err(|e| e.to_string())?;
        if rows.scalar().as_deref() == Some("0") {
            return Ok(());
        }
        let ms = within.as_millis();
        Err(format!("it did not apply what it has received within {ms} ms (failover.apply_timeout)"))
    }

    async fn promote(&self, new: ServerId, control: &mut Control) -> Result<(), Stopped> {
        let begun = Instant::now();
        let flavor = control.flavor();
        if let Err(error) = control.query(statements::stop_replica(flavor), STATEMENT * 3).await {
            return Err(Stopped::Before(format!("it could not be stopped from following: {error}")));
        }
        for sql in statements::accept_writes(flavor) {
            if let Err(error) = control.query(sql, STATEMENT).await {
                return Err(Stopped::Amid(format!("it could not be made writable: {error}")));
            }
        }
        self.parts.monitor.promoted(new);
        self.step("promote", control.address(), begun);
        Ok(())
    }

    async fn publish(&self, new: ServerId) -> Result<(), Stopped> {
        let begun = Instant::now();
        while begun.elapsed() < STATEMENT {
            let topology = self.parts.monitor.look(&[new]).await;
            if topology.primary().is_some_and(|p| p.id == new) {
                self.parts.pools.retire(self.old.id);
                self.step("publish", "", begun);
                return Ok(());
            }
        }
        Err(Stopped::Amid("the promoted server is not seen as the primary".to_owned()))
    }

    /// Nothing came of it: the replicas try to reach the old primary again.
    async fn receive_again(&self, replicas: &mut [Reached]) {
        for replica in replicas {
            if let Err(error) = receiver::start(&mut replica.control).await {
                tracing::warn!("a replica could not be started again: {error}");
            }
        }
    }

    fn step(&self, what: &str, detail: &str, begun: Instant) {
        tracing::info!(phase = what, ms = begun.elapsed().as_millis(), detail, "failover");
        self.parts.flights.step(self.flight, what, detail, Some(begun.elapsed()));
    }
}

/// Does what was judged of a server that came back. Gives what is worth a line.
pub(super) async fn take_back(
    parts: &CoordinatorParts,
    options: &SwitchoverOptions,
    (server, primary): (&Server, &Server),
    judged: &Return,
) -> Result<String, String> {
    match judged {
        Return::Leave => Ok(String::new()),
        Return::SetAside(errant) => {
            let flavor = if server.flavor == Flavor::MariaDb { "MariaDB" } else { "MySQL" };
            Err(format!(
                "set aside: it has transactions that the primary lacks ({errant}); rebuild it from the primary ({flavor})"
            ))
        }
        Return::Fence => {
            let mut main = connect(parts, server.id, STATEMENT).await.map_err(|e| e.to_string())?;
            let mut helper = connect(parts, server.id, STATEMENT).await.map_err(|e| e.to_string())?;
            let account = String::from_utf8_lossy(parts.account.user()).into_owned();
            fence(&mut main, &mut helper, &account, options.fence_timeout).await?;
            parts.pools.retire(server.id);
            Ok("fenced: it was replaced as primary".to_owned())
        }
        Return::Follow => {
            let mut control = connect(parts, server.id, STATEMENT).await.map_err(|e| e.to_string())?;
            repoint(&mut control, &source_of(primary, options)?).await?;
            Ok(format!("follows {} now", primary.address))
        }
    }
}
