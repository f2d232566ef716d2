//! Many large transactions open at once: their journals stay within the configured total, and what is beyond it is said.

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::task::JoinSet;

use super::support::{Scene, TestResult, code, length};

/// Statements of a transaction, each of `BODY` bytes and a little: 100 KiB together.
const STATEMENTS: usize = 25;
const BODY: usize = 4 << 10;
/// What a session with a server connection may take beside its journal: buffers of both sides.
const BESIDE: u64 = 48 << 10;

#[tokio::test]
async fn within_the_total_all_are_moved() -> TestResult {
    let (sessions, total) = (length(200, 1000), 256);
    for flavor in length(vec![Flavor::MariaDb1011], vec![Flavor::MariaDb1011, Flavor::Mysql9]) {
        let outcome = open_and_move(flavor, sessions, total).await?;
        let refused = &outcome.refused;
        assert!(refused.is_empty(), "{} were refused: {:?}", refused.len(), refused.first());
        assert_eq!(outcome.done, sessions);
    }
    Ok(())
}

#[tokio::test]
async fn beyond_the_total_is_said_and_kept_to() -> TestResult {
    let (sessions, total) = length((200, 8), (1000, 32));
    let outcome = open_and_move(Flavor::MariaDb1011, sessions, total).await?;
    let fit = (total << 20) / (STATEMENTS * BODY);
    // What was within the limit was moved, as far as it was a whole transaction.
    assert!(outcome.done > 0 && outcome.done <= fit, "{} of {sessions} moved, {fit} fit", outcome.done);
    assert_eq!(outcome.done + outcome.refused.len(), sessions);
    for (code, message) in &outcome.refused {
        assert_eq!(*code, 1213, "{message}");
        assert!(message.contains("replay.max_total"), "{message}");
    }
    let most = ((total as u64) << 20) * 5 / 4 + BESIDE * sessions as u64;
    assert!(outcome.growth <= most, "{} bytes of {most}", outcome.growth);
    Ok(())
}

#[derive(Debug, Default)]
struct Outcome {
    /// Transactions that committed.
    done: usize,
    /// What the others were told.
    refused: Vec<(u16, String)>,
    /// Of the proxy's memory while all were open, in bytes.
    growth: u64,
}

async fn open_and_move(flavor: Flavor, sessions: usize, total_mib: usize) -> TestResult<Outcome> {
    let cluster = ClusterOptions {
        server_options: vec![format!("--max-connections={}", sessions + 300)],
        ..ClusterOptions::new(flavor)
    };
    let scene = Scene::with(cluster, |options| {
        options
            .set("replay", "max_total", format!("\"{total_mib}MiB\""))
            .set("switchover", "drain_timeout", "\"200ms\"")
            .set("pool", "max_per_server", format!("{}", sessions + 50))
            .set("hold", "timeout", "\"60s\"")
    })
    .await?;
    let table =
        "CREATE TABLE app.big (id INT AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL, body TEXT NOT NULL)";
    scene.cluster.primary().run(&[table]).await?;
    let mut clients = Vec::new();
    for _ in 0..sessions {
        let mut client = scene.connect().await?;
        client.query_drop("SELECT 1").await?;
        clients.push(client);
    }
    let before = scene.proxy.resident()?;
    for (session, client) in clients.iter_mut().enumerate() {
        fill(client, session).await?;
    }
    let growth = scene.proxy.resident()?.saturating_sub(before);
    scene.switch().await?;
    let mut outcome = Outcome { growth, ..Outcome::default() };
    let mut committing = JoinSet::new();
    for (session, mut client) in clients.into_iter().enumerate() {
        committing.spawn(async move {
            client.query_drop(format!("INSERT INTO big (v, body) VALUES ({session}, 'last')")).await?;
            client.query_drop("COMMIT").await
        });
    }
    while let Some(result) = committing.join_next().await {
        match result? {
            Ok(()) => outcome.done += 1,
            Err(error) => outcome.refused.push(code(&error)),
        }
    }
    whole_or_not_at_all(&scene, outcome.done).await?;
    println!(
        "{flavor}: {sessions} transactions of {} KiB, max_total {total_mib} MiB: {} moved, {} refused; {} KiB more in use",
        (STATEMENTS * BODY) >> 10,
        outcome.done,
        outcome.refused.len(),
        growth >> 10
    );
    scene.finish()?;
    Ok(outcome)
}

async fn fill(client: &mut Conn, session: usize) -> TestResult {
    client.query_drop("BEGIN").await?;
    let sql = format!("INSERT INTO big (v, body) VALUES ({session}, '{}')", "x".repeat(BODY));
    for _ in 0..STATEMENTS {
        client.query_drop(&sql).await?;
    }
    Ok(())
}

async fn whole_or_not_at_all(scene: &Scene, done: usize) -> TestResult {
    let primary = scene.cluster.find_primary().await?;
    let rows = primary.query("SELECT COUNT(*) FROM app.big GROUP BY v").await?;
    let whole = rows.iter().filter(|row| row.get::<usize, _>(0) == Some(STATEMENTS + 1)).count();
    assert_eq!((rows.len(), whole), (done, done), "lost, doubled or torn");
    Ok(())
}
