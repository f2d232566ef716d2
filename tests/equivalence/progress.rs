//! MariaDB's reports of how far a long statement is (`progress_report_time`) are no part of its answer: behind them it can be
//! done again, and its client gets the one answer, in sequence.

use std::time::Duration;

use tideover_protocol::capability::Capabilities;
use tideover_sandbox::servers::{Flavor, PromoteOptions, Server};
use tokio::time::timeout;

use crate::pair::{MODERN, collation};
use crate::support::{Scene, TestResult};
use crate::wire::Wire;

/// For reports, and for an ALTER TABLE that runs twice on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// An error packet with this code is a report.
const REPORT: [u8; 3] = [0xff; 3];
/// Seconds for all rows. The server looks whether a report is due every ten thousand.
const SLOW: &str = "INT DEFAULT (LENGTH(SHA2(REPEAT('x', 50000 + a), 512))), ALGORITHM=COPY";

#[tokio::test]
async fn mariadb_10_11_behind_reports_of_progress_a_statement_is_done_again() -> TestResult {
    let scene = Scene::start(Flavor::MariaDb1011).await?;
    scene.wait_roles().await?;
    scene
        .cluster
        .primary()
        .run(&[
            "CREATE TABLE app.slow (id INT PRIMARY KEY AUTO_INCREMENT, a INT)",
            "INSERT INTO app.slow (a) SELECT seq FROM app.seq_1_to_30000",
        ])
        .await?;
    scene.cluster.wait_in_sync().await?;
    let capabilities = MODERN.union(Capabilities::PROGRESS);
    let client = (capabilities, collation(Flavor::MariaDb1011));
    let mut wire = Wire::connect(scene.proxy.address(), "app", Some("app"), client).await?;
    wire.run("SET progress_report_time = 1").await?;

    // Its connection is ended.
    let mut next = begin(&mut wire, "killed").await?;
    kill_alter(scene.cluster.primary()).await?;
    finish(&mut wire, &mut next).await?;

    // Somebody makes another server the primary.
    next = begin(&mut wire, "moved").await?;
    let to = scene.cluster.replicas()[0].clone();
    scene.cluster.promote_by_hand(&to, PromoteOptions::planned()).await?;
    finish(&mut wire, &mut next).await?;

    let columns = "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) FROM information_schema.columns \
                   WHERE table_schema = 'app' AND table_name = 'slow'";
    assert_eq!(to.query_one::<String>(columns).await?.as_deref(), Some("id,a,killed,moved"));
    wire.run("SELECT 1").await?;
    scene.finish()
}

/// Sends the statement and waits for a report. Gives the number that the next packet must have.
async fn begin(wire: &mut Wire, column: &str) -> TestResult<u8> {
    wire.send(&[&[3], format!("ALTER TABLE slow ADD COLUMN {column} {SLOW}").as_bytes()].concat(), 0).await?;
    let (payload, number) = timeout(PATIENCE, wire.packet()).await??;
    assert!(payload.starts_with(&REPORT), "the statement was done before it was reported on: {payload:?}");
    assert_eq!(number, 1);
    Ok(2)
}

/// Ends the connection that runs it.
async fn kill_alter(server: &Server) -> TestResult {
    let running =
        "SELECT id FROM information_schema.processlist WHERE user = 'app' AND info LIKE '%ALTER TABLE slow%'";
    let id = server.query_one::<u64>(running).await?.ok_or("it is not running any more")?;
    Ok(server.run(&[format!("KILL {id}")]).await?)
}

/// More reports may come, and then the OK.
async fn finish(wire: &mut Wire, next: &mut u8) -> TestResult {
    loop {
        let (payload, number) = timeout(PATIENCE, wire.packet()).await??;
        assert_eq!(number, *next, "{payload:?}");
        *next = next.wrapping_add(1);
        if !payload.starts_with(&REPORT) {
            assert_eq!(payload.first(), Some(&0), "{}", String::from_utf8_lossy(&payload));
            return Ok(());
        }
    }
}
