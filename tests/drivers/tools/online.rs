//! A table is changed online by pt-online-schema-change while clients write to it and the primary is switched: the tool
//! and the clients notice nothing, and no row is lost or doubled.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mysql_async::{Conn, prelude::Queryable};
use tokio::{process::Command, task::JoinSet, time::sleep};

use super::{Tools, in_path, run};
use crate::support::{Scene, TestResult, code, eventually, length};

const TOOL: &str = "pt-online-schema-change";
/// Rows before the load begins, and how many are copied at a time, with a pause behind, in seconds: long enough for the
/// switchovers.
const ROWS: (u32, u32) = (4000, 20_000);
const CHUNK: u32 = 200;
const PAUSE: (f32, f32) = (0.1, 1.0);
const CLIENTS: u32 = 6;

/// Rows of one client: id and counter.
type Books = BTreeMap<u64, u32>;

/// Changes the table under load, with switchovers.
pub(super) async fn change(tools: &Tools<'_>) -> TestResult {
    let Some(program) = in_path(TOOL) else {
        println!("skipped: {TOOL} with {}, since it is not installed", tools.flavor());
        return Ok(());
    };
    let (scene, rows) = (tools.scene, length(ROWS.0, ROWS.1));
    let mut first = scene.connect().await?;
    first
        .query_drop(
            "CREATE TABLE changing (id BIGINT AUTO_INCREMENT PRIMARY KEY, owner INT NOT NULL, n INT NOT NULL, \
             note VARCHAR(40))",
        )
        .await?;
    for at in (0..rows).step_by(1000) {
        let values: Vec<String> = (at..at + 1000).map(|n| format!("(0, {n}, 'before {n}')")).collect();
        first
            .query_drop(format!("INSERT INTO changing (owner, n, note) VALUES {}", values.join(",")))
            .await?;
    }
    // A table that seems to be empty is copied at once, and the servers count rows some seconds late.
    first.query_drop("ANALYZE TABLE changing").await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for owner in 1..=CLIENTS {
        load.spawn(write(scene.connect().await?, owner, stop.clone()));
    }
    let mut command = tool(&program, tools);
    let changing = run(TOOL, &mut command);
    let (changed, switched) = tokio::join!(changing, switch_meanwhile(tools));
    stop.store(true, Ordering::Release);
    let text = String::from_utf8_lossy(&changed?.stdout).into_owned();
    let switches = switched?;
    let mut count = 0;
    scene.cluster.wait_in_sync().await?;
    while let Some(done) = load.join_next().await {
        let (owner, books, transactions) = done??;
        count += transactions;
        check(scene, owner, &books).await?;
    }
    check_table(scene, rows).await?;
    println!(
        "{}: {TOOL} changed {rows} rows and more, with {switches} switchovers while it copied, beside {count} transactions: {}",
        tools.flavor(),
        text.lines().last().unwrap_or_default()
    );
    Ok(())
}

fn tool(program: &std::path::Path, tools: &Tools<'_>) -> Command {
    let proxy = tools.scene.proxy.address();
    let mut command = Command::new(program);
    command
        // Files of this machine's own with options for it.
        .arg("--config=/dev/null")
        .args(["--execute", "--no-version-check", "--recursion-method=none", "--statistics"])
        .args(["--max-load=Threads_running=1000", "--critical-load=Threads_running=2000"])
        .args([
            &format!("--chunk-size={CHUNK}"),
            "--chunk-time=0",
            &format!("--sleep={}", length(PAUSE.0, PAUSE.1)),
        ])
        .args([
            "--alter",
            "ADD COLUMN extra INT NOT NULL DEFAULT 7, MODIFY note VARCHAR(80), ADD INDEX (owner)",
        ])
        .arg(format!("h={},P={},u=app,p=app,D=app,t=changing", proxy.ip(), proxy.port()))
        .env("PERL5LIB", "");
    if !tools.flavor().is_mariadb() {
        // From the tree that MySQL 9.7 explains with it reads that there are no rows, and copies all of them at once.
        command.arg("--set-vars=explain_format=TRADITIONAL");
    }
    command
}

/// Switches the primary while rows are copied. Gives how often.
async fn switch_meanwhile(tools: &Tools<'_>) -> TestResult<u32> {
    let times = length(1, 3);
    for done in 0..times {
        let wanted = u64::from((done + 1) * length(ROWS.0, ROWS.1) / (times + 1));
        eventually("rows are copied", Duration::from_secs(900), || async {
            let sql = "SELECT COUNT(*) FROM app._changing_new";
            match tools.scene.cluster.find_primary().await?.query_one::<u64>(sql).await {
                Ok(copied) => Ok(copied.unwrap_or_default() > wanted),
                // Until the tool has made it there is none, and none when it is done.
                Err(_) if done == 0 => Ok(false),
                Err(error) => Err(format!("it was done after {done} switchovers: {error}").into()),
            }
        })
        .await?;
        tools.scene.switch().await?;
    }
    Ok(times)
}

/// Transactions of one client, with books of what was acknowledged.
async fn write(mut connection: Conn, owner: u32, stop: Arc<AtomicBool>) -> TestResult<(u32, Books, u64)> {
    let (mut books, mut count) = (Books::new(), 0);
    while !stop.load(Ordering::Acquire) {
        let mut after = books.clone();
        match transaction(&mut connection, owner, &mut after).await {
            Ok(()) => (books, count) = (after, count + 1),
            // So it is without a proxy: the tool copies with locks, and a trigger that was about to write to the copy may
            // find it renamed. What the proxy says of itself is no such thing.
            Err(error) if is_the_tools(&code(&error)) => {
                connection.query_drop("ROLLBACK").await?;
            }
            Err(error) => return Err(format!("client {owner} saw {error}").into()),
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok((owner, books, count))
}

/// Whether an error comes of what the tool does.
fn is_the_tools((number, text): &(u16, String)) -> bool {
    !text.contains("tideover")
        && (matches!(number, 1205 | 1213) || (*number == 1146 && text.contains("_changing_new")))
}

async fn transaction(connection: &mut Conn, owner: u32, books: &mut Books) -> mysql_async::Result<()> {
    connection.query_drop("BEGIN").await?;
    connection.exec_drop("INSERT INTO changing (owner, n, note) VALUES (?, 1, 'new')", (owner,)).await?;
    let id = connection.last_insert_id().unwrap_or_default();
    books.insert(id, 1);
    if let Some(mut known) = books.first_entry() {
        connection.exec_drop("UPDATE changing SET n = n + 1 WHERE id = ?", (known.key(),)).await?;
        *known.get_mut() += 1;
    }
    if books.len() > 20
        && let Some((old, _)) = books.pop_first()
    {
        connection.exec_drop("DELETE FROM changing WHERE id = ?", (old,)).await?;
    }
    connection.query_drop("COMMIT").await
}

async fn check(scene: &Scene, owner: u32, books: &Books) -> TestResult {
    for server in scene.cluster.servers() {
        let rows = server.query(&format!("SELECT id, n FROM app.changing WHERE owner = {owner}")).await?;
        let found: Books = rows.into_iter().map(mysql_async::from_row::<(u64, u32)>).collect();
        assert_eq!(&found, books, "rows of client {owner} on port {}", server.port);
    }
    Ok(())
}

/// The rows from before are all there, in the new form, and nothing is left of the tool, on every server.
async fn check_table(scene: &Scene, rows: u32) -> TestResult {
    for server in scene.cluster.servers() {
        let sql = "SELECT CONCAT_WS(' ', COUNT(*), SUM(n), SUM(extra), SUM(note = CONCAT('before ', n))) \
                   FROM app.changing WHERE owner = 0";
        let found: Option<String> = server.query_one(sql).await?;
        let sum = u64::from(rows) * u64::from(rows - 1) / 2;
        assert_eq!(
            found,
            Some(format!("{rows} {sum} {} {rows}", 7 * u64::from(rows))),
            "port {}",
            server.port
        );
        let left = "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='app' AND table_name LIKE \
                    '\\\\_changing%') + (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema='app')";
        assert_eq!(server.query_one::<u64>(left).await?, Some(0), "port {}", server.port);
    }
    Ok(())
}
