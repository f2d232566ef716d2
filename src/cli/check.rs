//! `tideover check`: is the configuration right; with `--connect`, are the servers ready for a switchover.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::Settings;
use crate::backend::{Account, Connector, Control, Target};
use crate::monitor::{Memory, Observation, Probe, judge};
use crate::net::BufferPool;
use crate::switchover::missing_rights;
use crate::topology::{ClusterState, ServerId, Topology};

use super::arguments::CheckOptions;
use super::configuration::load;
use super::setup::setup;
use super::{print, tell};

/// Time for one question.
const QUESTION: Duration = Duration::from_secs(3);

/// Exit code 0: all is right; 1: the servers are not ready; 2: the configuration is wrong.
pub(super) async fn check(options: CheckOptions) -> u8 {
    let settings = match configuration(&options) {
        Ok(right) => right,
        Err(mistakes) => {
            if options.json {
                print(&json!({ "ok": false, "configuration": mistakes }).to_string());
            } else {
                tell(&mistakes.join("\n"));
            }
            return 2;
        }
    };
    if !options.connect {
        if options.json {
            print(&json!({ "ok": true, "configuration": [] }).to_string());
        } else {
            tell(&format!("the configuration is right: {} servers", settings.servers.len()));
        }
        return 0;
    }
    let (topology, mut findings) = look(&settings).await;
    if options.setup {
        findings.extend(setup(&settings, &topology).await);
    }
    let ok = findings.iter().all(|f| f["ok"] == json!(true));
    if options.json {
        let document = json!({ "ok": ok, "configuration": [], "checks": findings });
        print(&document.to_string());
    } else {
        show(&topology, &findings);
    }
    u8::from(!ok)
}

/// Settings that can be started with; or all mistakes.
fn configuration(options: &CheckOptions) -> Result<Settings, Vec<String>> {
    let config = load(&options.config)
        .map_err(|problems| problems.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let settings = Settings::from(&config);
    settings.check_files().map_err(|problem| vec![problem])?;
    Ok(settings)
}

fn show(topology: &Topology, findings: &[Value]) {
    for server in &topology.servers {
        tell(&format!(
            "{:<24} {:<9} {} {}",
            server.address,
            server.role.name(),
            server.version,
            server.problem
        ));
    }
    for finding in findings {
        let mark = if finding["ok"] == json!(true) { "ok     " } else { "problem" };
        tell(&format!("{mark} {}", finding["message"].as_str().unwrap_or_default()));
    }
}

/// Looks at every server once, and asks each what matters for a switchover.
async fn look(settings: &Settings) -> (Topology, Vec<Value>) {
    let addresses: Vec<Arc<str>> = settings.servers.iter().map(|s| s.as_str().into()).collect();
    let connector = match settings.server_tls() {
        Ok(tls) => Connector::new(tls, BufferPool::new()),
        Err(problem) => return (Topology::unseen(&addresses), vec![finding(false, &problem)]),
    };
    let account = settings.monitor_account();
    let mut looks = Vec::new();
    let mut findings = Vec::new();
    for (at, address) in addresses.iter().enumerate() {
        let target = Target { address: address.clone() };
        let mut probe = Probe::new(connector.clone(), target.clone(), account.clone(), QUESTION);
        let result = probe.look().await;
        match &result {
            Ok(_) => findings.extend(questions(&connector, &target, &account).await),
            Err(unseen) => findings.push(finding(false, unseen.reason())),
        }
        looks.push(Observation { id: ServerId(at), result });
    }
    let (_, topology) = judge(&Memory::default(), &Topology::unseen(&addresses), &looks);
    match (topology.primary(), &topology.state) {
        (Some(primary), _) => findings.push(finding(true, &format!("{} is the primary", primary.address))),
        (None, ClusterState::None { why }) => findings.push(finding(false, &format!("no primary: {why}"))),
        (None, state) => findings.push(finding(false, &format!("no primary: {}", state.name()))),
    }
    for server in topology.servers.iter().filter(|s| s.is_up()) {
        if !server.problem.is_empty() {
            findings.push(finding(false, &format!("{}: {}", server.address, server.problem)));
        }
        if !server.logs_replica_updates {
            let text = "writes no binary log with replicated changes (log_bin, log_slave_updates / log_replica_updates): it cannot become the primary";
            findings.push(finding(false, &format!("{}: {text}", server.address)));
        }
    }
    (topology, findings)
}

async fn questions(connector: &Connector, target: &Target, account: &Account) -> Vec<Value> {
    let address = &target.address;
    let mut control = match Control::connect(connector, target, account, QUESTION).await {
        Ok(control) => control,
        Err(error) => return vec![finding(false, &error.to_string())],
    };
    let mut findings = Vec::new();
    match control.query("SHOW GRANTS", QUESTION).await {
        Ok(rows) => {
            let grants: Vec<String> = rows.rows.iter().filter_map(|r| r.at(0)).collect();
            let missing = missing_rights(control.flavor(), &grants);
            let text = if missing.is_empty() {
                format!("{address}: the monitor account has the rights for a switchover")
            } else {
                format!("{address}: the monitor account lacks {}", missing.join(", "))
            };
            findings.push(finding(missing.is_empty(), &text));
        }
        Err(error) => findings.push(finding(false, &error.to_string())),
    }
    let accounts =
        control.query("SELECT plugin, authentication_string FROM mysql.user LIMIT 1", QUESTION).await;
    findings.push(match accounts {
        Ok(_) => finding(true, &format!("{address}: the accounts can be read")),
        Err(error) => finding(
            false,
            &format!(
                "the accounts cannot be read (grant SELECT ON mysql.*, or use auth.mode=\"users\"): {error}"
            ),
        ),
    });
    findings
}

pub(super) fn finding(ok: bool, message: &str) -> Value {
    json!({ "ok": ok, "message": message })
}
