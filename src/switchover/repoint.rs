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
        run.extend(adopt_own_position(control).await?);
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

/// A former primary of MariaDB has written under its own number: from where to go on is its binary log's position, which is
/// never behind its replication position. Where the two are the same nothing is to be said: to say it empties and fills a
/// table, which takes up to seconds (seen: more than 10 s on a busy disk).
async fn adopt_own_position(control: &mut Control) -> Result<Option<String>, String> {
    let asked = "SELECT @@global.gtid_current_pos, @@global.gtid_slave_pos";
    let positions = control.query(asked, STATEMENT).await.map_err(|e| e.to_string())?;
    let row = positions.rows.first();
    let at = |column| row.and_then(|row| row.at(column)).unwrap_or_default();
    let (current, replicated) = (at(0), at(1));
    let set = || format!("SET GLOBAL gtid_slave_pos={}", statements::quoted(&current));
    Ok((!is_same(&current, &replicated)).then(set))
}

/// Whether two positions are the same, in whatever order their domains come.
fn is_same(one: &str, other: &str) -> bool {
    let sorted = |position: &str| {
        let mut parts: Vec<String> = position.split(',').map(|part| part.trim().to_owned()).collect();
        parts.sort();
        parts
    };
    sorted(one) == sorted(other)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_compared_by_domain() {
        assert!(is_same("0-1-5, 1-2-3", "1-2-3,0-1-5") && is_same("", ""));
        // Another server's transaction of the same number is another one.
        assert!(!is_same("0-1-5", "0-2-5") && !is_same("0-1-5", "0-1-5,1-2-3") && !is_same("0-1-5", ""));
    }
}
