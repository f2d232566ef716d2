//! From observations to a topology. PURE: values in, values out. Two writers, or none, is named and never guessed away.

use std::collections::BTreeSet;

use crate::topology::{ClusterState, NoPrimary, Role, Server, ServerId, Topology};

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
    /// Former primaries that were replaced while unreachable and not seen following since.
    stale: BTreeSet<ServerId>,
}

impl Memory {
    /// The last known primary.
    #[must_use]
    pub fn last_primary(&self) -> Option<ServerId> {
        self.last_primary
    }

    /// A switchover of ours made `id` the primary: the next judgement starts from there.
    pub fn promoted(&mut self, id: ServerId) {
        self.last_primary = Some(id);
        self.stale.remove(&id);
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
            if let Some(before) = memory.last_primary.and_then(|id| servers.get(id.0))
                && !before.is_up()
            {
                memory.stale.insert(before.id);
            }
        }
        memory.last_primary = Some(primary);
        memory.stale.remove(&primary);
        readmit(&mut memory.stale, &servers, primary);
    }
    name_roles(&mut servers, &state, &memory.stale);
    (memory, Topology { version: previous.version, epoch, servers, state })
}

/// Puts one look into what is known of the server. The role is only "up" or "down" here; naming comes last.
fn take_in(server: &mut Server, silent: &mut u32, look: &Observation) {
    match &look.result {
        Ok(seen) => {
            *silent = 0;
            let Seen { flavor, version, number, read_only, replication, gtid, binlog, .. } = seen.clone();
            *server = Server {
                id: server.id,
                address: server.address.clone(),
                role: Role::Detached,
                problem: String::new(),
                flavor,
                version,
                number,
                tls: seen.tls,
                read_only,
                replication,
                gtid,
                binlog,
                logs_replica_updates: seen.logs_replica_updates,
                logs_statements: seen.logs_statements,
            };
        }
        Err(unseen) => {
            *silent += 1;
            let certain = matches!(unseen, Unseen::Gone(_));
            if certain || *silent >= SILENT_LOOKS || server.version.is_empty() {
                server.role = Role::Down;
            }
            server.problem = unseen.reason().to_owned();
        }
    }
}

/// Accepts writes and follows nobody: a receiver that is stopped, or none at all. One that runs (or keeps trying) shows
/// a promotion half done, or a replica that somebody made writable.
fn is_writer(server: &Server) -> bool {
    server.is_up() && !server.read_only && server.replication.as_ref().is_none_or(|r| r.receiver_stopped)
}

fn decide(memory: &Memory, servers: &[Server]) -> ClusterState {
    let writers: Vec<&Server> = servers.iter().filter(|s| is_writer(s)).collect();
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
        ([], []) if servers.iter().all(|s| !s.is_up()) => ClusterState::None { why: NoPrimary::AllDown },
        ([], []) => ClusterState::None { why: NoPrimary::AllReadOnly },
        (several, _) => {
            let writers = several.iter().map(|s| s.address.to_string()).collect();
            ClusterState::None { why: NoPrimary::TwoWriters { writers } }
        }
    }
}

/// A former primary that is seen following the present one is an ordinary replica again.
fn readmit(stale: &mut BTreeSet<ServerId>, servers: &[Server], primary: ServerId) {
    let Some(number) = servers.get(primary.0).map(|s| s.number) else { return };
    stale.retain(|id| {
        let follows = servers.get(id.0).and_then(|s| s.replication.as_ref());
        !follows.is_some_and(|r| r.receiving && r.source_number == number)
    });
}

fn name_roles(servers: &mut [Server], state: &ClusterState, stale: &BTreeSet<ServerId>) {
    let primary = match state {
        ClusterState::Ok { primary } | ClusterState::TwoWriters { primary, .. } => Some(*primary),
        ClusterState::None { .. } => None,
    };
    let primary_number = primary.and_then(|id| servers.get(id.0)).map(|s| s.number);
    for server in servers.iter_mut().filter(|s| s.is_up()) {
        let follows = server.replication.as_ref();
        (server.role, server.problem) = if Some(server.id) == primary {
            (Role::Primary, String::new())
        } else if stale.contains(&server.id) {
            (Role::Stale, "was replaced as primary while it could not be reached; it must follow the present primary before it counts again".to_owned())
        } else if is_writer(server) {
            (Role::Detached, "accepts writes beside the primary".to_owned())
        } else if let Some(replication) = follows {
            let problem = match primary_number {
                Some(number) if replication.source_number != 0 && replication.source_number != number => {
                    format!(
                        "follows {}:{}, not the primary",
                        replication.source_host, replication.source_port
                    )
                }
                _ if !replication.error.is_empty() => replication.error.clone(),
                _ if !replication.receiving => "the receiver thread is not connected".to_owned(),
                _ if !replication.applying => "the applier thread does not run".to_owned(),
                _ => server.problem.clone(),
            };
            (Role::Replica, problem)
        } else {
            (Role::Detached, "read-only and follows nobody".to_owned())
        };
    }
}

#[cfg(test)]
mod tests;
