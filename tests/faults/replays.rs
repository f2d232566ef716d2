//! A transaction that is done again is the one that the client saw: generated ids, times, random numbers, variables, locks,
//! errors. Where that cannot be, it ends in 1213 and nothing of it is stored.

use mysql_async::{Conn, Value, prelude::Queryable};
use tideover_sandbox::servers::Flavor;

use super::{
    bench::{Bench, Side},
    support,
};

#[tokio::test]
async fn mariadb_10_11() {
    all(Flavor::MariaDb1011).await;
}

#[tokio::test]
async fn mariadb_11_8() {
    all(Flavor::MariaDb118).await;
}

#[tokio::test]
async fn mysql_9() {
    all(Flavor::Mysql9).await;
}

/// A transaction that is cut off. What its queries answered, those before the cut and those after, must be what they answer
/// once more at the end of it; and what is stored must be what the last of them says.
struct Case {
    name: &'static str,
    /// Before the transaction.
    first: &'static [&'static str],
    /// Until the connection to the server is cut.
    before: &'static [&'static str],
    /// By somebody else, while the connection is cut.
    meanwhile: &'static [&'static str],
    /// Asked before the cut and after it, inside the transaction.
    seen: &'static [&'static str],
    /// Asked inside the transaction and after it, past the proxy.
    stored: &'static str,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// As if nothing had happened.
    Committed,
    /// 1213, or as if nothing had happened.
    CommittedOrRolledBack,
    /// 1213 with this in its text.
    RolledBack(&'static str),
    /// 1213, or 1927 for what is gone, with this in its text.
    Gone(&'static str),
}

const CASE: Case = Case {
    name: "",
    first: &[],
    before: &[],
    meanwhile: &[],
    seen: &[],
    stored: "SELECT COUNT(*) FROM app.r",
    ends: Ends::Committed,
};
/// A row that the transaction has read is another one when it is done again.
const READ_AND_CHANGED: Case = Case {
    before: &["SELECT n FROM c WHERE id = 1", "INSERT INTO r (v) VALUES ('a')"],
    meanwhile: &["UPDATE c SET n = n + 1 WHERE id = 1"],
    ends: Ends::RolledBack("SELECT n FROM c"),
    ..CASE
};
const READ_COMMITTED: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
const OTHERS_INSERT: &[&str] = &["INSERT INTO r (v) VALUES ('others'), ('others')"];
const MINE: &str = "SELECT id, v, n, f, at FROM app.r WHERE v <> 'others' ORDER BY id";

const CASES: &[Case] = &[
    Case {
        name: "generated ids stay, whatever others insert meanwhile",
        before: &["INSERT INTO r (v) VALUES ('a')", "INSERT INTO r (v) VALUES ('b'), ('c')"],
        meanwhile: OTHERS_INSERT,
        seen: &["SELECT LAST_INSERT_ID()", MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "ids of several statements in one text stay",
        before: &[
            "INSERT INTO r (v) VALUES ('a'); SELECT LAST_INSERT_ID(); INSERT INTO r (v) VALUES ('b'), ('c'); \
             UPDATE r SET n = 1 WHERE v = 'b'; INSERT INTO r (v, n) VALUES ('d', LAST_INSERT_ID())",
        ],
        meanwhile: OTHERS_INSERT,
        seen: &["SELECT LAST_INSERT_ID()", MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "an id is used by the next statement",
        before: &["INSERT INTO r (v) VALUES ('a')", "INSERT INTO r (v, n) VALUES ('b', LAST_INSERT_ID())"],
        meanwhile: OTHERS_INSERT,
        seen: &[MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "times stay",
        before: &["INSERT INTO r (v, at) VALUES ('a', NOW(6))"],
        seen: &[MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "random numbers stay",
        before: &["INSERT INTO r (v, f) VALUES ('a', RAND())"],
        seen: &[MINE],
        stored: MINE,
        ends: Ends::CommittedOrRolledBack,
        ..CASE
    },
    Case {
        name: "a UUID that was read",
        before: &["INSERT INTO r (v) VALUES (UUID())"],
        seen: &[MINE],
        stored: MINE,
        ends: Ends::CommittedOrRolledBack,
        ..CASE
    },
    Case {
        name: "user variables stay",
        first: &["SET @a = 1"],
        before: &["SET @a = @a + 1", "INSERT INTO r (v, n) VALUES ('a', @a)", "SET @b = 'x'"],
        seen: &["SELECT @a, @b", MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "settings inside the transaction stay",
        before: &["SET SESSION sql_mode = 'ANSI_QUOTES'", "INSERT INTO r (v) VALUES ('a')"],
        seen: &["SELECT @@SESSION.sql_mode", "SELECT COUNT(*) AS \"quoted\" FROM r"],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "an error inside is the same error",
        first: &["INSERT INTO u VALUES (1)"],
        before: &[
            "INSERT INTO r (v) VALUES ('a')",
            "!INSERT INTO u VALUES (1)",
            "INSERT INTO r (v) VALUES ('b')",
        ],
        seen: &[MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "several statements in one text",
        before: &["INSERT INTO r (id, v) VALUES (1000, 'a'); UPDATE r SET n = 5 WHERE v = 'a'"],
        seen: &[MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "several statements in one text, with an id that was generated",
        before: &["INSERT INTO r (v) VALUES ('a'); UPDATE r SET n = 5 WHERE v = 'a'"],
        seen: &[MINE],
        stored: MINE,
        ends: Ends::CommittedOrRolledBack,
        ..CASE
    },
    Case {
        name: "stored code",
        before: &["CALL fill('a')", "INSERT INTO r (v) VALUES ('b')"],
        seen: &["SELECT v, n FROM r ORDER BY v"],
        stored: "SELECT v, n FROM app.r ORDER BY v",
        ..CASE
    },
    Case {
        name: "an id that stored code generated and the client has seen",
        before: &["CALL fill('a')"],
        seen: &[MINE],
        stored: MINE,
        ends: Ends::CommittedOrRolledBack,
        ..CASE
    },
    Case {
        name: "without BEGIN",
        first: &["SET autocommit = 0"],
        before: &["INSERT INTO r (v) VALUES ('a')"],
        seen: &[MINE],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "savepoints",
        before: &[
            "INSERT INTO r (v) VALUES ('a')",
            "SAVEPOINT one",
            "INSERT INTO r (v) VALUES ('gone')",
            "ROLLBACK TO one",
            "INSERT INTO r (v) VALUES ('b')",
        ],
        seen: &[MINE],
        stored: MINE,
        ..CASE
    },
    Case { name: "what was read has changed", ..READ_AND_CHANGED },
    Case {
        name: "at READ COMMITTED what was read may change",
        first: &[READ_COMMITTED],
        seen: &[MINE],
        stored: MINE,
        ends: Ends::Committed,
        ..READ_AND_CHANGED
    },
    Case {
        name: "at READ COMMITTED, without BEGIN",
        first: &[READ_COMMITTED, "SET autocommit = 0"],
        seen: &[MINE],
        stored: MINE,
        ends: Ends::Committed,
        ..READ_AND_CHANGED
    },
    Case {
        name: "at READ COMMITTED what was locked may not",
        first: &[READ_COMMITTED],
        before: &["SELECT n FROM c WHERE id = 1 FOR UPDATE", "INSERT INTO r (v) VALUES ('a')"],
        ..READ_AND_CHANGED
    },
    Case {
        name: "this one transaction is at another level",
        first: &[READ_COMMITTED, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
        ..READ_AND_CHANGED
    },
    Case {
        name: "the level is changed for the transactions after this one",
        before: &[
            "SELECT n FROM c WHERE id = 1",
            READ_COMMITTED,
            "SELECT n FROM c WHERE id = 1",
            "INSERT INTO r (v) VALUES ('a')",
        ],
        ..READ_AND_CHANGED
    },
    Case {
        name: "what was locked and read has changed",
        before: &["SELECT n FROM c WHERE id = 1 FOR UPDATE", "UPDATE c SET n = 100 WHERE id = 1"],
        ..READ_AND_CHANGED
    },
    Case {
        name: "a row count has changed",
        before: &["UPDATE r SET n = n + 1 WHERE v = 'others'", "INSERT INTO r (v) VALUES ('a')"],
        meanwhile: OTHERS_INSERT,
        ends: Ends::RolledBack("UPDATE r SET n"),
        ..CASE
    },
    Case {
        name: "a temporary table of the transaction is made again",
        before: &[
            "CREATE TEMPORARY TABLE tt (a INT)",
            "INSERT INTO tt VALUES (1)",
            "INSERT INTO r (v) VALUES ('a')",
        ],
        seen: &["SELECT * FROM tt"],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "a temporary table from before is gone",
        first: &["CREATE TEMPORARY TABLE tt (a INT)"],
        before: &["INSERT INTO r (v) VALUES ('a')"],
        ends: Ends::Gone("emporary"),
        ..CASE
    },
    Case {
        name: "a named lock of the transaction is taken again",
        before: &["SELECT GET_LOCK('mine', 0)", "INSERT INTO r (v) VALUES ('a')"],
        seen: &["SELECT IS_USED_LOCK('mine') = CONNECTION_ID()"],
        stored: MINE,
        ..CASE
    },
    Case {
        name: "a named lock from before is gone",
        first: &["SELECT GET_LOCK('mine', 0)"],
        before: &["INSERT INTO r (v) VALUES ('a')"],
        ends: Ends::Gone("lock"),
        ..CASE
    },
];

const TABLES: &[&str] = &[
    "CREATE TABLE r (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60), n INT NOT NULL DEFAULT 0, f DOUBLE, at DATETIME(6))",
    "CREATE TABLE c (id INT PRIMARY KEY, n INT NOT NULL)",
    "CREATE TABLE u (id INT PRIMARY KEY)",
    "CREATE PROCEDURE fill(x VARCHAR(60)) SQL SECURITY INVOKER BEGIN INSERT INTO r (v) VALUES (x); UPDATE r SET n = n + 1 WHERE v = x; END",
];

async fn all(flavor: Flavor) {
    let bench = Bench::start(flavor).await;
    for sql in TABLES {
        bench.run(sql).await;
    }
    let mut wrong = Vec::new();
    for case in CASES {
        for sql in ["DELETE FROM r", "DELETE FROM c", "DELETE FROM u", "INSERT INTO c VALUES (1, 1)"] {
            bench.run(sql).await;
        }
        if let Err(why) = run(&bench, &bench.sides[0], case).await {
            wrong.push(format!("{}: {why}", case.name));
        }
    }
    locks_are_taken_again(&bench, &bench.sides[0]).await;
    prepared(&bench, &bench.sides[0]).await;
    assert!(wrong.is_empty(), "{flavor}:\n{}\n{}", wrong.join("\n"), bench.sides[0].proxy.log());
}

async fn client(side: &Side) -> Conn {
    support::open(support::options(side.proxy.address(), "app", "app")).await.unwrap()
}

/// Cuts every server connection of the application: those that hold transactions, too.
async fn cut(bench: &Bench, side: &Side) {
    assert!(side.relays[bench.primary_at()].cut_account("app").await > 0, "there was nothing to cut");
}

async fn run(bench: &Bench, side: &Side, case: &Case) -> Result<(), String> {
    let mut client = client(side).await;
    for sql in case.first {
        client.query_drop(*sql).await.map_err(|error| format!("{sql}: {error}"))?;
    }
    if !case.first.contains(&"SET autocommit = 0") {
        client.query_drop("BEGIN").await.unwrap();
    }
    for sql in case.before {
        let failed = client.query_drop(sql.trim_start_matches('!')).await.err();
        if failed.is_some() != sql.starts_with('!') {
            return Err(format!("{sql}: {failed:?}"));
        }
    }
    let mut before = Vec::new();
    for sql in case.seen {
        before.push(answer(&mut client, sql).await.map_err(|(code, text)| format!("{sql}: {code} {text}"))?);
    }
    cut(bench, side).await;
    for sql in case.meanwhile {
        bench.run(sql).await;
    }
    let told = end(&mut client, case, &before).await;
    let rolled_back = client.query_drop("ROLLBACK").await;
    // What is gone beside the transaction is said once, with the first statement after it.
    let next = client.query_drop("DO 1").await;
    let gone = matches!(&next, Err(error) if support::code(error).0 == 1927);
    let alive = next.is_ok() || (gone && client.query_drop("DO 1").await.is_ok());
    let mine = "SELECT COUNT(*) FROM app.r WHERE v <> 'others'";
    match (told, case.ends) {
        (told, _) if !alive || rolled_back.is_err() => {
            Err(format!("then ROLLBACK: {rolled_back:?}, told {told:?}"))
        }
        (Ok(inside), Ends::Committed | Ends::CommittedOrRolledBack) => {
            let mut direct = bench.cluster.primary().connect().await.unwrap();
            let stored = answer(&mut direct, case.stored).await.unwrap();
            if stored == inside { Ok(()) } else { Err(format!("stored {stored:?}, seen {inside:?}")) }
        }
        (Err((1213, text)), Ends::RolledBack(part)) if text.contains(part) => nothing(bench, mine).await,
        (Err((1213, _)), Ends::CommittedOrRolledBack) => nothing(bench, mine).await,
        (Err((1213 | 1927, text)), Ends::Gone(part)) if text.contains(part) => nothing(bench, mine).await,
        (told, ends) => Err(format!("{ends:?} was expected: {told:?}")),
    }
}

async fn nothing(bench: &Bench, sql: &str) -> Result<(), String> {
    match bench.number(sql).await {
        0 => Ok(()),
        rows => Err(format!("{rows} rows of a transaction that was rolled back")),
    }
}

/// What the transaction answers after the cut, to the end of it.
async fn end(client: &mut Conn, case: &Case, before: &[Answer]) -> Result<Answer, (u16, String)> {
    for (sql, before) in case.seen.iter().zip(before) {
        let after = answer(client, sql).await?;
        if after != *before {
            return Err((0, format!("{sql}: {before:?} before, {after:?} after")));
        }
    }
    let inside = answer(client, case.stored).await?;
    match client.query_drop("COMMIT").await {
        Ok(()) => Ok(inside),
        Err(error) => Err(support::code(&error)),
    }
}

type Answer = Vec<Vec<Value>>;

async fn answer(client: &mut Conn, sql: &str) -> Result<Answer, (u16, String)> {
    let rows: Vec<mysql_async::Row> = client.query(sql).await.map_err(|error| support::code(&error))?;
    Ok(rows.into_iter().map(mysql_async::Row::unwrap).collect())
}

/// Whoever wants the row must wait for the transaction as it is now.
async fn locks_are_taken_again(bench: &Bench, side: &Side) {
    let mut client = client(side).await;
    client.query_drop("BEGIN").await.unwrap();
    client.query_drop("SELECT * FROM c WHERE id = 1 FOR UPDATE").await.unwrap();
    cut(bench, side).await;
    client.query_drop("SELECT 1").await.unwrap();
    let mut other = bench.cluster.primary().connect().await.unwrap();
    other.query_drop("SET innodb_lock_wait_timeout = 1").await.unwrap();
    let refused = support::refused(&mut other, "UPDATE app.c SET n = 7 WHERE id = 1").await.unwrap();
    assert_eq!(refused.0, 1205, "the row is not locked: {refused:?}");
    client.query_drop("COMMIT").await.unwrap();
}

/// Prepared statements and their parameters, and cut more than once.
async fn prepared(bench: &Bench, side: &Side) {
    bench.run("DELETE FROM r").await;
    let mut client = client(side).await;
    let statement = client.prep("INSERT INTO r (v, n) VALUES (?, ?)").await.unwrap();
    client.query_drop("BEGIN").await.unwrap();
    for n in 0..5 {
        client.exec_drop(&statement, ("p", n)).await.unwrap();
        cut(bench, side).await;
    }
    let long = "x".repeat(40);
    client.exec_drop(&statement, (long.as_str(), 5)).await.unwrap();
    let seen: Vec<(u32, i32)> =
        client.exec("SELECT id, n FROM r WHERE n >= ? ORDER BY n", (0,)).await.unwrap();
    client.query_drop("COMMIT").await.unwrap();
    let mut direct = bench.cluster.primary().connect().await.unwrap();
    let stored: Vec<(u32, i32)> = direct.query("SELECT id, n FROM app.r ORDER BY n").await.unwrap();
    assert_eq!(seen, stored);
    assert_eq!(stored.iter().map(|row| row.1).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}
