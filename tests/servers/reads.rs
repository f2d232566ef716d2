//! Reads on replicas, and nobody can tell: no stale read of one's own writes, no read older than the one before, no error
//! while replicas lag, stop and die and the primary changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Scene, TestResult, eventually, length};

/// Sessions at once.
pub(crate) const SESSIONS: u64 = 16;
pub(crate) const ALL_SESSIONS: u64 = 64;
/// Tables that they write to.
const TABLES: u64 = 3;
/// Rows that all of them write to.
const SHARED: u64 = 4;

/// Where it shall not depend on the machine's speed who serves.
const PATIENT: &str = "\"5s\"";

/// What the sessions did together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    reads: AtomicU64,
    writes: AtomicU64,
    pub stop: AtomicBool,
    pub phase: AtomicUsize,
}

/// Two replicas that serve reads, waited for as long as `wait` says.
pub(crate) async fn scene(flavor: Flavor, wait: &str) -> TestResult<Scene> {
    let mut cluster = ClusterOptions::new(flavor);
    cluster.server_options = vec!["--log-bin-trust-function-creators=1".to_owned()];
    let scene = Scene::with(cluster, |options| {
        options
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "wait", wait)
    })
    .await?;
    scene.wait_roles().await?;
    let mut connection = scene.connect().await?;
    for table in 0..TABLES {
        connection
            .query_drop(format!("CREATE TABLE r{table} (id INT PRIMARY KEY, n BIGINT NOT NULL)"))
            .await?;
        for id in 0..SHARED + ALL_SESSIONS {
            connection.query_drop(format!("INSERT INTO r{table} VALUES ({id}, 0)")).await?;
        }
    }
    scene.cluster.wait_in_sync().await?;
    Ok(scene)
}

/// Reads that replicas have served.
pub(crate) async fn on_replicas(scene: &Scene) -> TestResult<u64> {
    let readers = scene.status("/routing/readers").await?;
    Ok(readers.as_array().into_iter().flatten().filter_map(|reader| reader["reads"].as_u64()).sum())
}

#[tokio::test]
async fn mariadb_10_11_reads_its_writes() -> TestResult {
    reads_its_writes(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_reads_its_writes() -> TestResult {
    reads_its_writes(Flavor::Mysql9).await
}

/// One session, step by step.
async fn reads_its_writes(flavor: Flavor) -> TestResult {
    let scene = scene(flavor, PATIENT).await?;
    let mut connection = scene.connect().await?;
    let before = on_replicas(&scene).await?;
    for n in 1..=200_u64 {
        connection.query_drop(format!("UPDATE r0 SET n = {n} WHERE id = 7")).await?;
        let seen: Option<u64> = connection.query_first("SELECT n FROM r0 WHERE id = 7").await?;
        assert_eq!(seen, Some(n), "its own write");
        let seen: Option<u64> = connection.exec_first("SELECT n FROM r0 WHERE id = ?", (7,)).await?;
        assert_eq!(seen, Some(n), "its own write, prepared");
    }
    let share = on_replicas(&scene).await? - before;
    println!("{flavor}: {share} of 400 reads behind writes were served by replicas");
    assert!(share > 0, "replicas served nothing: {}", scene.status("/routing").await?);
    let executed = executions(&scene).await?;
    assert!(
        executed > share * 11 / 20,
        "the question is not prepared: {executed} executions for {share} reads"
    );
    asks_as_text(&scene, &mut connection).await?;
    // What leaves something behind is asked where it was left.
    connection.query_drop("SELECT 1 + 'x'").await?;
    let warnings: Vec<(String, u32, String)> = connection.query("SHOW WARNINGS").await?;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    connection.query_drop("SET @a = 5, SESSION time_zone = '+03:00'").await?;
    let row: Option<(u64, String)> =
        connection.query_first("SELECT @a, FROM_UNIXTIME(0) FROM r0 WHERE id = 7").await?;
    assert_eq!(row, Some((5, "1970-01-01 03:00:00".to_owned())));
    connection.query_drop("INSERT INTO r0 VALUES (5000, 1)").await?;
    let number: Option<u64> = connection.query_first("SELECT @@server_id").await?;
    assert_eq!(number, scene.cluster.primary().query_one("SELECT @@server_id").await?);
    read_only_transactions(&scene, &mut connection).await?;
    // Errors are the primary's.
    let missing = crate::support::refused(&mut connection, "SELECT * FROM nothing_of_this_name").await?;
    assert_eq!(missing.0, 1146);
    connection.query_drop("CREATE TEMPORARY TABLE own (a INT)").await?;
    connection.query_drop("INSERT INTO own VALUES (3)").await?;
    let own: Option<u64> = connection.query_first("SELECT a FROM own").await?;
    assert_eq!(own, Some(3));
    scene.finish()
}

/// Executions of prepared statements on replicas: half of the reads, and the questions in front of them.
async fn executions(scene: &Scene) -> TestResult<u64> {
    let mut all = 0;
    for replica in &scene.cluster.replicas() {
        let row = replica.query("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").await?;
        let row = row.into_iter().next().map(mysql_async::from_row::<(String, u64)>);
        all += row.map_or(0, |(_, count)| count);
    }
    Ok(all)
}

/// Where a replica prepares nothing more, and behind a reset, which forgets what was prepared.
async fn asks_as_text(scene: &Scene, connection: &mut Conn) -> TestResult {
    for round in 0..3_u64 {
        for replica in &scene.cluster.replicas() {
            let most = if round == 1 { 0 } else { 16_382 };
            replica.run(&[format!("SET GLOBAL max_prepared_stmt_count = {most}")]).await?;
            let ours = "SELECT id FROM information_schema.processlist WHERE user = 'app'";
            for id in replica.query(ours).await?.into_iter().map(mysql_async::from_row::<u64>) {
                // It may be gone by itself.
                let _ = replica.run(&[format!("KILL {id}")]).await;
            }
        }
        let before = on_replicas(scene).await?;
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut n = 10_000 * round;
        while on_replicas(scene).await? < before + 10 {
            assert!(Instant::now() < deadline, "round {round}: {}", scene.status("/routing").await?);
            n += 1;
            connection.query_drop(format!("UPDATE r0 SET n = {n} WHERE id = 8")).await?;
            let seen: Option<u64> = connection.query_first("SELECT n FROM r0 WHERE id = 8").await?;
            assert_eq!(seen, Some(n), "its own write, round {round}");
            if n.is_multiple_of(4) {
                connection.reset().await?;
            }
        }
    }
    Ok(())
}

/// READ ONLY transactions run as a whole on one replica, and move to the primary with a statement that must.
async fn read_only_transactions(scene: &Scene, connection: &mut Conn) -> TestResult {
    let server = "SELECT @@server_id";
    let primary: Option<u64> = scene.cluster.primary().query_one(server).await?;
    let mut elsewhere = 0;
    for n in 1..=20_u64 {
        connection.query_drop(format!("UPDATE r2 SET n = {n} WHERE id = 7")).await?;
        connection.query_drop("START TRANSACTION READ ONLY").await?;
        let seen: Option<u64> = connection.query_first("SELECT n FROM r2 WHERE id = 7").await?;
        assert_eq!(seen, Some(n), "its own write in a READ ONLY transaction");
        let first: Option<u64> = connection.query_first(server).await?;
        let seen: Option<u64> = connection.exec_first("SELECT n FROM r2 WHERE id = ?", (7,)).await?;
        assert_eq!(seen, Some(n), "prepared");
        let second: Option<u64> = connection.query_first(server).await?;
        assert_eq!(first, second, "on one server");
        elsewhere += u64::from(first != primary);
        if n == 20 {
            let got: Option<u64> = connection.query_first("SELECT GET_LOCK('reads', 0)").await?;
            let third: Option<u64> = connection.query_first(server).await?;
            assert_eq!((got, third), (Some(1), primary), "what must be on the primary is");
            connection.query_drop("DO RELEASE_ALL_LOCKS()").await?;
            let refused = crate::support::refused(connection, "UPDATE r2 SET n = 0 WHERE id = 7").await?;
            assert_eq!(refused.0, 1792, "{}", refused.1);
        }
        connection.query_drop(if n % 2 == 0 { "COMMIT" } else { "ROLLBACK" }).await?;
    }
    println!("{elsewhere} of 20 READ ONLY transactions ran on replicas");
    assert!(elsewhere > 0);
    Ok(())
}

#[tokio::test]
async fn mariadb_10_11_replica_stopped() -> TestResult {
    replica_stopped(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_replica_stopped() -> TestResult {
    replica_stopped(Flavor::Mysql9).await
}

/// A function that writes is refused by the replicas' sessions if it hides in a view, and runs on the primary.
async fn replica_stopped(flavor: Flavor) -> TestResult {
    let scene = scene(flavor, "\"10ms\"").await?;
    let root = scene.cluster.primary();
    let body = "CREATE FUNCTION writes() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE app.r0 SET n = n + 1 WHERE id = 8; \
                RETURN 1; END";
    root.run(&["USE app", body, "CREATE VIEW hidden AS SELECT writes() AS one"]).await?;
    scene.cluster.wait_in_sync().await?;
    let mut connection = scene.connect().await?;
    for n in 1..=5_u64 {
        connection.query_drop("SELECT * FROM hidden").await?;
        let seen: Option<u64> = connection.query_first("SELECT n FROM r0 WHERE id = 8").await?;
        assert_eq!(seen, Some(n), "the view wrote once each time");
    }
    // Replicas that apply nothing serve nobody who has written since; the primary does.
    for replica in scene.cluster.replicas() {
        replica.run(&["STOP REPLICA SQL_THREAD"]).await?;
    }
    let began = Instant::now();
    for n in 10..=20_u64 {
        connection.query_drop(format!("UPDATE r1 SET n = {n} WHERE id = 7")).await?;
        let seen: Option<u64> = connection.query_first("SELECT n FROM r1 WHERE id = 7").await?;
        assert_eq!(seen, Some(n));
    }
    println!("{flavor}: 11 writes and reads beside stopped replicas in {:?}", began.elapsed());
    for replica in scene.cluster.replicas() {
        replica.run(&["START REPLICA SQL_THREAD"]).await?;
    }
    // Who read on the primary for want of a replica comes back.
    let before = on_replicas(&scene).await?;
    eventually("reads come back to the replicas", Duration::from_secs(20), || async {
        let mut connection = scene.connect().await?;
        for _ in 0..50 {
            let _: Option<u64> = connection.query_first("SELECT n FROM r1 WHERE id = 7").await?;
        }
        Ok(on_replicas(&scene).await? > before + 100)
    })
    .await?;
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_nobody_can_tell() -> TestResult {
    nobody_can_tell(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_nobody_can_tell() -> TestResult {
    nobody_can_tell(Flavor::Mysql9).await
}

/// Sessions that write and read, replicas that lag, die and are promoted: each session sees its own writes, and never an
/// older value than it has seen.
async fn nobody_can_tell(flavor: Flavor) -> TestResult {
    let scene = scene(flavor, "\"10ms\"").await?;
    let tally = Arc::new(Tally::default());
    let mut sessions = JoinSet::new();
    for number in 0..length(SESSIONS, ALL_SESSIONS) {
        let (options, tally) = (scene.options("app", "app"), tally.clone());
        sessions.spawn(async move { Watcher::new(number, Conn::new(options).await?, tally).run().await });
    }
    let end = Instant::now() + length(Duration::from_secs(8), Duration::from_secs(600));
    let mut round = 0_u32;
    while Instant::now() < end && !sessions.is_empty() {
        disturb(&scene, round).await?;
        round += 1;
        if let Some(ended) = sessions.try_join_next() {
            ended??;
            return Err("a session ended by itself".into());
        }
    }
    tally.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = sessions.join_next().await {
        ended??;
    }
    let reads = tally.reads.load(Ordering::Relaxed);
    let replicas = on_replicas(&scene).await?;
    println!(
        "{flavor}: {} writes, {reads} reads, {replicas} on replicas, {round} disturbances; {}",
        tally.writes.load(Ordering::Relaxed),
        scene.status("/routing").await?
    );
    assert!(replicas > 0 && reads > 0);
    scene.finish()
}

/// Lag, a crash, a switchover, in turn.
async fn disturb(scene: &Scene, round: u32) -> TestResult {
    let replicas: Vec<_> = scene.cluster.find_primary().await.map(|p| p.address()).map(|primary| {
        scene.cluster.servers().iter().filter(|s| s.address() != primary).cloned().collect()
    })?;
    let replica: &Arc<_> = &replicas[round as usize % replicas.len()];
    let stop = |on: bool| {
        let word = if on { "STOP" } else { "START" };
        [format!("{word} REPLICA SQL_THREAD")]
    };
    match round % 4 {
        0 | 2 => {
            // Imposed lag: the applier stands still and catches up.
            for pause in [100, 300, 500] {
                replica.run(&stop(true)).await?;
                sleep(Duration::from_millis(pause)).await;
                replica.run(&stop(false)).await?;
                sleep(Duration::from_millis(100)).await;
            }
        }
        1 => {
            replica.kill().await?;
            sleep(Duration::from_millis(300)).await;
            replica.start_again().await?;
            scene.wait_roles().await?;
        }
        _ => {
            scene.switch().await?;
            scene.wait_roles().await?;
        }
    }
    sleep(Duration::from_millis(200)).await;
    Ok(())
}

/// One session that keeps books of what it has seen.
struct Watcher {
    number: u64,
    connection: Conn,
    tally: Arc<Tally>,
    /// What it wrote last to its own row of each table.
    own: [u64; TABLES as usize],
    /// The most that it has seen of each shared row of each table.
    seen: [[u64; SHARED as usize]; TABLES as usize],
    draw: u64,
}

impl Watcher {
    fn new(number: u64, connection: Conn, tally: Arc<Tally>) -> Self {
        let (own, seen) = (Default::default(), Default::default());
        Self { number, connection, tally, own, seen, draw: number + 1 }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.draw = self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.draw >> 33) % below
    }

    async fn run(mut self) -> TestResult {
        while !self.tally.stop.load(Ordering::Relaxed) {
            let table = self.next(TABLES);
            match self.next(20) {
                0 => self.write(table).await?,
                1 => self.transaction(table).await?,
                2 => self.bump(table).await?,
                3 => self.on_primary(table).await?,
                4 => self.read_only().await?,
                5..=9 => self.read_own(table).await?,
                _ => self.read_shared(table).await?,
            }
            if self.next(16) == 0 {
                sleep(Duration::from_millis(self.draw % 20)).await;
            }
        }
        self.connection.disconnect().await?;
        Ok(())
    }

    fn own_row(&self) -> u64 {
        SHARED + self.number
    }

    async fn write(&mut self, table: u64) -> TestResult {
        let value = self.own[table as usize] + 1;
        let row = self.own_row();
        if self.next(2) == 0 {
            self.connection.query_drop(format!("UPDATE r{table} SET n = {value} WHERE id = {row}")).await?;
        } else {
            let sql = format!("UPDATE r{table} SET n = ? WHERE id = ?");
            self.connection.exec_drop(sql, (value, row)).await?;
        }
        self.own[table as usize] = value;
        self.tally.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Reads inside a transaction see what the transaction wrote, and count as seen if it commits.
    async fn transaction(&mut self, table: u64) -> TestResult {
        let value = self.own[table as usize] + 1;
        let row = self.own_row();
        self.connection.query_drop("BEGIN").await?;
        self.connection.query_drop(format!("UPDATE r{table} SET n = {value} WHERE id = {row}")).await?;
        let seen: Option<u64> =
            self.connection.query_first(format!("SELECT n FROM r{table} WHERE id = {row}")).await?;
        self.connection.query_drop("COMMIT").await?;
        if seen != Some(value) {
            return Err(
                format!("session {}: {seen:?} and not {value} in its transaction", self.number).into()
            );
        }
        self.own[table as usize] = value;
        self.tally.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Counts a shared row up: its value only grows.
    async fn bump(&mut self, table: u64) -> TestResult {
        let row = self.next(SHARED);
        self.connection.query_drop(format!("UPDATE r{table} SET n = n + 1 WHERE id = {row}")).await?;
        self.tally.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn on_primary(&mut self, table: u64) -> TestResult {
        let row = self.next(SHARED);
        let sql = format!("/* tideover:primary */ SELECT n FROM r{table} WHERE id = {row}");
        let seen: Option<u64> = self.connection.query_first(sql).await?;
        self.check_shared(table, row, seen)
    }

    async fn read_shared(&mut self, table: u64) -> TestResult {
        let row = self.next(SHARED);
        let seen: Option<u64> = if self.next(2) == 0 {
            self.connection.query_first(format!("SELECT n FROM r{table} WHERE id = {row}")).await?
        } else {
            self.connection.exec_first(format!("SELECT n FROM r{table} WHERE id = ?"), (row,)).await?
        };
        self.check_shared(table, row, seen)
    }

    fn check_shared(&mut self, table: u64, row: u64, seen: Option<u64>) -> TestResult {
        self.tally.reads.fetch_add(1, Ordering::Relaxed);
        let before = &mut self.seen[table as usize][row as usize];
        let seen = seen.ok_or("a row is missing")?;
        if seen < *before {
            return Err(
                format!("session {}: row {row} of r{table} was {before} and is {seen}", self.number).into()
            );
        }
        *before = seen;
        Ok(())
    }

    /// A READ ONLY transaction over its own rows, which nobody else changes: if its replica dies it can be done again.
    async fn read_only(&mut self) -> TestResult {
        let row = self.own_row();
        self.connection.query_drop("START TRANSACTION READ ONLY").await?;
        let mut seen = [None; TABLES as usize];
        for (table, seen) in seen.iter_mut().enumerate() {
            let sql = format!("SELECT n FROM r{table} WHERE id = {row}");
            *seen = self.connection.query_first::<u64, _>(sql).await?;
        }
        self.connection.query_drop("COMMIT").await?;
        self.tally.reads.fetch_add(TABLES, Ordering::Relaxed);
        if seen != self.own.map(Some) {
            return Err(format!("session {}: wrote {:?} and reads {seen:?}", self.number, self.own).into());
        }
        Ok(())
    }

    async fn read_own(&mut self, table: u64) -> TestResult {
        let row = self.own_row();
        let sql = format!("SELECT n FROM r{table} WHERE id = {row}");
        let seen: Option<u64> = self.connection.query_first(sql).await?;
        self.tally.reads.fetch_add(1, Ordering::Relaxed);
        let own = self.own[table as usize];
        if seen != Some(own) {
            return Err(format!("session {}: wrote {own} and reads {seen:?}", self.number).into());
        }
        Ok(())
    }
}
