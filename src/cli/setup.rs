//! `tideover check --connect --setup`: installs the commit marker on the primary, from where it replicates.

use std::time::Duration;

use serde_json::Value;

use crate::app::Settings;
use crate::backend::{Account, Connector, Control, ControlError, Target};
use crate::guard;
use crate::net::BufferPool;
use crate::topology::Topology;

use super::check::finding;

/// Time for one statement; creating a table may wait for others.
const STATEMENT: Duration = Duration::from_secs(10);
/// People and programs that may log in; the servers' own accounts start with `mysql.` or `mariadb.`.
const ACCOUNTS: &str = "SELECT user, host FROM mysql.user WHERE user <> '' AND host <> '' AND user NOT LIKE 'mysql.%' \
                        AND user NOT LIKE 'mariadb.%' ORDER BY user, host";

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
    let rows = match control.query(ACCOUNTS, STATEMENT).await {
        Err(error) if error.is_fatal() => return Err(error),
        // Named by the check of the accounts; where everybody gets the right at once, they are not needed.
        Err(_) => Vec::new(),
        Ok(rows) => rows.rows,
    };
    let accounts: Vec<(String, String)> =
        rows.iter().filter_map(|row| Some((row.at(0)?, row.at(1)?))).collect();
    let (flavor, version) = (control.flavor(), control.version().to_owned());
    let mut findings = Vec::new();
    for step in guard::setup(flavor, &version, &accounts) {
        let done = control.query(&step.sql, STATEMENT).await;
        let text = format!("commit marker, {}: {}", step.what, step.sql);
        match done {
            Ok(_) => findings.push(finding(true, &text)),
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => findings.push(finding(false, &format!("commit marker, {}: {error}", step.what))),
        }
    }
    Ok(findings)
}
