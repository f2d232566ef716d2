//! `tideover switchover`: progress while it runs, the timeline at the end.

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::json;

use crate::switchover::{Outcome, Progress, Report};

use super::arguments::SwitchoverOptions;
use super::client::{Failure, call, send};
use super::{print, tell};

/// Runs one switchover. Exit codes: 0 done, 1 failed and the database is as before, 2 usage, 3 a person must look.
pub(super) async fn switchover(options: SwitchoverOptions) -> u8 {
    let mut body = json!({ "dry_run": options.dry_run });
    if let Some(to) = &options.to {
        body["to"] = json!(to);
    }
    if let Some(text) = &options.drain_timeout {
        let Some(timeout) = crate::admin::parse_ttl(text) else {
            let text = format!("--drain-timeout {text}: must be a duration like 5s or 500ms");
            return Failure::usage(text).told(options.admin.json);
        };
        body["drain_timeout"] = json!(timeout.as_secs_f64());
    }
    let response = match send(&options.admin, Method::POST, "/v1/switchover", Some(&body)).await {
        Ok(response) => Some(response),
        Err(failure) if failure.sent => None,
        Err(failure) => return failure.told(options.admin.json),
    };
    let report = match response {
        Some(response) => follow(response.into_body(), options.admin.json).await,
        None => None,
    };
    match report {
        Some(report) => {
            if options.admin.json {
                print(&serde_json::to_string(&report).unwrap_or_default());
            } else {
                tell(&summary(&report));
            }
            report.outcome.exit_code()
        }
        None => {
            // The proxy went away under us: what it was doing is not known here.
            let state = match call(&options.admin, Method::GET, "/v1/status", None).await {
                Ok(status) => status.to_string(),
                Err(failure) => failure.text,
            };
            let text = format!(
                "the connection to the proxy was lost amid the switchover; look at the servers (status: {state})"
            );
            Failure { text, code: 3, sent: true }.told(options.admin.json)
        }
    }
}

/// Reads server-sent events until the report.
async fn follow(mut body: Incoming, quiet: bool) -> Option<Report> {
    let mut text = String::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        text.push_str(&String::from_utf8_lossy(data));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let data = event.lines().find_map(|l| l.strip_prefix("data:")).unwrap_or_default();
            match serde_json::from_str(data.trim()) {
                Ok(Progress::Report(report)) => return Some(*report),
                Ok(Progress::PhaseEnd(phase)) if !quiet => {
                    let time = format!("{:>9.2} ms", phase.took_ms);
                    tell(&format!("{:>9.2} ms  {:<10} {time}  {}", phase.at_ms, phase.phase, phase.detail));
                }
                _ => {}
            }
        }
    }
    None
}

fn summary(report: &Report) -> String {
    let mut lines = Vec::new();
    for finding in report.preflight.iter().filter(|f| !f.ok || report.outcome == Outcome::DryRun) {
        let mark = if finding.ok { "ok     " } else { "refused" };
        lines.push(format!("{mark} {:<20} {}", finding.check, finding.message));
    }
    match report.outcome {
        Outcome::Done => lines.push(format!(
            "{} is the primary now: {:.0} ms in all, {:.0} ms of switching, held for {:.0} ms ({} sessions waited, {} units ended)",
            report.to, report.total_ms, report.switch_ms, report.held_ms, report.held_sessions, report.cut_units
        )),
        Outcome::DryRun => lines.push(format!("all checks passed: {} could replace {}", report.to, report.from)),
        Outcome::Failed => lines.push("failed; the database is as before".to_owned()),
        Outcome::Stuck => lines.push("ended half-way; a person must look".to_owned()),
    }
    lines.extend(report.problems.iter().map(|p| format!("problem: {p}")));
    lines.join("\n")
}
