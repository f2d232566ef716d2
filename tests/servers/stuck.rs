//! Somebody else's `SET GLOBAL read_only` that cannot finish for transactions of ours.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::Flavor;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Scene, TestResult, code};

/// Longer than any of this takes, and shorter than the 50 s that it takes by itself.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    stuck(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    stuck(Flavor::Mysql9).await
}

/// A statement of one session waits for a row that another session's transaction holds; `SET GLOBAL read_only` waits for
/// that statement.
async fn stuck(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    let primary = scene.cluster.primary().clone();
    let (mut holder, mut waiter) = (scene.connect().await?, scene.connect().await?);
    holder.query_drop("CREATE TABLE t (a INT PRIMARY KEY, b INT)").await?;
    holder.query_drop("INSERT INTO t VALUES (1, 0), (2, 0)").await?;
    holder.query_drop("BEGIN").await?;
    holder.query_drop("UPDATE t SET b=b+1 WHERE a=1").await?;
    let waiting = tokio::spawn(async move {
        let done = waiter.query_drop("UPDATE t SET b=b+10 WHERE a=1").await;
        (waiter, done)
    });
    // Until the row lock is waited for.
    crate::support::eventually("the second session waits", LIMIT, || async {
        let sql = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state='LOCK WAIT'";
        sleep(Duration::from_millis(120)).await;
        Ok(primary.query_one::<i64>(sql).await? == Some(1))
    })
    .await?;
    let began = Instant::now();
    let close =
        if flavor == Flavor::Mysql9 { "SET GLOBAL super_read_only=1" } else { "SET GLOBAL read_only=1" };
    timeout(LIMIT, primary.run(&[close])).await??;
    let took = began.elapsed();
    println!("{flavor}: read_only was set after {} ms", took.as_millis());
    // Back again, as an aborted switchover: the waiter's statement ran before or runs after the transaction, once.
    for sql in ["SET GLOBAL super_read_only=0", "SET GLOBAL read_only=0"] {
        if flavor == Flavor::Mysql9 || !sql.contains("super") {
            primary.run(&[sql]).await?;
        }
    }
    // The transaction was rolled back (1213), or was done again, locks and all; never half of it.
    let ended = match holder.query_drop("UPDATE t SET b=b+1 WHERE a=2").await {
        Ok(()) => holder.query_drop("COMMIT").await,
        Err(error) => Err(error),
    };
    let wanted = match ended {
        Ok(()) => [11, 1],
        Err(error) => {
            assert_eq!(code(&error).0, 1213, "{error}");
            [10, 0]
        }
    };
    let (mut waiter, done) = timeout(LIMIT, waiting).await??;
    done?;
    let rows: Vec<i32> = waiter.query("SELECT b FROM t ORDER BY a").await?;
    assert_eq!(rows, wanted);
    assert!(scene.proxy.log().contains("somebody cannot set read_only"), "the log says why");
    scene.finish()
}
