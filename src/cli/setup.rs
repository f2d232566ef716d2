//! `tideover check --connect --setup`: installs the commit marker on the primary, from where it replicates.

use std::time::Duration;

use serde_json::Value;

use crate::app::Settings;
use crate::backend::{Account, Connector, Control, ControlError, Target};
use crate::guard::{self, Step};
use crate::net::BufferPool;
use crate::topology::Topology;

use super::check::finding;

/// Time for one statement; creating a table may wait for others.
const STATEMENT: Duration = Duration::from_secs(10);
/// People and programs that may log in; the servers' own accounts start with `mysql.` or `mariadb.`.
const ACCOUNTS: &str = "SELECT user, host FROM mysql.user WHERE user <> '' AND host <> '' AND user NOT LIKE 'mysql.%' \
                        AND user NOT LIKE 'mariadb.%' ORDER BY user, host";

/// ER_SPECIFIC_ACCESS_DENIED_ERROR: MySQL lets only accounts with SYSTEM_USER change those that have it.
const SYSTEM_USER: u16 = 1227;

/// What was done, and what could not be.
pub(super) async fn setup(settings: &Settings, topology: &Topology) -> Vec<Value> {
    let Some(primary) = topology.primary() else {
        return vec![finding(false, "the commit marker is not installed: there is no primary")];
    };
    let connector = match settings.server_tls() {
        Ok(tls) => Connector::new(tls, BufferPool::new()),
        Err(problem) => return vec![finding(false, &problem)],
    };
    let target = Target { address: primary.address.clone() };
    match install(&connector, &target, &settings.monitor_account()).await {
        Ok(findings) => findings,
        Err(error) => vec![finding(false, &format!("the commit marker is not installed: {error}"))],
    }
}

async fn install(
    connector: &Connector,
    target: &Target,
    account: &Account,
) -> Result<Vec<Value>, ControlError> {
    let mut control = Control::connect(connector, target, account, STATEMENT).await?;
    let mut findings = Vec::new();
    for step in guard::setup() {
        findings.push(run(&mut control, &step).await?.0);
    }
    if let Some(step) = guard::grant_to_all(control.flavor(), control.version()) {
        let (granted, refused) = run(&mut control, &step).await?;
        if refused.is_none() {
            findings.push(granted);
            return Ok(findings);
        }
        // Seen on MariaDB 11.8: the first grant to PUBLIC takes the right to create users.
        let why = granted["message"].as_str().unwrap_or_default();
        findings.push(finding(true, &format!("{why}; each account is granted it instead")));
    }
    let rows = match control.query(ACCOUNTS, STATEMENT).await {
        Err(error) if error.is_fatal() => return Err(error),
        other => other.map(|rows| rows.rows),
    };
    match rows {
        Err(error) => findings.push(finding(false, &format!("commit marker, right to use it: {error}"))),
        Ok(rows) => {
            for row in rows {
                let (Some(user), Some(host)) = (row.at(0), row.at(1)) else { continue };
                findings.push(grant(&mut control, &user, &host).await?);
            }
        }
    }
    Ok(findings)
}

/// Accounts that the monitor account may not touch are for people; they are named, and nothing is wrong.
async fn grant(control: &mut Control, user: &str, host: &str) -> Result<Value, ControlError> {
    let (done, refused) = run(control, &guard::grant_to(user, host)).await?;
    if refused != Some(SYSTEM_USER) {
        return Ok(done);
    }
    let text =
        format!("commit marker: '{user}'@'{host}' is left out, since it has the SYSTEM_USER privilege");
    Ok(finding(true, &text))
}

/// Runs one step; gives also the number of the error if it was refused.
async fn run(control: &mut Control, step: &Step) -> Result<(Value, Option<u16>), ControlError> {
    match control.query(&step.sql, STATEMENT).await {
        Ok(_) => Ok((finding(true, &format!("commit marker, {}: {}", step.what, step.sql)), None)),
        Err(error) => match error.code() {
            Some(code) => Ok((finding(false, &format!("commit marker, {}: {error}", step.what)), Some(code))),
            None => Err(error),
        },
    }
}
