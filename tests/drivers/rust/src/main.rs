//! sqlx: what it must be able to do through the proxy. Everything goes by prepared statements, as is its way, but for
//! `raw_sql`.

use std::error::Error;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions, MySqlRow, MySqlSslMode};
use sqlx::{Column, Connection, Either, MySqlConnection, MySqlPool, Row, TypeInfo, query, query_scalar, raw_sql};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const TABLE: &str = "d_sqlx";
const UNICODE: &str = "Grüße, 世界, \u{1f600}, e\u{301}, \u{202e}, '\"\\`%_;";
/// SET @mine and the like by way of a prepared statement, and what a round of the load sets.
const MINE: &str = "SET @mine=?";

fn env(name: &str) -> String {
    std::env::var(format!("TIDEOVER_{name}")).unwrap_or_default()
}

fn options(port: &str, tls: bool) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new()
        .host(&env("HOST"))
        .port(port.parse().unwrap_or_default())
        .username(&env("USER"))
        .password(&env("PASSWORD"))
        .database(&env("SCHEMA"));
    if tls { options.ssl_mode(MySqlSslMode::VerifyCa).ssl_ca(env("CA")) } else { options.ssl_mode(MySqlSslMode::Disabled) }
}

async fn connect(port: &str) -> Done<MySqlConnection> {
    Ok(MySqlConnection::connect_with(&options(port, false)).await?)
}

fn check(yes: bool, what: &str) -> Done {
    if yes { Ok(()) } else { Err(format!("not as it should be: {what}").into()) }
}

fn step(name: &str) {
    println!("step {name}");
}

/// The server's number of an error.
fn code<T>(result: Result<T, sqlx::Error>) -> u16 {
    let error = result.err();
    let error = error.as_ref().and_then(sqlx::Error::as_database_error);
    error.and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>()).map_or(0, MySqlDatabaseError::number)
}

/// Names, types and bytes of all values.
fn shown(rows: &[MySqlRow]) -> Done<String> {
    let mut text = String::new();
    for row in rows {
        for column in row.columns() {
            let value: Option<Vec<u8>> = row.try_get_unchecked(column.ordinal())?;
            text += &format!("{} {}={value:?},", column.name(), column.type_info().name());
        }
        text += "|";
    }
    Ok(text)
}

async fn login() -> Done {
    step("login");
    for tls in [true, false] {
        let mut connection = MySqlConnection::connect_with(&options(&env("PORT"), tls)).await?;
        let schema: String = query_scalar("SELECT DATABASE()").fetch_one(&mut connection).await?;
        check(schema == env("SCHEMA"), "the schema")?;
        connection.ping().await?;
        connection.close().await?;
    }
    let wrong = options(&env("PORT"), false).password("wrong");
    check(code(MySqlConnection::connect_with(&wrong).await) == 1045, "a wrong password")
}

async fn types(connection: &mut MySqlConnection) -> Done {
    step("types");
    let mut direct = connect(&env("DIRECT_PORT")).await?;
    let all = "SELECT * FROM types WHERE id >= ? ORDER BY id";
    let through = shown(&query(all).bind(0).fetch_all(&mut *connection).await?)?;
    check(through == shown(&query(all).bind(0).fetch_all(&mut direct).await?)?, "rows of a prepared statement")?;
    let all = "SELECT * FROM types ORDER BY id";
    let through = shown(&raw_sql(all).fetch_all(&mut *connection).await?)?;
    check(through == shown(&raw_sql(all).fetch_all(&mut direct).await?)?, "rows of a text")?;
    for statement in ["DROP TABLE IF EXISTS #", "CREATE TABLE # LIKE types", "INSERT INTO # SELECT * FROM types"] {
        raw_sql(&statement.replace('#', TABLE)).execute(&mut *connection).await?;
    }
    let update = format!("UPDATE {TABLE} SET c_varchar=?, c_blob=?, c_bigint=?, c_double=?, c_ubigint=? WHERE id=1");
    query(&update)
        .bind(UNICODE)
        .bind(UNICODE.as_bytes())
        .bind(i64::MIN)
        .bind(0.1)
        .bind(u64::MAX)
        .execute(&mut *connection)
        .await?;
    let row = query(&format!("SELECT c_varchar, c_blob, c_bigint, c_double, c_ubigint FROM {TABLE} WHERE id=1"))
        .fetch_one(&mut *connection)
        .await?;
    check(row.try_get::<String, _>(0)? == UNICODE, "a text")?;
    check(row.try_get::<Vec<u8>, _>(1)? == UNICODE.as_bytes(), "bytes")?;
    check(row.try_get::<i64, _>(2)? == i64::MIN && row.try_get::<u64, _>(4)? == u64::MAX, "whole numbers")?;
    check((row.try_get::<f64, _>(3)? - 0.1).abs() < f64::EPSILON, "a fraction")?;
    Ok(direct.close().await?)
}

async fn transactions(connection: &mut MySqlConnection) -> Done {
    step("transactions");
    let name = format!("{TABLE}_t");
    raw_sql(&format!("DROP TABLE IF EXISTS {name}")).execute(&mut *connection).await?;
    raw_sql(&format!("CREATE TABLE {name} (id INT PRIMARY KEY AUTO_INCREMENT, n INT)")).execute(&mut *connection).await?;
    let insert = format!("INSERT INTO {name} (n) VALUES (?), (?)");
    let done = query(&insert).bind(1).bind(2).execute(&mut *connection).await?;
    check((done.last_insert_id(), done.rows_affected()) == (1, 2), "id and row count")?;
    let update = format!("UPDATE {name} SET n=n+?");
    for commit in [false, true] {
        let mut outer = connection.begin().await?;
        query(&update).bind(10).execute(&mut *outer).await?;
        let mut inner = outer.begin().await?;
        query(&update).bind(100).execute(&mut *inner).await?;
        inner.rollback().await?;
        if commit {
            outer.commit().await?;
        } else {
            // Rolled back by the next thing that is done with the connection.
            drop(outer);
        }
    }
    check(sum(connection, &name).await? == 23, "a rollback, a savepoint and a commit")
}

async fn sum(connection: &mut MySqlConnection, table: &str) -> Done<i64> {
    let text = format!("SELECT CAST(SUM(n) AS SIGNED) FROM {table}");
    Ok(query_scalar(&text).fetch_one(connection).await?)
}

async fn long_values(connection: &mut MySqlConnection) -> Done {
    step("long values");
    let length: usize = env("LONG").parse()?;
    let value = [0, 255, b'\'', 7].repeat(length / 4);
    let name = format!("{TABLE}_b");
    raw_sql(&format!("DROP TABLE IF EXISTS {name}")).execute(&mut *connection).await?;
    raw_sql(&format!("CREATE TABLE {name} (b LONGBLOB)")).execute(&mut *connection).await?;
    query(&format!("INSERT INTO {name} VALUES (?)")).bind(&value).execute(&mut *connection).await?;
    let found: Vec<u8> = query_scalar(&format!("SELECT b FROM {name}")).fetch_one(&mut *connection).await?;
    check(found == value, "a long value")?;
    raw_sql(&format!("DROP TABLE {name}")).execute(&mut *connection).await?;
    Ok(())
}

async fn variables_and_errors(connection: &mut MySqlConnection) -> Done {
    step("variables and errors");
    query(MINE).bind(UNICODE).execute(&mut *connection).await?;
    // What sqlx sets when it connects, and what the program sets.
    for (text, wanted) in [("SELECT @mine", UNICODE), ("SELECT @@time_zone", "+00:00")] {
        let found: String = query_scalar(text).fetch_one(&mut *connection).await?;
        check(found == wanted, text)?;
    }
    let piped: String = query_scalar("SELECT 'a' || 'b'").fetch_one(&mut *connection).await?;
    check(piped == "ab", "sql_mode")?;
    check(code(query("SELEC 1").execute(&mut *connection).await) == 1064, "syntax")?;
    let duplicate = format!("INSERT INTO {TABLE}_t (id) VALUES (?)");
    check(code(query(&duplicate).bind(1).execute(&mut *connection).await) == 1062, "a duplicate")?;
    check(query_scalar::<_, i64>("SELECT 1").fetch_one(connection).await? == 1, "the connection lives on")
}

/// More statements than its cache holds, results that are not read to their end, several results.
async fn statements(connection: &mut MySqlConnection) -> Done {
    step("statements and results");
    for number in 0..120 {
        let found: i64 = query_scalar(&format!("SELECT ? + {number}")).bind(1).fetch_one(&mut *connection).await?;
        check(found == 1 + number, "one of many statements")?;
    }
    let rows = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n FROM s";
    {
        let mut rows = query(rows).fetch(&mut *connection);
        check(rows.try_next().await?.is_some(), "a first row")?;
    }
    check(query(rows).fetch_all(&mut *connection).await?.len() == 900, "rows after those that nobody read")?;
    let mut results = raw_sql("SELECT 1; SET @x=3; SELECT @x, 'two'").fetch_many(&mut *connection);
    let (mut ends, mut rows) = (0, 0);
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Left(_) => ends += 1,
            Either::Right(_) => rows += 1,
        }
    }
    check((ends, rows) == (3, 2), "several results")
}

async fn cancel(mut connection: MySqlConnection) -> Done {
    step("cancel");
    let id: i64 = query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)").fetch_one(&mut connection).await?;
    let mut other = connect(&env("PORT")).await?;
    let started = Instant::now();
    let slow = query_scalar::<_, i64>("SELECT SLEEP(30)").fetch_one(&mut connection);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        raw_sql(&format!("KILL QUERY {id}")).execute(&mut other).await
    };
    let (slow, killed) = tokio::join!(slow, kill);
    killed?;
    check(matches!(slow, Ok(1)) || code(slow) == 1317, "an interrupted statement")?;
    check(started.elapsed() < Duration::from_secs(20), "the interrupted statement ends")?;
    check(query_scalar::<_, i64>("SELECT 1").fetch_one(&mut connection).await? == 1, "the connection lives on")
}

async fn load() -> Done<i64> {
    step("load");
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = stopped.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::Release);
    });
    // One connection, so that variables stay; asked whether it lives each time it is taken.
    let pool: MySqlPool = MySqlPoolOptions::new().max_connections(1).connect_with(options(&env("PORT"), false)).await?;
    let name = format!("{TABLE}_l");
    raw_sql(&format!("DROP TABLE IF EXISTS {name}")).execute(&pool).await?;
    raw_sql(&format!("CREATE TABLE {name} (id INT PRIMARY KEY, n INT NOT NULL)")).execute(&pool).await?;
    query(MINE).bind(0).execute(&pool).await?;
    let (insert, update) = (format!("INSERT INTO {name} VALUES (?, 0)"), format!("UPDATE {name} SET n=n+1 WHERE id=?"));
    let select = format!("SELECT n FROM {name} WHERE id=?");
    let mut count = 0;
    while !stopped.load(Ordering::Acquire) {
        count += 1;
        let mut transaction = pool.begin().await?;
        query(&insert).bind(count).execute(&mut *transaction).await?;
        query(MINE).bind(count).execute(&mut *transaction).await?;
        query(&update).bind(count).execute(&mut *transaction).await?;
        let own: i32 = query_scalar(&select).bind(count).fetch_one(&mut *transaction).await?;
        check(own == 1, "its own write")?;
        transaction.commit().await?;
        check(query_scalar::<_, i64>("SELECT @mine").fetch_one(&pool).await? == count, "a variable")?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut connection = pool.acquire().await?;
    let rows: i64 = query_scalar(&format!("SELECT COUNT(*) FROM {name}")).fetch_one(&mut *connection).await?;
    check((rows, sum(&mut connection, &name).await?) == (count, count), "the books")?;
    Ok(count)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    login().await?;
    let mut connection = connect(&env("PORT")).await?;
    types(&mut connection).await?;
    transactions(&mut connection).await?;
    long_values(&mut connection).await?;
    variables_and_errors(&mut connection).await?;
    statements(&mut connection).await?;
    cancel(connection).await?;
    println!("ready");
    println!("done {}", load().await?);
    Ok(())
}
