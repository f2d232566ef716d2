//! The flight record and the stream of events.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::Value;
use tideover_sandbox::servers::{Flavor, PromoteOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::time::timeout;

use crate::support::{Scene, TestResult, eventually};

async fn flights(scene: &Scene) -> TestResult<Vec<Value>> {
    let answer = scene.proxy.admin().json("/v1/flights").await?;
    Ok(answer["flights"].as_array().cloned().unwrap_or_default())
}

type Events = Lines<BufReader<tokio::net::TcpStream>>;

/// The body of `GET /v1/events`, line by line.
async fn events(scene: &Scene) -> TestResult<Events> {
    let mut stream = tokio::net::TcpStream::connect(scene.proxy.admin().address()).await?;
    stream.write_all(b"GET /v1/events HTTP/1.0\r\nhost: x\r\n\r\n").await?;
    let mut lines = BufReader::new(stream).lines();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    Ok(lines)
}

async fn expect_all_kinds(mut events: Events) {
    let mut missing = vec!["flight", "phase", "topology", "gate", "release", "end"];
    let all_kinds = async {
        while let Ok(Some(line)) = events.next_line().await {
            let kind = line.strip_prefix("event:").map(str::trim).unwrap_or_default();
            missing.retain(|m| *m != kind);
            if missing.is_empty() {
                break;
            }
        }
    };
    let told = timeout(Duration::from_secs(20), all_kinds).await;
    assert!(told.is_ok() && missing.is_empty(), "no events {missing:?}");
}

/// A commanded switchover, a hold and somebody else's switchover leave a record each, with those who waited.
#[tokio::test]
async fn each_switchover_leaves_a_record() -> TestResult {
    let scene = Scene::start(Flavor::MariaDb1011).await?;
    assert!(flights(&scene).await?.is_empty(), "looking for the first primary is no flight");
    let events = events(&scene).await?;

    let first = scene.cluster.primary().address();
    let warnings = || scene.proxy.log().matches("no primary").count();
    let at_start = warnings();
    scene.switch().await?;
    assert_eq!(warnings(), at_start, "what we do ourselves is no loss of the primary");
    let second = scene.cluster.find_primary().await?.address();
    expect_all_kinds(events).await;

    let mut connection = scene.connect().await?;
    connection.query_drop("CREATE TABLE held (a INT)").await?;
    let held = scene.proxy.admin().post("/v1/hold", r#"{"ttl": "20s"}"#).await?;
    assert_eq!(held.status, 200, "{}", held.body);
    let waiting = tokio::spawn(async move {
        let done = connection.query_drop("INSERT INTO held VALUES (1)").await;
        (connection.id(), done)
    });
    eventually("nobody waits", Duration::from_secs(10), || async {
        Ok(scene.status("/gate/held").await? == 1)
    })
    .await?;
    scene.proxy.admin().post("/v1/release", "").await?;
    let (session, done) = waiting.await?;
    done?;

    let third = scene.next_primary().await?;
    let servers = scene.cluster.servers();
    let target = servers.iter().find(|s| s.address() == third).ok_or("no such server")?.clone();
    scene.cluster.promote_by_hand(&target, PromoteOptions::planned()).await?;
    scene.wait_status("/primary", Value::from(third.to_string()), Duration::from_secs(10)).await?;

    let record = flights(&scene).await?;
    let brief: Vec<(&str, &str, &str, &str)> = record
        .iter()
        .map(|f| {
            let text = |key: &str| f[key].as_str().unwrap_or_default();
            (text("cause"), text("result"), text("from"), text("to"))
        })
        .collect();
    let (first, second, third) = (first.to_string(), second.to_string(), third.to_string());
    let wanted = [
        ("external", "done", &*second, &*third),
        ("hold", "done", &*second, &*second),
        ("command", "done", &*first, &*second),
    ];
    assert_eq!(brief, wanted, "{record:#?}");
    let phases: Vec<&str> =
        record[2]["steps"].as_array().into_iter().flatten().filter_map(|s| s["what"].as_str()).collect();
    for phase in ["preflight", "drain", "fence", "catch_up", "promote", "publish", "release", "repoint"] {
        assert!(phases.contains(&phase), "no {phase} in {phases:?}");
    }
    let sessions = &record[1]["sessions"];
    assert_eq!((&sessions[0]["session"], &sessions[0]["waits"]), (&Value::from(session), &Value::from(1)));
    assert!(record.iter().all(|f| f["released_ms"].is_number()), "{record:#?}");
    scene.finish()
}
