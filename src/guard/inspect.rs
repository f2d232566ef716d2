//! Asks a server what it logs, and switches the logging of texts on where that is ours to do.

use std::time::Duration;

use crate::backend::{Control, ControlError};
use crate::topology::Flavor;

use super::readiness::Facts;
use super::{log_reader, marker};

/// Looks at a server; `texts`: has it log the texts of statements. Says also whether texts were switched on just now: sessions that were open before still lack them.
pub(super) async fn inspect(
    mut control: Control,
    texts: bool,
    within: Duration,
) -> Result<(Facts, bool), ControlError> {
    let (mut facts, switched) = match control.flavor() {
        Flavor::MariaDb => (mariadb(&mut control, within).await?, false),
        Flavor::MySql => mysql(&mut control, texts, within).await?,
    };
    facts.marker = marker::problem(&mut control, within).await?;
    if !facts.log {
        return Ok((facts, switched));
    }
    match log_reader::end(&mut control, within).await {
        Ok(end) => {
            facts.filters |= end.filtered;
            facts.unreadable = match end.position {
                None => Some("the end of its binary log is not known".to_owned()),
                Some(at) => match tokio::time::timeout(within, log_reader::probe(control, &at, within)).await
                {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some("its binary log could not be read in time".to_owned()),
                },
            };
        }
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => facts.unreadable = Some(error.to_string()),
    }
    Ok((facts, switched))
}

async fn mariadb(control: &mut Control, within: Duration) -> Result<Facts, ControlError> {
    let sql = "SELECT @@global.log_bin, @@global.log_slave_updates, @@global.binlog_annotate_row_events, \
               @@global.replicate_annotate_row_events, @@global.log_bin_compress, \
               CONCAT(@@global.replicate_do_db, @@global.replicate_ignore_db, @@global.replicate_do_table, \
               @@global.replicate_ignore_table, @@global.replicate_wild_do_table, \
               @@global.replicate_wild_ignore_table) <> ''";
    let rows = control.query(sql, within).await?;
    let on = |at| rows.first().and_then(|row| row.at(at)).is_some_and(|v| v == "1" || v == "ON");
    Ok(Facts {
        log: on(0),
        replica_updates: on(1),
        texts: on(2) && on(3),
        compressed: on(4),
        filters: on(5),
        ..Facts::default()
    })
}

async fn mysql(control: &mut Control, texts: bool, within: Duration) -> Result<(Facts, bool), ControlError> {
    let sql = "SELECT @@global.log_bin, @@global.log_replica_updates, @@global.binlog_rows_query_log_events, \
               @@global.binlog_transaction_compression";
    let rows = control.query(sql, within).await?;
    let on = |at| rows.first().and_then(|row| row.at(at)).is_some_and(|v| v == "1" || v == "ON");
    let mut facts = Facts {
        log: on(0),
        replica_updates: on(1),
        texts: on(2),
        compressed: on(3),
        filters: filters(control, within).await?,
        ..Facts::default()
    };
    let mut switched = false;
    if texts && facts.log && !facts.texts {
        switched = switch_texts_on(control, within).await?;
        facts.texts = switched;
    }
    Ok((facts, switched))
}

async fn filters(control: &mut Control, within: Duration) -> Result<bool, ControlError> {
    let sql = "SELECT (SELECT COUNT(*) FROM performance_schema.replication_applier_global_filters) \
               + (SELECT COUNT(*) FROM performance_schema.replication_applier_filters)";
    match control.query(sql, within).await {
        Ok(rows) => Ok(rows.scalar().is_none_or(|count| count != "0")),
        Err(error) if error.is_fatal() => Err(error),
        // No right to see them. Filtered replication is rare, and `check --connect` names the missing right.
        Err(_) => Ok(false),
    }
}

/// The applier takes the setting up when it starts; it is restarted if it runs.
async fn switch_texts_on(control: &mut Control, within: Duration) -> Result<bool, ControlError> {
    match control.query("SET GLOBAL binlog_rows_query_log_events=ON", within).await {
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => {
            tracing::warn!(server = %control.address(), %error, "statement texts cannot be switched on in the binary log");
            return Ok(false);
        }
        Ok(_) => {}
    }
    let replicas = control.query("SHOW REPLICA STATUS", within).await?;
    let applies = replicas.rows.iter().any(|row| row.text("Replica_SQL_Running").is_some_and(|v| v == "Yes"));
    if applies {
        control.query("STOP REPLICA SQL_THREAD", within).await?;
        control.query("START REPLICA SQL_THREAD", within).await?;
    }
    tracing::info!(
        server = %control.address(),
        applier_restarted = applies,
        "binlog_rows_query_log_events was off and is on now: the guard needs the texts of statements"
    );
    Ok(true)
}
