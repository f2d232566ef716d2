//! From observations to a topology. PURE: values in, values out. Two writers, or none, is named and never guessed away.

use std::collections::BTreeSet;

use crate::topology::{ClusterState, GtidSet, NoPrimary, Role, Server, ServerId, Topology, Unanswered};

use super::observation::{Observation, Seen, Unseen};

/// How often in a row a server must be silent before it counts as down. A refused connection counts at once.
const SILENT_LOOKS: u32 = 2;

/// What must be remembered from one judgement to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// The last primary, kept while there is none.
    last_primary: Option<ServerId>,
    /// How often in a row each server was silent.
    silent: Vec<u32>,
    /// Which servers were looked at at least once: before all were, nobody is the primary.
    looked: Vec<bool>,
    /// The server that a switchover of ours made writable last.
    promoted: Option<ServerId>,
    /// Former primaries that were replaced while unreachable and not seen following since.
    stale: BTreeSet<ServerId>,
}

impl Memory {
    /// The last known primary.
    #[must_use]
    pub fn last_primary(&self) -> Option<ServerId> {
        self.last_primary
    }

    /// A switchover of ours made `id` writable: it counts as a writer although its receiver still runs.
    pub fn promoted(&mut self, id: ServerId) {
        self.promoted = Some(id);
        self.stale.remove(&id);
    }

    /// Whether `id` is the last that a switchover of ours made writable.
    #[must_use]
    pub fn has_promoted(&self, id: ServerId) -> bool {
        self.promoted == Some(id)
    }
}

/// Judges one round of looks. `previous` is the topology so far; servers that were not looked at in this round keep
/// what was known of them.
#[must_use]
pub fn judge(memory: &Memory, previous: &Topology, looks: &[Observation]) -> (Memory, Topology) {
    let mut memory = memory.clone();
    memory.silent.resize(previous.servers.len(), 0);
    memory.looked.resize(previous.servers.len(), false);
    let mut servers = previous.servers.clone();
    for look in looks {
        if let (Some(server), Some(silent)) = (servers.get_mut(look.id.0), memory.silent.get_mut(look.id.0)) {
            take_in(server, silent, look);
        }
        if let Some(looked) = memory.looked.get_mut(look.id.0) {
            *looked = true;
        }
    }
    let state = decide(&memory, &servers);
    let mut epoch = previous.epoch;
    if let ClusterState::Ok { primary } | ClusterState::TwoWriters { primary, .. } = state {
        if memory.last_primary != Some(primary) {
            epoch += 1;
            // Somebody else's choice: ours is history.
            memory.promoted = memory.promoted.filter(|id| *id == primary);
            if let Some(before) = memory.last_primary.and_then(|id| servers.get(id.0))
                && (!before.is_up() || is_closed(before))
            {
                memory.stale.insert(before.id);
            }
        }
        memory.last_primary = Some(primary);
        memory.stale.remove(&primary);
        readmit(&mut memory.stale, &servers, primary);
    }
    name_roles(&mut servers, &state, &memory);
    (memory, Topology { version: previous.version, epoch, servers, state })
}

/// Puts one look into what is known of the server. The role is only "up" or "down" here; naming comes last.
fn take_in(server: &mut Server, silent: &mut u32, look: &Observation) {
    match &look.result {
        Ok(seen) => {
            *silent = 0;
            let Seen { flavor, version, number, read_only, replication, gtid, executed, binlog, .. } =
                seen.clone();
            *server = Server {
                id: server.id,
                address: server.address.clone(),
                role: Role::Detached,
                problem: String::new(),
                flavor,
                version,
                number,
                offers: seen.offers,
                read_only,
                replication,
                gtid,
                executed: executed.into(),
                unanswered: None,
                binlog,
                logs_replica_updates: seen.logs_replica_updates,
                logs_statements: seen.logs_statements,
                globals: seen.globals,
            };
        }
        Err(unseen) => {
            // Who refuses us lives, and goes on to be what it was: its clients are served as before.
            let refuses = matches!(unseen, Unseen::Denied(_));
            *silent = if refuses { 0 } else { *silent + 1 };
            let certain = matches!(unseen, Unseen::Gone(_));
            if certain || *silent >= SILENT_LOOKS || server.version.is_empty() {
                server.role = Role::Down;
            }
            server.problem = unseen.reason().to_owned();
            server.unanswered = Some(match unseen {
                Unseen::Gone(_) => Unanswered::Gone,
                Unseen::Silent(_) => Unanswered::Silent,
                Unseen::Stuck(_) => Unanswered::Stuck,
                Unseen::Denied(_) => Unanswered::Denied,
            });
        }
    }
}

/// Accepts writes and follows nobody: a receiver that is stopped, or none at all. One that runs (or keeps trying) shows
/// a promotion half done, or a replica that somebody made writable; not so on a server that we promoted ourselves, whose
/// source is fenced.
fn is_writer(memory: &Memory, server: &Server) -> bool {
    let follows = server.replication.as_ref().is_some_and(|r| !r.receiver_stopped);
    server.is_up() && !server.read_only && (!follows || memory.promoted == Some(server.id))
}

/// It refuses our account: nothing new is known of it.
fn is_closed(server: &Server) -> bool {
    server.unanswered == Some(Unanswered::Denied)
}

fn decide(memory: &Memory, servers: &[Server]) -> ClusterState {
    let mut writers: Vec<&Server> = servers.iter().filter(|s| is_writer(memory, s)).collect();
    // What one that refuses us is by now cannot be seen; another that was made writable can.
    if writers.iter().any(|s| !is_closed(s)) {
        writers.retain(|s| !is_closed(s));
    }
    let known = memory.last_primary.filter(|id| writers.iter().any(|s| s.id == *id));
    if let Some(primary) = known {
        let others: Vec<ServerId> = writers.iter().map(|s| s.id).filter(|id| *id != primary).collect();
        return if others.is_empty() {
            ClusterState::Ok { primary }
        } else {
            ClusterState::TwoWriters { primary, others }
        };
    }
    if memory.last_primary.is_none() && memory.looked.contains(&false) {
        return ClusterState::None { why: NoPrimary::NotLooked };
    }
    let fresh: Vec<&&Server> = writers.iter().filter(|s| !memory.stale.contains(&s.id)).collect();
    match (fresh.as_slice(), writers.as_slice()) {
        ([one], _) => ClusterState::Ok { primary: one.id },
        ([], [stale, ..]) => {
            ClusterState::None { why: NoPrimary::OnlyStaleWriter { writer: stale.address.to_string() } }
        }
        ([], []) if servers.iter().any(is_closed) => ClusterState::None { why: refused(servers) },
        ([], []) if servers.iter().all(|s| !s.is_up()) => ClusterState::None { why: NoPrimary::AllDown },
        ([], []) => ClusterState::None { why: NoPrimary::AllReadOnly },
        (several, _) => {
            let writers = several.iter().map(|s| s.address.to_string()).collect();
            ClusterState::None { why: NoPrimary::TwoWriters { writers } }
        }
    }
}

/// Nobody is seen to accept writes, and some will not let us look.
fn refused(servers: &[Server]) -> NoPrimary {
    let problems = servers.iter().filter(|s| is_closed(s)).map(|s| s.problem.clone()).collect();
    NoPrimary::Refused { problems }
}

/// A former primary that is seen following the present one is an ordinary replica again.
fn readmit(stale: &mut BTreeSet<ServerId>, servers: &[Server], primary: ServerId) {
    let Some(number) = servers.get(primary.0).map(|s| s.number) else { return };
    stale.retain(|id| {
        let follows = servers.get(id.0).and_then(|s| s.replication.as_ref());
        !follows.is_some_and(|r| r.receiving && r.source_number == number)
    });
}

fn name_roles(servers: &mut [Server], state: &ClusterState, memory: &Memory) {
    let primary = match state {
        ClusterState::Ok { primary } | ClusterState::TwoWriters { primary, .. } => Some(*primary),
        ClusterState::None { .. } => None,
    };
    let primary_number = primary.and_then(|id| servers.get(id.0)).map(|s| s.number);
    let known = primary.and_then(|id| servers.get(id.0)).map(|s| s.executed.clone());
    for server in servers.iter_mut().filter(|s| s.is_up()) {
        let follows = server.replication.as_ref();
        let refusal = is_closed(server).then(|| server.problem.clone());
        (server.role, server.problem) = if Some(server.id) == primary {
            (Role::Primary, String::new())
        } else if memory.stale.contains(&server.id) {
            (Role::Stale, stale(&server.executed, known.as_deref()))
        } else if is_writer(memory, server) {
            (Role::Detached, "accepts writes beside the primary".to_owned())
        } else if let Some(replication) = follows {
            let problem = match primary_number {
                Some(number) if replication.source_number != 0 && replication.source_number != number => {
                    let (host, port) = (&replication.source_host, replication.source_port);
                    let more = errant(&server.executed, known.as_deref());
                    let more = more.map(|e| {
                        format!(", and has {} transactions that the primary lacks ({e})", e.count())
                    });
                    format!("follows {host}:{port}, not the primary{}", more.unwrap_or_default())
                }
                _ if !replication.error.is_empty() => replication.error.clone(),
                _ if !replication.receiving => "the receiver thread is not connected".to_owned(),
                _ if !replication.applying => "the applier thread does not run".to_owned(),
                _ if !server.read_only => "accepts writes (read_only is off)".to_owned(),
                _ => server.problem.clone(),
            };
            (Role::Replica, problem)
        } else {
            (Role::Detached, "read-only and follows nobody".to_owned())
        };
        server.problem = refusal.unwrap_or_else(|| std::mem::take(&mut server.problem));
    }
}

/// What a server that does not follow the primary has and the primary lacks, if there is anything. The two looks need not
/// be of the same moment: what such a server has of the primary's own transactions cannot grow.
fn errant(executed: &str, known: Option<&str>) -> Option<GtidSet> {
    let errant = GtidSet::parse(executed).minus(&GtidSet::parse(known?));
    (!errant.is_empty()).then_some(errant)
}

/// Why a former primary is set aside.
fn stale(executed: &str, known: Option<&str>) -> String {
    let why = "was replaced as primary while it could not be reached";
    match errant(executed, known) {
        Some(errant) => format!(
            "{why}, and has {} transactions that the present primary lacks ({errant}): it must be rebuilt",
            errant.count()
        ),
        None => format!("{why}; it must follow the present primary before it counts again"),
    }
}

#[cfg(test)]
mod tests;
