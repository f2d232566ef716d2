//! A dump through the proxy is the dump of the server itself, and what is restored through the proxy is what was dumped.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::Stdio,
};

use mysql_async::{Row, prelude::Queryable};
use tokio::{task::spawn_blocking, time::Instant};

use super::{Tools, between};
use crate::{
    TYPES,
    support::{TestResult, length},
};

/// Rows of a thousand bytes that one statement makes, 10,000 at most.
const ROWS: (u64, u64) = (2000, 10_000);
/// Statements that do so: 1 GiB in full length.
const TIMES: (u64, u64) = (1, 105);
/// Whatever a database may hold beside rows.
const CODE: [&str; 6] = [
    "CREATE VIEW few AS SELECT id, k FROM `lines` WHERE id < 100",
    "CREATE PROCEDURE twice (a INT) BEGIN SELECT a; SELECT 2 * a; END",
    "CREATE FUNCTION half (a INT) RETURNS INT DETERMINISTIC RETURN a DIV 2",
    "CREATE TRIGGER kept BEFORE INSERT ON `lines` FOR EACH ROW SET NEW.k = NEW.k + 0",
    "CREATE EVENT never ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM `lines` WHERE id < 0",
    "INSERT INTO `lines` (k, note) VALUES (-1, NULL), (-2, 'quote '' and \\\\ and \\n and \\0 and 世界 😀')",
];

/// Dumps a database and restores it under another name.
pub(super) async fn dump_and_restore(tools: &Tools<'_>) -> TestResult {
    let mariadb = tools.flavor().is_mariadb();
    let Some(program) = tools.own(if mariadb { "mariadb-dump" } else { "mysqldump" }) else { return Ok(()) };
    let proxy = tools.scene.proxy.address();
    fill(tools).await?;
    let files = [tools.folder.join("proxied.sql"), tools.folder.join("direct.sql")];
    let mut times = Vec::new();
    for (file, address) in files.iter().zip([proxy, tools.scene.cluster.primary().address()]) {
        let began = Instant::now();
        let mut command = tools.client(&program, address);
        command.args(["--single-transaction", "--routines", "--events", "--triggers", "--skip-comments"]);
        if !mariadb {
            command.args(["--no-tablespaces", "--set-gtid-purged=OFF"]);
        }
        between("the dump", command.arg("big"), (Stdio::null(), File::create(file)?.into())).await?;
        times.push(began.elapsed().as_secs_f32());
    }
    let size = same(files[0].clone(), files[1].clone()).await?;
    std::fs::remove_file(&files[1])?;
    let began = Instant::now();
    restore(tools, &files[0]).await?;
    println!(
        "{}: a dump of {} MiB took {:.1} s, directly {:.1} s, and has the same bytes; its restoring took {:.1} s",
        tools.flavor(),
        size >> 20,
        times[0],
        times[1],
        began.elapsed().as_secs_f32()
    );
    std::fs::remove_file(&files[0])?;
    compare(tools).await
}

/// Makes the database, on the server itself.
async fn fill(tools: &Tools<'_>) -> TestResult {
    let primary = tools.scene.cluster.primary();
    let mut connection = primary.connect_as("app", "app", None).await?;
    let digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let count = length(ROWS.0, ROWS.1);
    let rows = format!(
        "INSERT INTO `lines` (k, note, body) SELECT a.n + 10 * b.n, CONCAT('note \"', c.n, '''\\\\', d.n), \
         RANDOM_BYTES(1000) FROM {digits} a, {digits} b, {digits} c, {digits} d LIMIT {count}"
    );
    let mut statements = vec![
        "CREATE DATABASE big".to_owned(),
        "USE big".to_owned(),
        "CREATE TABLE `lines` (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL, note VARCHAR(200), body BLOB, \
         KEY (k)) DEFAULT CHARSET=utf8mb4"
            .to_owned(),
    ];
    statements.extend(TYPES.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    let times = length(TIMES.0, TIMES.1);
    statements.extend((0..times).map(|_| rows.clone()));
    statements.extend(CODE.map(str::to_owned));
    statements.extend(["CREATE DATABASE restored".to_owned()]);
    for statement in statements {
        connection
            .query_drop(&statement)
            .await
            .map_err(|error| format!("{}: {error}", &statement[..statement.len().min(120)]))?;
    }
    tools.scene.cluster.wait_in_sync().await?;
    let stored: Option<u64> = primary.query_one("SELECT COUNT(*) FROM big.lines").await?;
    assert_eq!(stored, Some(times * count + 2));
    Ok(())
}

/// Feeds the client with the dump, through the proxy.
async fn restore(tools: &Tools<'_>, file: &Path) -> TestResult {
    let program = tools.flavor().directory().join("bin/client");
    let mut command = tools.client(&program, tools.scene.proxy.address());
    command.args(["--default-character-set=utf8mb4", "restored"]);
    between("restoring", &mut command, (File::open(file)?.into(), Stdio::piped())).await.map(drop)
}

/// Whether both databases are the same, on every server.
async fn compare(tools: &Tools<'_>) -> TestResult {
    tools.scene.cluster.wait_in_sync().await?;
    let sums = "CHECKSUM TABLE big.lines, restored.lines, big.types, restored.types";
    let code = |schema: &str| {
        format!(
            "SELECT CAST(GROUP_CONCAT(what ORDER BY what) AS CHAR) FROM (\
             SELECT CONCAT(routine_name, SHA2(routine_definition, 256)) what FROM information_schema.routines \
             WHERE routine_schema='{schema}' UNION ALL \
             SELECT CONCAT(trigger_name, SHA2(action_statement, 256)) FROM information_schema.triggers \
             WHERE trigger_schema='{schema}' UNION ALL \
             SELECT CONCAT(event_name, SHA2(event_definition, 256)) FROM information_schema.events \
             WHERE event_schema='{schema}' UNION ALL \
             SELECT CONCAT(table_name, SHA2(REPLACE(view_definition, '{schema}', ''), 256)) FROM information_schema.views \
             WHERE table_schema='{schema}') s"
        )
    };
    for server in tools.scene.cluster.servers() {
        let mut root = server.connect_as("root", "", Some("big")).await?;
        let rows: Vec<Row> = root.query(sums).await?;
        let sums: Vec<Option<u64>> = rows.into_iter().filter_map(|mut row| row.take(1)).collect();
        let same = sums.len() == 4 && sums[0] == sums[1] && sums[2] == sums[3];
        assert!(same && sums.iter().all(Option::is_some), "port {}: {sums:?}", server.port);
        let one: Option<String> = root.query_first(code("big")).await?;
        let other: Option<String> = root.query_first(code("restored")).await?;
        assert!(one.is_some() && one == other, "port {}: {one:?} and {other:?}", server.port);
    }
    Ok(())
}

/// Compares two files byte by byte, and gives their size.
pub(super) async fn same(one: PathBuf, other: PathBuf) -> TestResult<u64> {
    let compared = spawn_blocking(move || -> TestResult<u64> {
        let names = format!("{} and {}", one.display(), other.display());
        let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
        let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut size = 0;
        loop {
            let (got, also) = (read_full(&mut one, &mut a)?, read_full(&mut other, &mut b)?);
            if a[..got] != b[..also] {
                return Err(format!("{names} differ within a MiB of byte {size}").into());
            }
            size += got as u64;
            if got < a.len() {
                return Ok(size);
            }
        }
    });
    compared.await?
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
