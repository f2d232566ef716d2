//! One look at one server, over a control connection that is kept open.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Account, ConnectFailure, Connector, Control, ControlError, Row, Target};
use crate::topology::{BinlogPosition, Flavor, Replication};

use super::observation::{Seen, Unseen};
use super::wording::Wording;

/// ER_SERVER_SHUTDOWN and ER_NORMAL_SHUTDOWN: it will be gone. Every other error is the answer of a server that lives
/// and refuses only us: a wrong password, a missing right, a blocked host, too many connections.
const STOPPING: [u16; 2] = [1053, 1077];

/// What belongs into the digest beside what all have: limits of transactions and statements, by this family's names.
const OWN_OF_MARIADB: [&str; 3] = ["tx_isolation", "tx_read_only", "max_statement_time"];
const OWN_OF_MYSQL: [&str; 3] = ["transaction_isolation", "transaction_read_only", "max_execution_time"];

/// Looks at one server.
#[derive(Debug)]
pub struct Probe {
    connector: Connector,
    target: Target,
    account: Arc<Account>,
    timeout: Duration,
    /// Variables whose global values are watched, in place of the usual ones.
    watched: Option<Vec<String>>,
    line: Option<Line>,
}

/// A connection, and how the server at its other end is asked.
#[derive(Debug)]
struct Line {
    control: Control,
    wording: Wording,
}

impl Probe {
    /// A probe; connects when first used.
    #[must_use]
    pub fn new(connector: Connector, target: Target, account: Arc<Account>, timeout: Duration) -> Self {
        Self { connector, target, account, timeout, watched: None, line: None }
    }

    /// Watches the global values of these variables instead of the usual ones ([`Seen::globals`]). Those that the server does
    /// not know are left out.
    #[must_use]
    pub fn watching(self, names: &[&str]) -> Self {
        Self { watched: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..self }
    }

    /// Looks once. A kept connection that turns out dead is replaced within the same look: only a server that refuses a
    /// new one is gone.
    ///
    /// # Errors
    /// [`Unseen`]: what kept us from seeing.
    pub async fn look(&mut self) -> Result<Seen, Unseen> {
        if let Some(mut line) = self.line.take() {
            match observe(&mut line, self.timeout).await {
                Ok(seen) => {
                    self.line = Some(line);
                    return Ok(seen);
                }
                Err(error) if matches!(error, ControlError::TimedOut { .. }) => return Err(unseen(&error)),
                Err(_) => {}
            }
        }
        let control = Control::connect(&self.connector, &self.target, &self.account, self.timeout)
            .await
            .map_err(|e| unseen(&e))?;
        // Asked for all again: it may be another version by now.
        let wording = match (&self.watched, control.flavor()) {
            (Some(names), _) => Wording::of(names),
            (None, Flavor::MariaDb) => Wording::new(&OWN_OF_MARIADB),
            (None, Flavor::MySql) => Wording::new(&OWN_OF_MYSQL),
        };
        let mut line = Line { control, wording };
        let seen = observe(&mut line, self.timeout).await.map_err(|e| match e {
            // Whoever hangs as a whole gives no greeting.
            ControlError::TimedOut { .. } => Unseen::Stuck(e.to_string()),
            _ => unseen(&e),
        })?;
        self.line = Some(line);
        Ok(seen)
    }
}

fn unseen(error: &ControlError) -> Unseen {
    let text = error.to_string();
    match error {
        ControlError::Connect(ConnectFailure::Unable { .. }) => Unseen::Denied(text),
        _ if error.code().is_some_and(|c| STOPPING.contains(&c)) => Unseen::Gone(text),
        _ if error.code().is_some() => Unseen::Denied(text),
        ControlError::Connect(ConnectFailure::TimedOut { .. }) | ControlError::TimedOut { .. } => {
            Unseen::Silent(text)
        }
        _ => Unseen::Gone(text),
    }
}

async fn observe(line: &mut Line, within: Duration) -> Result<Seen, ControlError> {
    match line.control.flavor() {
        Flavor::MariaDb => mariadb(line, within).await,
        Flavor::MySql => mysql(line, within).await,
    }
}

/// What a server says of itself: `columns`, and behind them the digest of its global values. A server that refuses the whole
/// may only not know one of those: then it is asked without.
async fn say(line: &mut Line, columns: &str, within: Duration) -> Result<Option<Row>, ControlError> {
    loop {
        let sql = format!("SELECT {columns}, {}", line.wording.digest());
        let error = match line.control.query(&sql, within).await {
            Ok(rows) => return Ok(rows.first().cloned()),
            Err(error) => error,
        };
        let stops = error.code().is_none_or(|code| STOPPING.contains(&code));
        if error.is_fatal() || stops || !line.wording.can_narrow() {
            return Err(error);
        }
        let known = match line.control.query(&line.wording.which(), within).await {
            Ok(rows) => rows.rows.iter().filter_map(|row| row.at(0)).collect(),
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => Vec::new(),
        };
        line.wording.narrow(&known);
        tracing::debug!(server = %line.control.address(), "asked for fewer global variables: {error}");
    }
}

async fn mariadb(line: &mut Line, within: Duration) -> Result<Seen, ControlError> {
    let columns = "@@version, @@server_id, @@global.read_only, @@global.gtid_current_pos, @@global.log_bin, \
                   @@global.log_slave_updates, @@global.binlog_annotate_row_events, @@global.gtid_binlog_state";
    let row = say(line, columns, within).await?;
    let control = &mut line.control;
    let replicas = control.query("SHOW ALL SLAVES STATUS", within).await?;
    let binlog = binlog(control, &["SHOW MASTER STATUS"], within).await?;
    let value = |at: usize| row.as_ref().and_then(|r| r.at(at)).unwrap_or_default();
    Ok(Seen {
        flavor: Flavor::MariaDb,
        version: value(0),
        number: value(1).parse().unwrap_or(0),
        offers: control.offers().bits(),
        read_only: is_closed(&value(2)),
        replication: replicas.first().map(replication),
        gtid: value(3),
        logs_replica_updates: is_on(&value(4)) && is_on(&value(5)),
        logs_statements: is_on(&value(6)),
        executed: value(7),
        binlog,
        globals: value(8).parse().unwrap_or(0),
    })
}

async fn mysql(line: &mut Line, within: Duration) -> Result<Seen, ControlError> {
    let columns = "@@version, @@server_id, @@global.read_only, @@global.super_read_only, @@global.gtid_executed, \
                   @@global.log_bin, @@global.log_replica_updates, @@global.binlog_rows_query_log_events";
    let row = say(line, columns, within).await?;
    let control = &mut line.control;
    let replicas = control.query("SHOW REPLICA STATUS", within).await?;
    let binlog = binlog(control, &["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"], within).await?;
    let value = |at: usize| row.as_ref().and_then(|r| r.at(at)).unwrap_or_default();
    let gtid: String = value(4).split_whitespace().collect();
    Ok(Seen {
        flavor: Flavor::MySql,
        version: value(0),
        number: value(1).parse().unwrap_or(0),
        offers: control.offers().bits(),
        read_only: is_on(&value(2)) || is_on(&value(3)),
        replication: replicas.first().map(replication),
        executed: gtid.clone(),
        gtid,
        logs_replica_updates: is_on(&value(5)) && is_on(&value(6)),
        logs_statements: is_on(&value(7)),
        binlog,
        globals: value(8).parse().unwrap_or(0),
    })
}

/// The end of the server's own binary log, in the first of several spellings that it knows; `None` when it keeps none
/// or will not say.
async fn binlog(
    control: &mut Control,
    spellings: &[&str],
    within: Duration,
) -> Result<Option<BinlogPosition>, ControlError> {
    for sql in spellings {
        match control.query(sql, within).await {
            Ok(rows) => {
                return Ok(rows.first().and_then(|row| {
                    Some(BinlogPosition {
                        file: row.text("File")?,
                        offset: row.text("Position")?.parse().ok()?,
                    })
                }));
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

fn replication(row: &Row) -> Replication {
    let text = |names: &[&str]| row.any(names).unwrap_or_default();
    let receiver = text(&["Replica_IO_Running", "Slave_IO_Running"]);
    let applying = text(&["Replica_SQL_Running", "Slave_SQL_Running"]) == "Yes";
    Replication {
        source_host: text(&["Source_Host", "Master_Host"]),
        source_port: text(&["Source_Port", "Master_Port"]).parse().unwrap_or(0),
        source_number: text(&["Source_Server_Id", "Master_Server_Id"]).parse().unwrap_or(0),
        receiving: receiver == "Yes",
        receiver_stopped: receiver == "No",
        applying,
        lag: row
            .any(&["Seconds_Behind_Source", "Seconds_Behind_Master"])
            .and_then(|s| s.parse().ok())
            .map(Duration::from_secs),
        error: foremost(applying, text(&["Last_IO_Error"]), text(&["Last_SQL_Error"])),
        received: text(&["Retrieved_Gtid_Set", "Gtid_IO_Pos"]).split_whitespace().collect(),
    }
}

/// The error of that thread whose error says more: an applier that does not run keeps a replica from being promoted.
fn foremost(applying: bool, receiver: String, applier: String) -> String {
    let (first, second) = if applying { (receiver, applier) } else { (applier, receiver) };
    if first.is_empty() { second } else { first }
}

fn is_on(value: &str) -> bool {
    matches!(value, "1" | "ON" | "on")
}

/// Whether this value of `read_only` refuses writes: MariaDB from 12 on has several that do (`ON`, `NO_LOCK`,
/// `NO_LOCK_NO_ADMIN`).
fn is_closed(value: &str) -> bool {
    !matches!(value.to_ascii_uppercase().as_str(), "" | "0" | "OFF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_thread_that_does_not_run_is_told() {
        let told = |applying, receiver: &str, applier: &str| {
            foremost(applying, receiver.to_owned(), applier.to_owned())
        };
        assert_eq!(told(true, "no route", ""), "no route");
        assert_eq!(told(false, "no route", "duplicate key"), "duplicate key");
        assert_eq!(told(false, "no route", ""), "no route");
        assert_eq!(told(true, "", ""), "");
    }

    #[test]
    fn every_kind_of_read_only_is_closed() {
        for value in ["1", "ON", "on", "NO_LOCK", "NO_LOCK_NO_ADMIN", "2"] {
            assert!(is_closed(value), "{value}");
        }
        for value in ["0", "OFF", "off", ""] {
            assert!(!is_closed(value), "{value}");
        }
    }
}
