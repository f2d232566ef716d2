//! One cell: a client, its unit, and what became of it.

use std::time::Duration;

use mysql_async::{Conn, Error, prelude::Queryable};
use tokio::{task::JoinHandle, time::timeout};

use super::{
    bench::{Bench, Side},
    column::Column,
    expected::{ONCE, ROWS, UNKNOWN},
    row::{MANY, Row, Strike},
    support,
};

/// Nothing hangs longer: the proxy's `hold.timeout` is 30 s.
const LIMIT: Duration = Duration::from_secs(45);

/// A client that is ready for the statement that meets the fault.
pub(crate) struct Cell {
    pub(crate) row: &'static Row,
    pub(crate) column: Column,
    pub(crate) guarded: bool,
    /// Unique; in every text of the cell.
    pub(crate) token: String,
    client: Conn,
}

/// The statement is on its way.
pub(crate) struct Struck {
    pub(crate) row: &'static Row,
    pub(crate) column: Column,
    pub(crate) guarded: bool,
    token: String,
    task: JoinHandle<(Conn, Result<Answer, Error>)>,
}

/// What the client was told.
#[derive(Debug, Default)]
struct Answer {
    affected: u64,
    insert_id: Option<u64>,
    /// Rows that came, if every one was the next.
    rows: Option<u64>,
}

impl Cell {
    /// Connects, and does what comes before.
    pub(crate) async fn prepare(
        bench: &Bench,
        side: &Side,
        (row, column): (&'static Row, Column),
        token: String,
    ) -> Self {
        bench.run(&format!("INSERT INTO counters VALUES ('{token}', 0)")).await;
        let client = support::open(support::options(side.proxy.address(), "app", "app")).await;
        let mut client = client.unwrap_or_else(|error| panic!("{error}\n{}", side.proxy.log()));
        client.query_drop(format!("SET @mine = '{}'", mine(&token))).await.unwrap();
        // Two proxies are in front of these servers, and neither can keep the other's clients from taking an id that a
        // transaction of its own is to get back: see README, what proxies cannot know of each other.
        let offset = if side.guarded { 1 } else { 2 };
        let ids = format!("SET auto_increment_increment = 2, auto_increment_offset = {offset}");
        client.query_drop(ids).await.unwrap();
        if let Strike::Prepared(sql) = row.strike {
            // As an application has it: the statement is not new.
            client.exec_drop(sql, (format!("{token} earlier"),)).await.unwrap();
        }
        for sql in row.before {
            client.query_drop(sql.replace("{}", &token)).await.unwrap();
        }
        Self { row, column, guarded: side.guarded, token, client }
    }

    /// Takes a server connection that then knows all that the cell needs, or gives it back.
    pub(crate) async fn settle(&mut self, begins: bool) {
        self.client.query_drop(if begins { "BEGIN" } else { "ROLLBACK" }).await.unwrap();
        if let (true, Strike::Prepared(sql)) = (begins, self.row.strike) {
            self.client.exec_drop(sql, ("never",)).await.unwrap();
        }
    }

    /// Sends the statement.
    pub(crate) fn strike(self) -> Struck {
        let Self { row, column, guarded, token, mut client } = self;
        let name = token.clone();
        let task = tokio::spawn(async move {
            let answer = strike(&mut client, row.strike, &name).await;
            (client, answer)
        });
        Struck { row, column, guarded, token, task }
    }
}

/// What a session keeps; without the name by which the statement is found.
fn mine(token: &str) -> String {
    token.chars().rev().collect()
}

async fn strike(client: &mut Conn, strike: Strike, token: &str) -> Result<Answer, Error> {
    let mut rows = None;
    match strike {
        Strike::Text(sql) | Strike::Insert(sql) => client.query_drop(sql.replace("{}", token)).await?,
        Strike::Prepared(sql) => client.exec_drop(sql, (token,)).await?,
        Strike::Rows(sql) => {
            let mut result = client.query_iter(sql.replace("{}", token)).await?;
            let mut next = Some(0);
            while let Some(row) = result.next().await? {
                let (id, text): (u64, String) = mysql_async::from_row(row);
                let fits = next == Some(id) && text == "twenty bytes of text";
                next = if fits { Some(id + 1) } else { None };
            }
            rows = next;
        }
    }
    Ok(Answer { affected: client.affected_rows(), insert_id: client.last_insert_id(), rows })
}

impl Struck {
    /// The rest of the unit, and what became of it, in the words of the table.
    pub(crate) async fn outcome(self, bench: &Bench) -> String {
        let Self { row, column, token, task, .. } = self;
        let Ok(finished) = timeout(LIMIT, task).await else { return "hangs".into() };
        let (mut client, answer) = finished.unwrap();
        let told = match answer {
            Ok(answer) => match rest(&mut client, row, &token).await {
                Ok(()) => Ok(answer),
                Err(error) => Err(support::code(&error)),
            },
            Err(error) => Err(support::code(&error)),
        };
        if let Err(why) = alive(&mut client, &token).await {
            return format!("{why} after {told:?}");
        }
        let stored = stored(bench, row, &token).await;
        let outcome = match &told {
            Ok(answer) => done(bench, (row, &token), answer, &stored).await,
            Err((1180, _)) => unknown(column, &stored),
            Err(_) => Err(String::new()),
        };
        match outcome {
            Ok(text) => text.to_owned(),
            Err(why) => format!("{told:?}, stored {stored:?} {why}"),
        }
    }
}

async fn rest(client: &mut Conn, row: &Row, token: &str) -> Result<(), Error> {
    for sql in row.after {
        client.query_drop(sql.replace("{}", token)).await?;
    }
    Ok(())
}

/// The same session goes on.
async fn alive(client: &mut Conn, token: &str) -> Result<(), String> {
    match client.query_first::<Option<String>, _>("SELECT @mine").await {
        Ok(Some(Some(found))) if found == mine(token) => Ok(()),
        other => Err(format!("the session is not what it was: {other:?}")),
    }
}

async fn stored(bench: &Bench, row: &Row, token: &str) -> Vec<u64> {
    let mut times = Vec::new();
    for sql in row.stored {
        times.push(bench.number(&sql.replace("{}", token)).await);
    }
    if let Some(sql) = row.never {
        let found = bench.number(&sql.replace("{}", token)).await;
        if found > 0 {
            times.push(100 + found);
        }
    }
    times
}

/// The client was told that it is done.
async fn done(
    bench: &Bench,
    (row, token): (&Row, &str),
    answer: &Answer,
    stored: &[u64],
) -> Result<&'static str, String> {
    if row.strike.is_rows() {
        return if answer.rows == Some(MANY) { Ok(ROWS) } else { Err("not all rows, or not once".into()) };
    }
    if stored.iter().any(|&times| times != 1) {
        return Err("told as done".into());
    }
    if matches!(row.strike, Strike::Insert(_) | Strike::Prepared(_)) {
        let id = bench.number(&format!("SELECT id FROM app.t WHERE v = '{token}'")).await;
        if answer.affected != 1 || answer.insert_id != Some(id) {
            return Err(format!("the row is {id}"));
        }
    }
    Ok(ONCE)
}

/// The client was told that nobody knows.
fn unknown(column: Column, stored: &[u64]) -> Result<&'static str, String> {
    let fits = match column.executed() {
        Some(executed) => stored.iter().all(|&times| times == u64::from(executed)),
        None => stored.iter().all(|&times| times <= 1),
    };
    if fits { Ok(UNKNOWN) } else { Err(String::new()) }
}
