//! Rust's own: mysql_async, in this process.

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use mysql_async::{Conn, TxOpts, prelude::Queryable};
use tokio::task::JoinHandle;

use crate::support::{Scene, TestResult, code};

/// The load of one connection, under way.
pub(crate) struct Native {
    stop: Arc<AtomicBool>,
    load: JoinHandle<TestResult<u64>>,
}

impl Native {
    /// Does what the programs do in their first part, and goes on with small transactions.
    pub(crate) async fn start(scene: &Scene) -> TestResult<Self> {
        let mut connection = scene.connect().await?;
        first_part(&mut connection).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let load = tokio::spawn(load(connection, stop.clone()));
        Ok(Self { stop, load })
    }

    /// Stops and compares the books.
    pub(crate) async fn finish(self) -> TestResult<u64> {
        self.stop.store(true, Ordering::Release);
        self.load.await?
    }
}

async fn first_part(connection: &mut Conn) -> TestResult {
    connection.query_drop("CREATE TABLE d_rust (id INT PRIMARY KEY, n INT NOT NULL, b LONGBLOB)").await?;
    let long: Vec<u8> = (0..12 << 20).map(|at: u32| (at % 251) as u8).collect();
    connection.exec_drop("INSERT INTO d_rust VALUES (0, 0, ?)", (&long,)).await?;
    let found: Option<Vec<u8>> = connection.exec_first("SELECT b FROM d_rust WHERE id=?", (0,)).await?;
    assert!(found.is_some_and(|found| found == long), "a long value");
    let error = connection.query_drop("INSERT INTO d_rust (id, n) VALUES (0, 0)").await.err();
    assert_eq!(error.map(|error| code(&error).0), Some(1062));
    connection.query_drop("DELETE FROM d_rust").await?;
    Ok(())
}

async fn load(mut connection: Conn, stop: Arc<AtomicBool>) -> TestResult<u64> {
    let mut count = 0_u64;
    connection.query_drop("SET @round=0").await?;
    while !stop.load(Ordering::Acquire) {
        count += 1;
        let mut transaction = connection.start_transaction(TxOpts::default()).await?;
        transaction.exec_drop("INSERT INTO d_rust (id, n) VALUES (?, 0)", (count,)).await?;
        transaction.query_drop(format!("SET @round={count}")).await?;
        transaction.exec_drop("UPDATE d_rust SET n=n+1 WHERE id=?", (count,)).await?;
        transaction.commit().await?;
        let round: Option<u64> = connection.query_first("SELECT @round").await?;
        assert_eq!(round, Some(count), "a variable");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let books: Option<(u64, u64)> = connection.query_first("SELECT COUNT(*), SUM(n) FROM d_rust").await?;
    assert_eq!(books, Some((count, count)));
    Ok(count)
}
