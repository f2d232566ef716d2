//! One look at one server, over a control connection that is kept open.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Account, ConnectFailure, Connector, Control, ControlError, Row, Target};
use crate::topology::{BinlogPosition, Flavor, Replication};

use super::observation::{Seen, Unseen};

/// ER_SERVER_SHUTDOWN and ER_NORMAL_SHUTDOWN: it will be gone. Every other error is the answer of a server that lives
/// and refuses only us: a wrong password, a missing right, a blocked host, too many connections.
const STOPPING: [u16; 2] = [1053, 1077];

/// Looks at one server.
#[derive(Debug)]
pub struct Probe {
    connector: Connector,
    target: Target,
    account: Arc<Account>,
    timeout: Duration,
    control: Option<Control>,
}

impl Probe {
    /// A probe; connects when first used.
    #[must_use]
    pub fn new(connector: Connector, target: Target, account: Arc<Account>, timeout: Duration) -> Self {
        Self { connector, target, account, timeout, control: None }
    }

    /// Looks once. A kept connection that turns out dead is replaced within the same look: only a server that refuses a
    /// new one is gone.
    ///
    /// # Errors
    /// [`Unseen`]: what kept us from seeing.
    pub async fn look(&mut self) -> Result<Seen, Unseen> {
        if let Some(mut control) = self.control.take() {
            match observe(&mut control, self.timeout).await {
                Ok(seen) => {
                    self.control = Some(control);
                    return Ok(seen);
                }
                Err(error) if matches!(error, ControlError::TimedOut { .. }) => return Err(unseen(&error)),
                Err(_) => {}
            }
        }
        let mut control = Control::connect(&self.connector, &self.target, &self.account, self.timeout)
            .await
            .map_err(|e| unseen(&e))?;
        let seen = observe(&mut control, self.timeout).await.map_err(|e| match e {
            // Whoever hangs as a whole gives no greeting.
            ControlError::TimedOut { .. } => Unseen::Stuck(e.to_string()),
            _ => unseen(&e),
        })?;
        self.control = Some(control);
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

async fn observe(control: &mut Control, within: Duration) -> Result<Seen, ControlError> {
    match control.flavor() {
        Flavor::MariaDb => mariadb(control, within).await,
        Flavor::MySql => mysql(control, within).await,
    }
}

async fn mariadb(control: &mut Control, within: Duration) -> Result<Seen, ControlError> {
    let sql = "SELECT @@version, @@server_id, @@global.read_only, @@global.gtid_current_pos, @@global.log_bin, \
               @@global.log_slave_updates, @@global.binlog_annotate_row_events, @@global.gtid_binlog_state, ";
    let sql = format!("{sql}{}", globals(&["tx_isolation", "tx_read_only", "max_statement_time"]));
    let rows = control.query(&sql, within).await?;
    let row = rows.first().cloned();
    let replicas = control.query("SHOW ALL SLAVES STATUS", within).await?;
    let binlog = binlog(control, &["SHOW MASTER STATUS"], within).await?;
    let value = |at: usize| row.as_ref().and_then(|r| r.at(at)).unwrap_or_default();
    Ok(Seen {
        flavor: Flavor::MariaDb,
        version: value(0),
        number: value(1).parse().unwrap_or(0),
        offers: control.offers().bits(),
        read_only: is_on(&value(2)),
        replication: replicas.first().map(replication),
        gtid: value(3),
        logs_replica_updates: is_on(&value(4)) && is_on(&value(5)),
        logs_statements: is_on(&value(6)),
        executed: value(7),
        binlog,
        globals: value(8).parse().unwrap_or(0),
    })
}

async fn mysql(control: &mut Control, within: Duration) -> Result<Seen, ControlError> {
    let sql = "SELECT @@version, @@server_id, @@global.read_only, @@global.super_read_only, @@global.gtid_executed, \
               @@global.log_bin, @@global.log_replica_updates, @@global.binlog_rows_query_log_events, ";
    let own = ["transaction_isolation", "transaction_read_only", "max_execution_time"];
    let sql = format!("{sql}{}", globals(&own));
    let rows = control.query(&sql, within).await?;
    let row = rows.first().cloned();
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

/// What asks for a digest of the global values that new sessions begin with: those that somebody may set on a running
/// server, by names that all servers know, and `own` ones of the family.
fn globals(own: &[&str]) -> String {
    const OF_ALL: [&str; 26] = [
        "autocommit",
        "character_set_client",
        "character_set_results",
        "character_set_server",
        "collation_connection",
        "collation_server",
        "default_storage_engine",
        "div_precision_increment",
        "foreign_key_checks",
        "group_concat_max_len",
        "innodb_lock_wait_timeout",
        "interactive_timeout",
        "join_buffer_size",
        "lc_time_names",
        "lock_wait_timeout",
        "long_query_time",
        "max_allowed_packet",
        "max_heap_table_size",
        "net_read_timeout",
        "net_write_timeout",
        "optimizer_switch",
        "sort_buffer_size",
        "sql_mode",
        "time_zone",
        "tmp_table_size",
        "wait_timeout",
    ];
    let values = OF_ALL.iter().chain(own).map(|name| format!("@@global.{name}")).collect::<Vec<_>>();
    format!("CRC32(CONCAT_WS('|', {}))", values.join(", "))
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
    let errors = [text(&["Last_IO_Error"]), text(&["Last_SQL_Error"])];
    Replication {
        source_host: text(&["Source_Host", "Master_Host"]),
        source_port: text(&["Source_Port", "Master_Port"]).parse().unwrap_or(0),
        source_number: text(&["Source_Server_Id", "Master_Server_Id"]).parse().unwrap_or(0),
        receiving: receiver == "Yes",
        receiver_stopped: receiver == "No",
        applying: text(&["Replica_SQL_Running", "Slave_SQL_Running"]) == "Yes",
        lag: row
            .any(&["Seconds_Behind_Source", "Seconds_Behind_Master"])
            .and_then(|s| s.parse().ok())
            .map(Duration::from_secs),
        error: errors.into_iter().find(|e| !e.is_empty()).unwrap_or_default(),
        received: text(&["Retrieved_Gtid_Set", "Gtid_IO_Pos"]).split_whitespace().collect(),
    }
}

fn is_on(value: &str) -> bool {
    matches!(value, "1" | "ON" | "on")
}
