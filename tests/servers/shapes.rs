//! Answers of every shape are those that a direct connection gets.

use mysql_async::{Conn, Value, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};

use crate::support::{Scene, TestResult, code, open, options};

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    shapes(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8() -> TestResult {
    shapes(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    shapes(Flavor::Mysql9).await
}

/// Statements whose answers must not differ, errors and warnings included.
const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT NULL, '', REPEAT('é', 300), 1.25, DATE '2026-01-02', x'00ff'",
    "SELECT * FROM t WHERE 1 = 0",
    "SELECT id, body FROM t ORDER BY id",
    "SELECT REPEAT('x', 70000) FROM t, t AS u",
    "CALL several()",
    "SELECT 1; SELECT 2 FROM missing; SELECT 3",
    "SELECT 1; DO 1; SELECT 'last'",
    "SELECT * FROM missing",
    "SELEC 1",
    "INSERT INTO t (id, body) VALUES (1, 'again')",
    "UPDATE t SET body = body",
    "SELECT 1/0, CAST('abc' AS SIGNED)",
    "SHOW WARNINGS",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t LIMIT 1",
    "SELECT FOUND_ROWS()",
    "UPDATE t SET body = CONCAT(body, '!') WHERE id <= 2",
    "SELECT ROW_COUNT()",
    "/* a comment */ SELECT /*+ NO_INDEX_MERGE(t) */ COUNT(*) FROM t -- end",
    "EXPLAIN SELECT * FROM t",
    "SHOW CREATE TABLE t",
    "SHOW TABLES",
    "SET @a := 5",
    "SELECT @a := @a + 1, @a",
    "PREPARE p FROM 'SELECT ? + 1'",
    "EXECUTE p USING @a",
    "DEALLOCATE PREPARE p",
    "EXECUTE p",
    "KILL 999999999",
    "BEGIN",
    "SAVEPOINT s",
    "INSERT INTO t (body) VALUES ('rolled back')",
    "ROLLBACK TO s",
    "COMMIT",
    "SET autocommit=0",
    "INSERT INTO t (body) VALUES ('kept out')",
    "ROLLBACK",
    "SET autocommit=1",
    "HANDLER t OPEN",
    "HANDLER t READ FIRST",
    "HANDLER t CLOSE",
    "LOCK TABLES t READ",
    "UNLOCK TABLES",
    "CREATE TEMPORARY TABLE tt AS SELECT 1 AS one",
    "SELECT * FROM tt",
    "DROP TEMPORARY TABLE tt",
];

#[tokio::test]
async fn statements_as_long_as_they_may_be_are_taken() -> TestResult {
    // A commit tag must not be what makes them too long. (go-sql-driver/mysql's own tests send such ones.)
    const LARGEST: usize = 1 << 20;
    for flavor in [Flavor::MariaDb1011, Flavor::Mysql9] {
        let cluster = ClusterOptions {
            server_options: vec![format!("--max-allowed-packet={LARGEST}")],
            ..ClusterOptions::new(flavor)
        };
        let scene = Scene::with(cluster, |options| options).await?;
        scene.cluster.primary().run(&["CREATE TABLE app.t (body LONGTEXT)"]).await?;
        for payload in [LARGEST - 300, LARGEST - 90, LARGEST - 30, LARGEST - 2, LARGEST - 1, LARGEST + 1] {
            let mut answers = Vec::new();
            for address in [scene.cluster.primary().address(), scene.proxy.address()] {
                let options = options(address, "app", "app").db_name(Some("app"));
                let mut connection = open(options.max_allowed_packet(Some(64 << 20))).await?;
                let (head, tail) = ("INSERT INTO t VALUES ('", "')");
                // The byte that says which command it is counts.
                let body = "x".repeat(payload - 1 - head.len() - tail.len());
                let result = connection.query_drop(format!("{head}{body}{tail}")).await;
                answers.push(result.map_err(|error| code(&error).0));
            }
            // Beyond, the server may close the connection before it has read everything.
            let same = answers[0] == answers[1] || (answers[0].is_err() && answers[1].is_err());
            assert!(same, "{flavor}, {payload} bytes: {answers:?}");
            assert!(payload > LARGEST || answers[1].is_ok() || answers[0].is_err(), "{answers:?}");
        }
        scene.finish()?;
    }
    Ok(())
}

async fn shapes(flavor: Flavor) -> TestResult {
    let cluster = ClusterOptions {
        server_options: vec!["--max-allowed-packet=64M".into(), "--local-infile=ON".into()],
        ..ClusterOptions::new(flavor)
    };
    let scene = Scene::with(cluster, |options| options).await?;
    // Each of both in a database of its own, so that what they change does not meet.
    let primary = scene.cluster.primary();
    let mut answers = Vec::new();
    for (name, address) in [("direct", primary.address()), ("proxied", scene.proxy.address())] {
        primary.run(&setup(name)).await?;
        let options = options(address, "app", "app").db_name(Some(name)).max_allowed_packet(Some(64 << 20));
        let mut connection = open(options).await?;
        let mut all = Vec::new();
        for sql in STATEMENTS {
            all.push(answer(&mut connection, sql).await);
        }
        big_packets(&mut connection).await.map_err(|error| format!("{name}, big packets: {error}"))?;
        local_file(&mut connection).await.map_err(|error| format!("{name}, file: {error}"))?;
        answers.push(all);
    }
    for (sql, (direct, proxied)) in STATEMENTS.iter().zip(answers[0].iter().zip(&answers[1])) {
        assert_eq!(proxied, direct, "{flavor}: {sql}");
    }
    scene.finish()
}

fn setup(database: &str) -> [String; 5] {
    [
        format!("CREATE DATABASE {database}"),
        format!("GRANT ALL ON {database}.* TO app@'%'"),
        format!("CREATE TABLE {database}.t (id INT AUTO_INCREMENT PRIMARY KEY, body LONGTEXT)"),
        format!("INSERT INTO {database}.t (body) VALUES ('one'), ('two'), (NULL)"),
        format!(
            "CREATE PROCEDURE {database}.several() BEGIN SELECT 1; SELECT id FROM {database}.t; DO 2; SELECT 'end'; END"
        ),
    ]
}

/// Everything that a client sees of an answer, in text.
async fn answer(connection: &mut Conn, sql: &str) -> String {
    let mut text = String::new();
    match connection.query_iter(sql).await {
        Ok(mut result) => loop {
            let columns: Vec<_> = result
                .columns_ref()
                .iter()
                .map(|column| format!("{} {:?}", column.name_str(), column.column_type()))
                .collect();
            text += &format!("columns {columns:?}; ");
            match result.collect::<mysql_async::Row>().await {
                Ok(rows) => {
                    for row in rows {
                        let values: Vec<String> = row.unwrap().iter().map(Value::as_sql_short).collect();
                        text += &format!("row {values:?}; ");
                    }
                }
                Err(error) => {
                    text += &format!("error {:?}", code(&error));
                    break;
                }
            }
            text += &format!("affected {} id {:?}; ", result.affected_rows(), result.last_insert_id());
            if result.is_empty() {
                break;
            }
        },
        Err(error) => text += &format!("error {:?}", code(&error)),
    }
    // The database's name is in some of the texts.
    text += &format!("warnings {}", connection.get_warnings());
    text.replace("proxied", "direct")
}

/// Values as text, long ones by length.
trait Short {
    fn as_sql_short(&self) -> String;
}

impl Short for Value {
    fn as_sql_short(&self) -> String {
        let text = self.as_sql(true);
        if text.len() > 1000 { format!("{} bytes", text.len()) } else { text }
    }
}

/// Packets beyond 16 MiB in both directions, and some of about the size at which packets are split.
async fn big_packets(connection: &mut Conn) -> TestResult {
    const SPLIT: usize = (1 << 24) - 1;
    let query = "SELECT LENGTH('')".len() + 1;
    // A command of exactly one full frame, which an empty one must follow; then some around it, and two full frames.
    let all = [SPLIT - query, 17 << 20, SPLIT - query - 1, SPLIT - query + 1, SPLIT, 2 * SPLIT - query];
    for length in all.into_iter().take(crate::support::length(2, all.len())) {
        let failed = |what: &'static str| move |error| format!("{what} of {length} bytes: {error}");
        let value = "x".repeat(length);
        let found: Option<u64> =
            connection.query_first(format!("SELECT LENGTH('{value}')")).await.map_err(failed("a command"))?;
        assert_eq!(found, Some(length as u64));
        let back: Option<String> =
            connection.query_first(format!("SELECT REPEAT('y', {length})")).await.map_err(failed("a row"))?;
        assert_eq!(back.map(|text| text.len()), Some(length));
        let found: Option<u64> = connection
            .exec_first("SELECT LENGTH(?)", (value.as_str(),))
            .await
            .map_err(failed("a parameter"))?;
        assert_eq!(found, Some(length as u64));
        let id = connection.query_drop(format!("INSERT INTO t (body) VALUES ('{value}')")).await;
        id.map_err(failed("a write"))?;
    }
    Ok(())
}

/// LOAD DATA LOCAL: a file in the middle of an answer.
async fn local_file(connection: &mut Conn) -> TestResult {
    use futures_util::{StreamExt, stream};
    let lines: Vec<_> = (0..5000).map(|line| Ok(format!("{}\tline {line}\n", line + 1000).into())).collect();
    connection.set_infile_handler(async move { Ok(stream::iter(lines).boxed()) });
    connection.query_drop("LOAD DATA LOCAL INFILE 'lines' INTO TABLE t").await?;
    assert_eq!(connection.affected_rows(), 5000);
    let count: Option<i64> =
        connection.query_first("SELECT COUNT(*) FROM t WHERE id >= 1000 AND body LIKE 'line %'").await?;
    assert_eq!(count, Some(5000));
    let one: Option<i64> = connection.query_first("SELECT 1").await?;
    assert_eq!(one, Some(1), "the connection is as good as before");
    Ok(())
}
