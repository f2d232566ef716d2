//! What the proxy shows to the outside, name by name: endpoints, metrics, commands and their exit codes.

use std::{collections::BTreeSet, time::Duration};

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tideover_sandbox::servers::{ClusterOptions, Flavor};

use crate::support::{Scene, TestResult, command::tideover, eventually};

/// The metrics of the contract, their types and labels.
const METRICS: [(&str, &str, &[&str]); 15] = [
    ("tideover_client_connections", "gauge", &[]),
    ("tideover_server_connections", "gauge", &["server", "state"]),
    ("tideover_statements_total", "counter", &["kind", "role"]),
    ("tideover_proxy_seconds", "histogram", &[]),
    ("tideover_held_sessions", "gauge", &[]),
    ("tideover_hold_seconds", "histogram", &[]),
    ("tideover_switchovers_total", "counter", &["cause", "result"]),
    ("tideover_switchover_phase_seconds", "histogram", &["phase"]),
    ("tideover_replays_total", "counter", &["result"]),
    ("tideover_in_doubt_total", "counter", &["outcome"]),
    ("tideover_client_errors_total", "counter", &["cause"]),
    ("tideover_pins_total", "counter", &["reason"]),
    ("tideover_server_up", "gauge", &["role", "server"]),
    ("tideover_replica_lag_seconds", "gauge", &["server"]),
    ("tideover_gate_state", "gauge", &[]),
];

#[tokio::test]
async fn mariadb_11_8_endpoints_and_metrics() -> TestResult {
    let scene = Scene::start(Flavor::MariaDb118).await?;
    scene.wait_roles().await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TEMPORARY TABLE pinned (a INT)").await?;
    endpoints(&scene).await?;
    mistakes(&scene).await?;
    metrics(&scene).await?;
    scene.finish()
}

async fn endpoints(scene: &Scene) -> TestResult {
    let admin = scene.proxy.admin();
    for (path, part) in [
        ("/livez", "ok"),
        ("/readyz", "ok"),
        ("/metrics", "# TYPE tideover_gate_state gauge"),
        ("/", "<title>Tideover</title>"),
    ] {
        let answer = admin.get(path).await?;
        assert!(answer.status == 200 && answer.body.contains(part), "{path}: {answer:?}");
    }
    let keys = |value: &Value| value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
    let has = |value: &Value, wanted: &[&str]| {
        let there: BTreeSet<String> = keys(value);
        assert!(wanted.iter().all(|key| there.contains(*key)), "{wanted:?} are not all in {value:#}");
    };
    let status = admin.json("/v1/status").await?;
    has(
        &status,
        &["version", "uptime_s", "state", "problem", "primary", "epoch", "gate", "servers", "ready"],
    );
    has(&status["gate"], &["state", "reasons", "inside", "held"]);
    has(&status["servers"][0], &["address", "role", "problem", "version", "lag_s", "gtid", "leased", "idle"]);
    assert_eq!(status["sessions"], json!({ "clients": 1, "pinned": { "temporary_table": 1 } }));
    let sessions = admin.json("/v1/sessions").await?;
    has(&sessions["sessions"][0], &["id", "user", "client", "state", "pins", "server", "age_s"]);
    assert_eq!(sessions["sessions"][0]["pins"], json!(["temporary_table"]));
    // A time is a number of seconds, or text.
    for ttl in [json!(20), json!("20s")] {
        let held = admin.post("/v1/hold", &json!({ "ttl": ttl }).to_string()).await?;
        let report: Value = serde_json::from_str(&held.body)?;
        assert_eq!((&report["held"], &report["drained"]), (&json!(true), &json!(true)), "{report:#}");
        assert_eq!(scene.status("/gate/reasons").await?, json!(["hold"]));
    }
    let released: Value = serde_json::from_str(&admin.post("/v1/release", "").await?.body)?;
    assert_eq!(released["held"], json!(false), "{released:#}");
    let reloaded: Value = serde_json::from_str(&admin.post("/v1/reload", "").await?.body)?;
    assert_eq!(
        reloaded,
        json!({ "reloaded": ["certificates", "configuration"], "changed": [], "needs_restart": [] })
    );
    let flights = admin.json("/v1/flights").await?;
    has(&flights["flights"][0], &["cause", "result", "from", "to", "steps", "totals", "sessions"]);
    let body = r#"{"dry_run": true, "drain_timeout": 1.5}"#;
    let report = admin.switchover_with(body, |_| {}).await?;
    assert!(report.outcome == "dry_run" && !report.preflight.is_empty(), "{report:#?}");
    Ok(())
}

async fn mistakes(scene: &Scene) -> TestResult {
    let admin = scene.proxy.admin();
    for (path, body, part) in [
        ("/v1/switchover", r#"{"too": "x"}"#, "unknown field"),
        ("/v1/switchover", r#"{"drain_timeout": "soon"}"#, "drain_timeout"),
        ("/v1/switchover", "{", "body"),
        ("/v1/hold", r#"{"ttl": "0s"}"#, "hold.max_ttl"),
        ("/v1/hold", r#"{"ttl": "1h"}"#, "hold.max_ttl"),
        ("/v1/hold", r#"{"tll": 5}"#, "unknown field"),
    ] {
        let answer = admin.post(path, body).await?;
        let told: Value = serde_json::from_str(&answer.body)?;
        let error = told["error"].as_str().unwrap_or_default();
        assert!(answer.status == 400 && error.contains(part), "{path} {body}: {answer:?}");
    }
    assert_eq!(admin.get("/v1/nothing").await?.status, 404);
    assert_eq!(admin.get("/v1/hold").await?.status, 405);
    assert_eq!(scene.status("/gate/state").await?, json!("open"), "nothing was held by mistake");
    Ok(())
}

async fn metrics(scene: &Scene) -> TestResult {
    let before = scene.cluster.primary().address();
    let text = scene.proxy.admin().get("/metrics").await?.body;
    for (name, kind, labels) in METRICS {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "no {kind} {name}: {text}");
        let series = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(&*series));
        let line = line.ok_or_else(|| format!("no series {series}: {text}"))?;
        let inner = line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(inner, _)| inner);
        let found: Vec<&str> = inner.unwrap_or_default().split("\",").map(name_of).collect();
        let found: Vec<&str> = found.into_iter().filter(|name| !name.is_empty()).collect();
        assert_eq!(found, labels, "{line}");
    }
    let value = |text: &str, series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|rest| rest.trim().parse::<f64>().ok())
    };
    let to = scene.next_primary().await?;
    let lag = format!("tideover_replica_lag_seconds{{server=\"{to}\"}}");
    let up = |server, role| format!("tideover_server_up{{role=\"{role}\",server=\"{server}\"}}");
    assert!(value(&text, &lag).is_some(), "{text}");
    assert_eq!(value(&text, &up(before, "primary")), Some(1.0), "{text}");
    scene.switch().await?;
    scene.wait_roles().await?;
    let text = scene.proxy.admin().get("/metrics").await?.body;
    let done = "tideover_switchovers_total{cause=\"command\",result=\"done\"}";
    assert_eq!(value(&text, done), Some(1.0), "{text}");
    assert_eq!(value(&text, "tideover_switchover_phase_seconds_count{phase=\"promote\"}"), Some(1.0));
    assert_eq!(value(&text, &up(to, "primary")), Some(1.0), "{text}");
    assert_eq!(value(&text, &up(before, "primary")), None, "{text}");
    assert_eq!(value(&text, &lag), None, "a primary lags behind nobody: {text}");
    Ok(())
}

/// The label in `label="value`.
fn name_of(label: &str) -> &str {
    label.split_once('=').map_or("", |(name, _)| name)
}

#[tokio::test]
async fn mariadb_10_11_commands_and_their_exit_codes() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("admin", "token", "\"secret\"").set("switchover", "max_lag", "\"1h\"")
    })
    .await?;
    eventually("it is up", Duration::from_secs(20), async || Ok(scene.proxy.admin().is_ready().await))
        .await?;
    let url = format!("http://{}", scene.proxy.admin().address());
    let environment = [("TIDEOVER_ADMIN", &*url), ("TIDEOVER_ADMIN_TOKEN", "secret")];
    wrong_usage(&url).await?;
    checks(&scene).await?;
    orders(&scene, &environment).await?;
    half_way(&scene, &environment).await?;
    scene.finish_ended()
}

/// 2, and 1 where nobody answers: with `--json` the reason is a document on standard output.
async fn wrong_usage(url: &str) -> TestResult {
    let cases: [(&[&str], i32); 9] = [
        (&["status", "--admin", "ftp://127.0.0.1:1", "--json"], 2),
        (&["status", "--admin", "http://127.0.0.1:1", "--json"], 1),
        (&["status", "--flights", "--admin", "http://127.0.0.1:1", "--json"], 1),
        (&["drain", "--admin", "http://127.0.0.1:1", "--json"], 1),
        (&["switchover", "--drain-timeout", "soon", "--admin", url, "--json"], 2),
        (&["switchover", "--admin", url, "--token", "wrong", "--json"], 2),
        (&["hold", "--ttl", "soon", "--admin", url, "--token", "secret", "--json"], 2),
        (&["release", "--admin", url, "--json"], 2),
        (&["explain", "SELECT 1", "-c", "/does/not/exist", "--json"], 2),
    ];
    for (arguments, code) in cases {
        let output = tideover(arguments, &[]).await?;
        assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
        let error = &output.json()?["error"];
        assert!(error.is_string() && !output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    for arguments in [&["switchover", "--too"][..], &["hold", "--tll", "5s"], &["nothing"], &[]] {
        assert_eq!(tideover(arguments, &[]).await?.code, Some(2), "{arguments:?}");
    }
    Ok(())
}

async fn checks(scene: &Scene) -> TestResult {
    let file = scene.proxy.config_path().display().to_string();
    let fine = tideover(&["check", "-c", &file, "--connect", "--json"], &[]).await?;
    assert_eq!((fine.code, &fine.json()?["ok"]), (Some(0), &json!(true)), "{fine:?}");
    let by_environment = [("TIDEOVER_POOL__MAX_PER_SERVER", "none"), ("TIDEOVER_HOLD__TIMEUOT", "5s")];
    let wrong = tideover(&["check", "-c", &file, "--json"], &by_environment).await?;
    let told = wrong.json()?["configuration"].to_string();
    for part in ["TIDEOVER_POOL__MAX_PER_SERVER", "pool.max_per_server", "did you mean \\\"timeout\\\""] {
        assert!(wrong.code == Some(2) && told.contains(part), "{part}: {wrong:?}");
    }
    let run = tideover(&["run", "-c", &file], &by_environment).await?;
    assert!(run.code == Some(2) && run.stderr.contains("pool.max_per_server"), "{run:?}");
    // Options stand for keys, and the least of them make a configuration.
    let server = scene.cluster.primary().address().to_string();
    let arguments =
        ["check", "--listen", "127.0.0.1:0", "--server", &server, "--monitor-user", "tideover", "--connect"];
    let alone = tideover(&arguments, &[("TIDEOVER_MONITOR__PASSWORD", "tideover")]).await?;
    assert!(alone.code == Some(0) && alone.stderr.contains("is the primary"), "{alone:?}");
    let explained = tideover(&["explain", "SELECT 1 FROM t", "--json"], &[]).await?;
    assert_eq!(explained.json()?[0]["to"], json!("replica"), "{explained:?}");
    Ok(())
}

async fn orders(scene: &Scene, environment: &[(&str, &str)]) -> TestResult {
    let run = async |arguments: &[&str]| tideover(arguments, environment).await;
    let first = scene.cluster.primary().address().to_string();
    let status = run(&["status", "--json", "--sessions"]).await?;
    let shown = status.json()?;
    assert_eq!((status.code, &shown["primary"]), (Some(0), &json!(first)), "{status:?}");
    assert!(shown["session_list"].is_array(), "{status:?}");
    let people = run(&["status"]).await?;
    assert!(people.code == Some(0) && people.stdout.contains(&first), "{people:?}");
    let dry = run(&["switchover", "--dry-run", "--json"]).await?;
    assert_eq!((dry.code, &dry.json()?["outcome"]), (Some(0), &json!("dry_run")), "{dry:?}");
    let refused = run(&["switchover", "--to", "127.0.0.1:1", "--json"]).await?;
    assert_eq!((refused.code, &refused.json()?["outcome"]), (Some(1), &json!("failed")), "{refused:?}");
    let held = run(&["hold", "--ttl", "60s", "--json"]).await?;
    assert_eq!((held.code, &held.json()?["drained"]), (Some(0), &json!(true)), "{held:?}");
    assert_eq!(run(&["status", "--json"]).await?.json()?["gate"]["state"], json!("held"));
    let released = run(&["release"]).await?;
    assert!(released.code == Some(0) && released.stdout.is_empty(), "{released:?}");
    let second = scene.next_primary().await?.to_string();
    let done = run(&["switchover", "--to", &second]).await?;
    assert!(
        done.code == Some(0) && done.stdout.is_empty(),
        "what people read is on standard error: {done:?}"
    );
    for phase in ["preflight", "drain", "fence", "catch_up", "promote", "release", "repoint"] {
        assert!(done.stderr.contains(phase), "no {phase}: {done:?}");
    }
    assert_eq!(scene.cluster.find_primary().await?.address().to_string(), second);
    let flights = run(&["status", "--flights", "--json"]).await?;
    assert_eq!(flights.json()?["flights"][0]["cause"], json!("command"), "{flights:?}");
    Ok(())
}

/// 3: the proxy dies amid a switchover, and nobody knows how far it was.
async fn half_way(scene: &Scene, environment: &[(&str, &str)]) -> TestResult {
    scene.cluster.wait_in_sync().await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT)").await?;
    client.query_drop("BEGIN").await?;
    // It is waited for: what it has read without a lock may be otherwise when it is done again.
    client.query_drop("SELECT a FROM t").await?;
    let arguments = ["switchover", "--drain-timeout", "120s", "--json"];
    let (switching, ended) = tokio::join!(tideover(&arguments, environment), async {
        let drains = eventually("it drains", Duration::from_secs(60), async || {
            let status = tideover(&["status", "--json"], environment).await?.json()?;
            Ok(status["gate"]["state"] == "draining")
        })
        .await;
        scene.proxy.kill()?;
        drains
    });
    ended?;
    let output = switching?;
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.json()?["error"].as_str().is_some_and(|text| text.contains("look at the servers")));
    Ok(())
}
