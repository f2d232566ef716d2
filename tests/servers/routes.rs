//! The corpus of routes on real servers: what it says to be dangerous elsewhere than on the primary is seen to be so.

use std::time::Duration;

use mysql_async::{Conn, Row, Value, prelude::Queryable};
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor, Server};
use tokio::time::timeout;

use crate::support::{TestResult, slots};

const CORPUS: &str = include_str!("corpus.txt");
/// What a statement may take.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_is_dangerous_is_so_on_mariadb_10_11() -> TestResult {
    prove(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn what_is_dangerous_is_so_on_mysql_9() -> TestResult {
    prove(Flavor::Mysql9).await
}

#[tokio::test]
async fn what_is_dangerous_is_so_on_mariadb_11_8() -> TestResult {
    if !crate::support::soak() {
        return Ok(());
    }
    prove(Flavor::MariaDb118).await
}

async fn prove(flavor: Flavor) -> TestResult {
    let _slot = slots(1).await?;
    let mut options = ClusterOptions::new(flavor);
    options.replicas = 1;
    options.server_options = vec!["--log-bin-trust-function-creators=1".to_owned()];
    let cluster = Cluster::start(options).await?;
    let stage =
        Stage { flavor, cluster: &cluster, primary: cluster.primary(), replica: cluster.replicas()[0] };
    stage.build().await?;
    cluster.wait_in_sync().await?;
    if !flavor.is_mariadb() {
        let settled: Option<i64> = cluster.primary().query_one(tideover::route::SETTLE).await?;
        assert_eq!(settled, Some(0), "nothing is under way");
        let owned = "SELECT REGEXP_REPLACE('3e11fa47-71ca-11e1-9e33-c80aa9429562:7#12:8#14','#[0-9]+','')";
        let plain: Option<String> = cluster.primary().query_one(owned).await?;
        assert_eq!(plain.as_deref(), Some("3e11fa47-71ca-11e1-9e33-c80aa9429562:7:8"));
    }
    let family = if flavor.is_mariadb() { "mariadb" } else { "mysql" };
    let (mut wrong, mut proven) = (Vec::new(), 0);
    for line in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(5, " | ");
        let [servers, _, _, proof, sql] = [(); 5].map(|()| fields.next().unwrap_or_default());
        if proof == "-" || (servers != "both" && servers != family) {
            continue;
        }
        let seen = match proof {
            "writes" => stage.writes(sql).await,
            "locks" => stage.locks(sql).await,
            "differs" => stage.differs(sql).await,
            "session" => stage.changes_session(sql).await,
            other => Err(format!("no proof is called {other}").into()),
        };
        match seen {
            Ok(true) => proven += 1,
            Ok(false) => wrong.push(format!("{proof} not seen: {sql}")),
            Err(error) => wrong.push(format!("{proof}: {error}: {sql}")),
        }
    }
    println!("{flavor}: {proven} statements proven");
    assert!(wrong.is_empty(), "{flavor}:\n{}", wrong.join("\n"));
    assert!(proven >= 150, "only {proven}");
    Ok(())
}

/// What the statements of the corpus run on.
struct Stage<'a> {
    flavor: Flavor,
    cluster: &'a Cluster,
    primary: &'a Server,
    replica: &'a Server,
}

impl Stage<'_> {
    /// All that the statements name, as new.
    async fn build(&self) -> TestResult {
        let mut statements: Vec<String> = [
            "DROP DATABASE IF EXISTS app",
            "DROP DATABASE IF EXISTS d1",
            "DROP DATABASE IF EXISTS d2",
            "DROP DATABASE IF EXISTS d3",
            "CREATE DATABASE app",
            "CREATE DATABASE d1",
            "CREATE DATABASE IF NOT EXISTS other",
            "DROP USER IF EXISTS x@localhost, other@localhost, other2@localhost",
            "DROP ROLE IF EXISTS rx",
            "CREATE USER other@localhost",
            "GRANT SELECT ON app.* TO other@localhost",
            "USE app",
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(50) DEFAULT 'x', c DATETIME(6), j JSON, \
             KEY ia (a))",
            "CREATE TABLE u (id INT PRIMARY KEY, a INT)",
            "CREATE TABLE w (a INT)",
            "CREATE TABLE log (n INT)",
            "INSERT INTO t (id, a, b) VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 2, 'two')",
            "INSERT INTO u VALUES (1, 1), (2, 2)",
            "INSERT INTO w VALUES (1)",
            "CREATE VIEW v AS SELECT id FROM t",
            "CREATE VIEW v1 AS SELECT id FROM t",
            "CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO log VALUES (1); RETURN 1; END",
            "CREATE PROCEDURE p() INSERT INTO log VALUES (2)",
            "CREATE TRIGGER g BEFORE DELETE ON w FOR EACH ROW SET @g = 1",
        ]
        .map(str::to_owned)
        .into();
        if self.flavor.is_mariadb() {
            statements.push("CREATE SEQUENCE s".to_owned());
        }
        self.primary.run(&statements).await?;
        Ok(())
    }

    async fn connect(&self, server: &Server) -> TestResult<Conn> {
        Ok(server.connect_as("root", "", Some("app")).await?)
    }

    async fn run(connection: &mut Conn, sql: &str) -> TestResult<Vec<Row>> {
        Ok(timeout(LIMIT, connection.query(sql)).await.map_err(|_| "takes too long")??)
    }

    /// It moves the GTID position, or is refused in a session that may not write.
    async fn writes(&self, sql: &str) -> TestResult<bool> {
        let before = self.primary.position().await?;
        let mut connection = self.connect(self.primary).await?;
        let result = Self::run(&mut connection, sql).await;
        drop(connection);
        if self.primary.position().await? != before {
            self.build().await?;
            return Ok(true);
        }
        result?;
        let mut connection = self.connect(self.primary).await?;
        connection.query_drop("SET SESSION TRANSACTION READ ONLY").await?;
        Ok(Self::run(&mut connection, sql).await.is_err())
    }

    /// Another connection cannot change the row while it runs in a transaction.
    async fn locks(&self, sql: &str) -> TestResult<bool> {
        let mut connection = self.connect(self.primary).await?;
        connection.query_drop("BEGIN").await?;
        let result = Self::run(&mut connection, sql).await;
        let mut other = self.connect(self.primary).await?;
        let locked = other.query_drop("SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT").await.is_err();
        // The server may end a session later than its client: the next one finds no lock of this one.
        connection.query_drop("ROLLBACK").await?;
        result.map(|_| locked)
    }

    /// Another server, and another connection, answer otherwise.
    async fn differs(&self, sql: &str) -> TestResult<bool> {
        // What was built anew behind a write is there too.
        self.cluster.wait_in_sync().await?;
        let mut here = self.connect(self.primary).await?;
        // A session with a past, which the other one has not.
        here.query_drop("INSERT INTO w VALUES (9)").await?;
        here.query_drop("INSERT INTO t (a) VALUES (9)").await?;
        if sql.contains("ROW_COUNT") {
            here.query_drop("UPDATE t SET a = a + 1 WHERE id = 1").await?;
        } else if sql.contains("FOUND_ROWS") {
            let _: Vec<Row> = here.query("SELECT SQL_CALC_FOUND_ROWS id FROM t LIMIT 1").await?;
        }
        let mut there = self.connect(self.replica).await?;
        // Two more, so that numbers of connections are not the same by chance.
        let _more = (self.connect(self.replica).await?, self.connect(self.replica).await?);
        there = {
            drop(there);
            self.connect(self.replica).await?
        };
        let (one, other) = (Self::run(&mut here, sql).await?, Self::run(&mut there, sql).await?);
        Ok(values(one) != values(other))
    }

    /// The session is not the one it was.
    async fn changes_session(&self, sql: &str) -> TestResult<bool> {
        let mut connection = self.connect(self.primary).await?;
        // The server may not have ended the session before this one yet, and what it had locked.
        connection.query_drop("SELECT GET_LOCK('l', 10), RELEASE_LOCK('l')").await?;
        let before = self.session(&mut connection).await?;
        Self::run(&mut connection, sql).await?;
        Ok(self.session(&mut connection).await? != before)
    }

    async fn session(&self, connection: &mut Conn) -> TestResult<Vec<Vec<Value>>> {
        let isolation = if self.flavor.is_mariadb() { "@@tx_isolation" } else { "@@transaction_isolation" };
        let state = format!(
            "SELECT @x, @y, LAST_INSERT_ID(), DATABASE(), @@session.autocommit, @@session.sql_mode, \
             @@session.time_zone, @@session.character_set_client, {isolation}, IS_USED_LOCK('l')"
        );
        let mut seen = values(connection.query(state).await?);
        // With a transaction open, another one cannot be begun by XA.
        let open = connection.query_drop("XA START 'probe'").await.is_err();
        if !open {
            connection.query_drop("XA END 'probe'").await?;
            connection.query_drop("XA ROLLBACK 'probe'").await?;
        }
        seen.push(vec![Value::from(open)]);
        Ok(seen)
    }
}

fn values(rows: Vec<Row>) -> Vec<Vec<Value>> {
    rows.into_iter().map(Row::unwrap).collect()
}
