//! After a promotion: makes the other servers, and the old primary, follow the new one.

use std::time::Duration;

use crate::backend::Control;
use crate::topology::{Flavor, Server};

use super::options::SwitchoverOptions;
use super::statements::{self, Source};

/// Time for one statement; stopping a busy replica takes a while.
const STATEMENT: Duration = Duration::from_secs(10);

/// Points one server at the new primary and starts it. The server must be read-only already.
///
/// # Errors
/// A sentence naming the server.
pub(super) async fn repoint(control: &mut Control, source: &Source<'_>) -> Result<(), String> {
    let flavor = control.flavor();
    let mut run: Vec<String> = vec![statements::stop_replica(flavor).to_owned()];
    if flavor == Flavor::MariaDb {
        // A former primary has written under its own number: from where to go on is its binary log's position, which
        // is never behind its replication position.
        let own =
            control.query("SELECT @@global.gtid_current_pos", STATEMENT).await.map_err(|e| e.to_string())?;
        let own = own.scalar().unwrap_or_default();
        run.push(format!("SET GLOBAL gtid_slave_pos={}", statements::quoted(&own)));
    }
    run.push(statements::follow(flavor, source));
    run.push(statements::start_replica(flavor).to_owned());
    for sql in &run {
        let done = control.query(sql, STATEMENT).await;
        // Stopping what does not replicate is an error on MySQL and a note on MariaDB: it is stopped all the same.
        if let Err(error) = done
            && (!sql.starts_with("STOP") || error.is_fatal())
        {
            return Err(without_password(&error.to_string(), source.password));
        }
    }
    Ok(())
}

/// Whom to follow: `primary` as it is configured, by the replication account.
///
/// # Errors
/// A sentence, if the address has no port; the configuration sees to it that it has.
pub(super) fn source_of<'a>(
    primary: &'a Server,
    options: &'a SwitchoverOptions,
) -> Result<Source<'a>, String> {
    let (host, port) = primary.address.rsplit_once(':').ok_or("the new primary's address has no port")?;
    let port = port.parse().map_err(|_| "the new primary's port is no number".to_owned())?;
    Ok(Source { host, port, user: &options.replication_user, password: &options.replication_password })
}

/// Makes the new primary stop following, and forget whom it followed.
pub(super) async fn forget(control: &mut Control) -> Result<(), String> {
    let flavor = control.flavor();
    for sql in [statements::stop_replica(flavor), statements::forget_source(flavor)] {
        control.query(sql, STATEMENT).await.map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// The failing statement is part of an error's text; a password must not be.
fn without_password(text: &str, password: &str) -> String {
    if password.is_empty() { text.to_owned() } else { text.replace(password, "…") }
}
