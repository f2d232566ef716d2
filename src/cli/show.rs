//! `tideover status`, `hold`, `release` and `drain`.

use std::fmt::Write;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::admin::Status;

use super::arguments::{AdminOptions, HoldOptions, StatusOptions};
use super::client::call;
use super::{print, tell};

/// Shows the state once, or again every second. Exit code 1: it cannot be had.
pub(super) async fn status(options: StatusOptions) -> u8 {
    loop {
        let value = match call(&options.admin, Method::GET, "/v1/status", None).await {
            Ok(value) => value,
            Err(failure) => return failure.told(options.admin.json),
        };
        let sessions = if options.sessions {
            call(&options.admin, Method::GET, "/v1/sessions", None).await.ok()
        } else {
            None
        };
        if options.watch && !options.admin.json {
            print("\x1b[2J\x1b[H");
        }
        if options.admin.json {
            let mut value = value;
            if let (Some(object), Some(Value::Object(more))) = (value.as_object_mut(), sessions) {
                object.insert("session_list".to_owned(), more.get("sessions").cloned().unwrap_or_default());
            }
            print(&value.to_string());
        } else {
            match serde_json::from_value::<Status>(value) {
                Ok(status) => print(&text(&status, sessions.as_ref())),
                Err(error) => {
                    tell(&format!("the answer is not a status: {error}"));
                    return 1;
                }
            }
        }
        if !options.watch {
            return 0;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn text(status: &Status, sessions: Option<&Value>) -> String {
    let mut out = String::new();
    let primary = status.primary.as_deref().unwrap_or("none");
    let _ = writeln!(out, "primary  {primary}   state {}   epoch {}", status.state, status.epoch);
    if !status.problem.is_empty() {
        let _ = writeln!(out, "problem  {}", status.problem);
    }
    let gate = &status.gate;
    let why = if gate.reasons.is_empty() { String::new() } else { format!(" ({})", gate.reasons.join(", ")) };
    let _ = writeln!(out, "gate     {}{why}   {} inside, {} held", gate.state, gate.inside, gate.held);
    if !status.failover.note.is_empty() {
        let _ = writeln!(out, "failover {}", status.failover.note);
    }
    let _ = writeln!(out, "clients  {}", status.sessions.clients);
    for (reason, count) in &status.sessions.pinned {
        let _ = writeln!(out, "pinned   {count} by {reason}");
    }
    if status.routing.on {
        let fit = status.routing.readers.iter().filter(|reader| reader.fit).count();
        let reads: u64 = status.routing.readers.iter().map(|reader| reader.reads).sum();
        let _ = writeln!(
            out,
            "reads    {reads} on replicas, {fit} of which serve ({})",
            status.routing.consistency
        );
    }
    let _ = writeln!(
        out,
        "\n{:<24} {:<9} {:<28} {:>6} {:>6} {:>5}",
        "server", "role", "version", "lag", "in use", "idle"
    );
    for server in &status.servers {
        let lag = server.lag_s.map_or_else(|| "-".to_owned(), |l| format!("{l} s"));
        let _ = writeln!(
            out,
            "{:<24} {:<9} {:<28} {:>6} {:>6} {:>5}  {}",
            server.address, server.role, server.version, lag, server.leased, server.idle, server.problem
        );
    }
    for session in sessions.and_then(|s| s.get("sessions")).and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(out, "session  {session}");
    }
    out
}

/// Holds; exit code 0 once nothing is inside, 1 if units are left (traffic is held all the same).
pub(super) async fn hold(options: HoldOptions) -> u8 {
    let body = json!({ "ttl": options.ttl });
    match call(&options.admin, Method::POST, "/v1/hold", Some(&body)).await {
        Ok(value) => {
            let drained = value.get("drained").and_then(Value::as_bool).unwrap_or(false);
            if options.admin.json {
                print(&value.to_string());
            } else if drained {
                tell(&format!("held for at most {}; nothing is inside", options.ttl));
            } else {
                tell(&format!(
                    "held for at most {}; {} units are still inside",
                    options.ttl, value["inside"]
                ));
            }
            u8::from(!drained)
        }
        Err(failure) => failure.told(options.admin.json),
    }
}

/// A command without arguments.
pub(super) async fn post(options: AdminOptions, path: &str) -> u8 {
    match call(&options, Method::POST, path, None).await {
        Ok(value) if options.json => {
            print(&value.to_string());
            0
        }
        Ok(value) => {
            match path {
                "/v1/release" => tell("released"),
                _ => tell(&format!("leaving; {} sessions are connected", value["sessions"])),
            }
            0
        }
        Err(failure) => failure.told(options.json),
    }
}
