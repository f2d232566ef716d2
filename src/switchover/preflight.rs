//! The checks before a switchover. Each finding says what was looked at and what it means; any that is not ok refuses
//! the switchover with nothing changed.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::backend::{Control, ControlError};
use crate::topology::{ClusterState, Flavor, Role, Server, Topology};

use super::rights::missing_rights;
use super::statements;

/// Time for one query of a check.
const QUERY: Duration = Duration::from_secs(2);
/// A commit that a replica has and the primary does not count yet is through after this time, at the latest when the
/// primary has its acknowledgement; and how often that is looked at.
const UNDER_WAY: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(10);

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked.
    pub check: String,
    /// Whether the switchover may go on.
    pub ok: bool,
    /// What was found.
    pub message: String,
}

impl Finding {
    pub(super) fn new(check: &str, ok: bool, message: impl Into<String>) -> Self {
        Self { check: check.to_owned(), ok, message: message.into() }
    }
}

/// Who replaces whom.
#[derive(Debug, Clone)]
pub struct Preflight {
    /// The present primary.
    pub from: Server,
    /// The server to become it.
    pub to: Server,
}

/// Finds old primary and target in the topology.
///
/// # Errors
/// The finding that stands in the way.
pub(super) fn choose(topology: &Topology, to: Option<&str>) -> Result<Preflight, Finding> {
    let configured = || topology.servers.iter().map(|s| s.address.to_string()).collect::<Vec<_>>().join(", ");
    let Some(from) = topology.primary() else {
        let ClusterState::None { why } = &topology.state else { unreachable_state() };
        return Err(Finding::new("primary", false, format!("there is no primary to switch from: {why}")));
    };
    if let ClusterState::TwoWriters { others, .. } = &topology.state {
        let others: Vec<&str> =
            others.iter().filter_map(|id| topology.server(*id)).map(|s| &*s.address).collect();
        let text = format!("{} accepts writes, and so does {}", from.address, others.join(", "));
        return Err(Finding::new("primary", false, text));
    }
    let target = match to {
        Some(address) => topology.find(address).ok_or_else(|| {
            let text = format!("{address} is not a server of this cluster; configured are {}", configured());
            Finding::new("target", false, text)
        })?,
        None => best_replica(topology).ok_or_else(|| {
            Finding::new("target", false, "no replica is up and replicating; name one with --to to see why")
        })?,
    };
    if target.id == from.id {
        return Err(Finding::new("target", false, format!("{} is the primary already", target.address)));
    }
    if !target.is_up() {
        let text = format!("{} cannot be reached: {}", target.address, target.problem);
        return Err(Finding::new("target", false, text));
    }
    Ok(Preflight { from: from.clone(), to: target.clone() })
}

fn unreachable_state() -> ! {
    unreachable!("a topology without primary is in state None")
}

fn best_replica(topology: &Topology) -> Option<&Server> {
    let healthy = |s: &&Server| {
        s.role == Role::Replica && s.replication.as_ref().is_some_and(|r| r.receiving && r.applying)
    };
    topology.servers.iter().filter(healthy).min_by_key(|s| s.replication.as_ref().and_then(|r| r.lag))
}

/// Everything that can be said from the topology alone. PURE.
pub(super) fn from_topology(pair: &Preflight) -> Vec<Finding> {
    let Preflight { from, to } = pair;
    let mut findings = Vec::new();
    let replicating = match &to.replication {
        None => Finding::new("replication", false, format!("{} does not replicate from anybody", to.address)),
        Some(r) if !r.receiving => {
            let why = if r.error.is_empty() { "its receiver thread does not run" } else { &r.error };
            Finding::new("replication", false, format!("{} is not replicating: {why}", to.address))
        }
        Some(r) if !r.applying => {
            let why = if r.error.is_empty() { "its applier thread does not run" } else { &r.error };
            Finding::new("replication", false, format!("{} is not replicating: {why}", to.address))
        }
        Some(r) if r.source_number != from.number => {
            let text = format!(
                "{} replicates from {}:{} and not from the primary {}",
                to.address, r.source_host, r.source_port, from.address
            );
            Finding::new("replication", false, text)
        }
        Some(_) => {
            Finding::new("replication", true, format!("{} replicates from {}", to.address, from.address))
        }
    };
    findings.push(replicating);
    findings.push(if to.logs_replica_updates {
        Finding::new("binary_log", true, "the target writes a binary log, replicated changes included")
    } else {
        let text = format!(
            "{} has no binary log with replicated changes (log_bin and log_slave_updates / log_replica_updates must \
             be on): the others could not follow it",
            to.address
        );
        Finding::new("binary_log", false, text)
    });
    if from.flavor != to.flavor {
        let text = format!("{} and {} are of different families", from.address, to.address);
        findings.push(Finding::new("flavor", false, text));
    }
    findings
}

/// Everything that must be asked of the two servers. `max_lag` is what the target may need to reach the position that
/// the primary has now.
pub(super) async fn from_servers(
    pair: &Preflight,
    old: &mut Control,
    new: &mut Control,
    max_lag: Duration,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (control, server) in [(&mut *old, &pair.from), (&mut *new, &pair.to)] {
        findings.push(rights(control, server).await.unwrap_or_else(|e| failed("rights", &e)));
    }
    findings.push(by_gtid(new, &pair.to).await.unwrap_or_else(|e| failed("gtid", &e)));
    findings.push(errant(old, new, pair).await.unwrap_or_else(|e| failed("errant_transactions", &e)));
    if findings.iter().all(|f| f.ok) {
        findings.push(lag(old, new, pair, max_lag).await.unwrap_or_else(|e| failed("lag", &e)));
    }
    findings.push(open_transactions(old).await.unwrap_or_else(|e| failed("open_transactions", &e)));
    findings
}

fn failed(check: &str, error: &ControlError) -> Finding {
    Finding::new(check, false, format!("could not be checked: {error}"))
}

async fn rights(control: &mut Control, server: &Server) -> Result<Finding, ControlError> {
    let rows = control.query("SHOW GRANTS", QUERY).await?;
    let grants: Vec<String> = rows.rows.iter().filter_map(|r| r.at(0)).collect();
    let missing = missing_rights(server.flavor, &grants);
    Ok(if missing.is_empty() {
        Finding::new(
            "rights",
            true,
            format!("the monitor account may do all that is needed on {}", server.address),
        )
    } else {
        let text = format!("the monitor account lacks rights on {}: {}", server.address, missing.join(", "));
        Finding::new("rights", false, text)
    })
}

/// Whether a replica replicates everything, and by GTID.
pub(super) async fn by_gtid(new: &mut Control, to: &Server) -> Result<Finding, ControlError> {
    let (sql, ok, wanted) = match to.flavor {
        Flavor::MariaDb => {
            ("SHOW ALL SLAVES STATUS", ["Slave_Pos", "Current_Pos"].as_slice(), "MASTER_USE_GTID=slave_pos")
        }
        Flavor::MySql => ("SHOW REPLICA STATUS", ["1"].as_slice(), "SOURCE_AUTO_POSITION=1"),
    };
    let rows = new.query(sql, QUERY).await?;
    let mode = rows.first().and_then(|r| r.any(&["Using_Gtid", "Auto_Position"])).unwrap_or_default();
    let filtered = rows.first().is_some_and(|r| {
        let filters = [
            "Replicate_Do_DB",
            "Replicate_Ignore_DB",
            "Replicate_Do_Table",
            "Replicate_Ignore_Table",
            "Replicate_Wild_Do_Table",
            "Replicate_Wild_Ignore_Table",
        ];
        filters.iter().any(|f| r.text(f).is_some_and(|v| !v.is_empty()))
    });
    Ok(if filtered {
        Finding::new("gtid", false, format!("{} replicates only a part (replication filters)", to.address))
    } else if ok.contains(&mode.as_str()) {
        Finding::new("gtid", true, "the target replicates by GTID")
    } else {
        let text = format!("{} does not replicate by GTID (needs {wanted})", to.address);
        Finding::new("gtid", false, text)
    })
}

/// Transactions that the target has and the primary lacks. The target is asked first: what the primary wrote in
/// between cannot look errant then. A primary sends a transaction to its replicas before it counts it as its own
/// (semi-synchronous replication, or MySQL's commit in stages): what looks errant must still do so after [`UNDER_WAY`].
async fn errant(old: &mut Control, new: &mut Control, pair: &Preflight) -> Result<Finding, ControlError> {
    let has = match pair.to.flavor {
        Flavor::MySql => "SELECT @@global.gtid_executed",
        Flavor::MariaDb => "SELECT @@global.gtid_binlog_state",
    };
    let has: String = new.query(has, QUERY).await?.scalar().unwrap_or_default();
    let until = Instant::now() + UNDER_WAY;
    let errant = loop {
        let errant = lacks(old, &has, pair.to.flavor).await?;
        if errant.is_empty() || Instant::now() >= until {
            break errant;
        }
        sleep(AGAIN).await;
    };
    Ok(if errant.is_empty() {
        Finding::new("errant_transactions", true, "the target has nothing that the primary lacks")
    } else {
        let text = format!("{} has transactions that the primary lacks: {errant}", pair.to.address);
        Finding::new("errant_transactions", false, text)
    })
}

/// What the primary lacks of all that another server `has`, as that server writes it.
async fn lacks(old: &mut Control, has: &str, flavor: Flavor) -> Result<String, ControlError> {
    Ok(match flavor {
        Flavor::MySql => {
            let has: String =
                has.chars().filter(|c| c.is_ascii_alphanumeric() || ":-,_".contains(*c)).collect();
            let sql = format!("SELECT GTID_SUBTRACT('{has}', @@global.gtid_executed)");
            old.query(&sql, QUERY).await?.scalar().unwrap_or_default()
        }
        Flavor::MariaDb => {
            // A transaction that was rolled back and is logged all the same (it made or dropped a temporary table) is
            // applied by replicas without being logged again: then only their position tells.
            let sql = "SELECT CONCAT_WS(',', @@global.gtid_binlog_state, @@global.gtid_slave_pos)";
            let known = old.query(sql, QUERY).await?.scalar().unwrap_or_default();
            mariadb_errant(has, &known).join(",")
        }
    })
}

/// Entries of one `gtid_binlog_state` (`domain-server-sequence`, one per domain and server) that another lacks.
fn mariadb_errant(has: &str, known: &str) -> Vec<String> {
    let parse = |text: &str| -> Vec<(String, u64)> {
        let entries = text.split(',').filter_map(|gtid| {
            let (origin, sequence) = gtid.trim().rsplit_once('-')?;
            Some((origin.to_owned(), sequence.parse().ok()?))
        });
        entries.collect()
    };
    let mut known_to: HashMap<String, u64> = HashMap::new();
    for (origin, sequence) in parse(known) {
        let last = known_to.entry(origin).or_default();
        *last = sequence.max(*last);
    }
    let lacks = |(origin, sequence): &(String, u64)| known_to.get(origin).is_none_or(|k| k < sequence);
    parse(has).into_iter().filter(lacks).map(|(origin, sequence)| format!("{origin}-{sequence}")).collect()
}

async fn lag(
    old: &mut Control,
    new: &mut Control,
    pair: &Preflight,
    max_lag: Duration,
) -> Result<Finding, ControlError> {
    let position =
        old.query(statements::position(pair.from.flavor), QUERY).await?.scalar().unwrap_or_default();
    if position.is_empty() {
        return Ok(Finding::new("lag", true, "the primary has written nothing yet"));
    }
    let wait = statements::wait_for(pair.to.flavor, &position, max_lag.as_secs_f64());
    let reached = new.query(&wait, max_lag + QUERY).await?.scalar();
    Ok(if reached.as_deref() == Some("0") {
        Finding::new("lag", true, format!("the target is within {} ms of the primary", max_lag.as_millis()))
    } else {
        let reported = pair.to.replication.as_ref().and_then(|r| r.lag);
        let reported = reported.map_or_else(|| "unknown".to_owned(), |l| format!("{} s", l.as_secs()));
        let text = format!(
            "{} lags: it did not reach the primary's position within {} ms (it reports a lag of {reported}; \
             switchover.max_lag)",
            pair.to.address,
            max_lag.as_millis()
        );
        Finding::new("lag", false, text)
    })
}

async fn open_transactions(old: &mut Control) -> Result<Finding, ControlError> {
    let sql = "SELECT COUNT(*), COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) \
               FROM information_schema.innodb_trx";
    let rows = match old.query(sql, QUERY).await {
        Ok(rows) => rows,
        Err(error) if error.is_fatal() => return Err(error),
        // It is for people to read, and no reason against a switchover.
        Err(error) => {
            let text = format!("the transactions that are open on the primary cannot be counted: {error}");
            return Ok(Finding::new("open_transactions", true, text));
        }
    };
    let value = |at: usize| rows.first().and_then(|r| r.at(at)).unwrap_or_default();
    let text = format!("{} transactions are open on the primary, the oldest for {} s", value(0), value(1));
    Ok(Finding::new("open_transactions", true, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errant_transactions_of_mariadb() {
        assert!(mariadb_errant("0-1-10,0-2-4", "0-1-12,0-2-4").is_empty());
        assert_eq!(mariadb_errant("0-1-10,0-2-5", "0-1-12,0-2-4"), ["0-2-5"]);
        assert_eq!(mariadb_errant("0-1-10,0-3-11", "0-1-12"), ["0-3-11"]);
        assert!(mariadb_errant("", "").is_empty());
        assert!(mariadb_errant("0-1-8", "0-1-7,0-2-9,0-1-8").is_empty());
        assert!(mariadb_errant("0-1-8", "0-1-8,0-2-9,0-1-7").is_empty());
    }
}
