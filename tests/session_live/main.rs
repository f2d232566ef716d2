//! Session tracking and restoring against real servers: what a session did on one connection, a second one is
//! brought to by the plan, and afterwards back to what a new one has. All session variables are compared.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![allow(clippy::disallowed_types, reason = "its client blocks, on the real clock")]

mod client;
mod server;

use std::collections::BTreeMap;

use client::{Answer, Client, Item};
use server::Server;
use tideover::session::{Change, Outcome, PinReason, SessionState, Step, Tracker, plan, tracker_setup};
use tideover::sql::{Dialect, classify};
use tideover_sandbox::servers::Flavor;

/// A client's connection and what Tideover makes of it.
struct Session {
    client: Client,
    tracker: Tracker,
    base: SessionState,
    dialect: Dialect,
}

impl Session {
    fn open(server: &Server) -> Self {
        let mut client = Client::connect(server.port);
        client.run(tracker_setup(server.mariadb));
        let mut base = SessionState::new();
        for name in ["sql_mode", "character_set_client", "character_set_results", "collation_connection"] {
            let value = client.run(&format!("SELECT @@{name}"))[0][0].clone().unwrap_or_default();
            base.set_variable(name.as_bytes(), value.as_bytes());
        }
        let version = if server.mariadb { 101_119 } else { 90_704 };
        let dialect = base.dialect(server.mariadb, version);
        Self { client, tracker: Tracker::new(base.clone()), base, dialect }
    }

    /// Runs a statement as the proxy would; its error, if any.
    fn run(&mut self, text: &str) -> Option<u16> {
        let statement = classify(text.as_bytes(), self.dialect);
        self.tracker.begin(&statement, false);
        let answer = self.client.query(text);
        let changes: Vec<_> = answer.items.iter().map(change).collect();
        self.tracker.observe(&statement, text.as_bytes(), self.dialect, &outcome(&answer, &changes));
        let state = self.tracker.state();
        self.dialect = state.dialect(self.dialect.mariadb, self.dialect.version);
        answer.error.map(|(code, _)| code)
    }

    fn restore(&mut self, from: &SessionState, to: &SessionState) {
        for step in plan(from, to, &self.base).steps {
            match step {
                Step::InitDb(schema) => {
                    self.client.run(&format!("USE `{}`", String::from_utf8(schema).unwrap()))
                }
                Step::Query(text) => self.client.run(&String::from_utf8(text).unwrap()),
            };
        }
    }

    fn variables(&mut self) -> BTreeMap<String, String> {
        let rows = self.client.run("SHOW SESSION VARIABLES");
        let row = |row: Vec<Option<String>>| {
            let mut values = row.into_iter().map(Option::unwrap_or_default);
            (values.next().unwrap(), values.next().unwrap())
        };
        let own = [
            "error_count",
            "identity",
            "insert_id",
            "last_gtid",
            "last_insert_id",
            "pseudo_thread_id",
            "rand_seed1",
            "rand_seed2",
            "statement_id",
            "timestamp",
            "warning_count",
            "in_transaction",
        ];
        // Numbers of the whole server that move while the test runs.
        let moving = |name: &str| {
            name.starts_with("gtid_") || name.starts_with("rpl_semi") || name.contains("_executed")
        };
        rows.into_iter().map(row).filter(|(name, _)| !own.contains(&&**name) && !moving(name)).collect()
    }
}

fn change(item: &Item) -> Change<'_> {
    match item {
        Item::Variable(name, value) => Change::Variable { name, value },
        Item::Schema(name) => Change::Schema(name),
        Item::State => Change::State,
        Item::Characteristics(text) => Change::Characteristics(text),
    }
}

fn outcome<'a>(answer: &Answer, changes: &'a [Change<'a>]) -> Outcome<'a> {
    Outcome {
        error: answer.error.as_ref().map(|(code, _)| *code),
        status: answer.status,
        warnings: answer.warnings,
        affected_rows: answer.affected_rows,
        last_insert_id: answer.last_insert_id,
        own_id: false,
        had_insert_id: true,
        result_set: answer.result_set,
        ends_rows: answer.result_set,
        rows: answer.rows.len() as u64,
        ended: 0,
        changes,
    }
}

fn on_each(test: impl Fn(&Server, &str)) {
    for flavor in Flavor::ALL {
        test(&Server::start(flavor), flavor.name());
    }
}

/// Ways of changing a session. A statement that a server does not know is passed over.
const WALKS: &[&[&str]] = &[
    &["SET NAMES latin1"],
    &["SET NAMES utf8mb4 COLLATE utf8mb4_bin"],
    &["SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET NAMES utf8mb4"],
    &["SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci'", "SET character_set_results = NULL"],
    &["SET CHARACTER SET latin1"],
    &["SET collation_connection = latin1_bin"],
    &["SET collation_connection = latin1_bin", "SET character_set_connection = latin1"],
    &["SET character_set_connection = latin1, collation_connection = utf8mb4_bin"],
    &["SET character_set_collations = 'utf8mb4=utf8mb4_bin'", "SET NAMES utf8mb4"],
    &["SET character_set_server = latin1", "SET collation_server = latin1_bin"],
    &["SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET SESSION TRANSACTION READ ONLY"],
    &["SET tx_isolation = 'READ-COMMITTED'", "SET transaction_isolation = 'READ-COMMITTED'"],
    &["SET sql_mode = ''"],
    &["SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "SET SESSION time_zone = '+02:00'"],
    &["SET sql_mode = 'ANSI'", "SET sql_mode = DEFAULT"],
    &["SET sql_mode = 'ORACLE'"],
    &["SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"],
    &["SET autocommit = 0"],
    &["SET autocommit = 0", "SET autocommit = 1"],
    &["SET foreign_key_checks = 0, unique_checks = OFF", "SET sql_safe_updates = 1, sql_notes = 0"],
    &["SET foreign_key_checks = 0", "SET foreign_key_checks = DEFAULT"],
    &["SET sql_big_selects = 0", "SET sql_warnings = ON", "SET sql_log_off = 1"],
    &["SET sql_log_bin = 0"],
    &["SET max_join_size = 1000", "SET sql_big_selects = 1"],
    &["SET wait_timeout = 100, net_read_timeout = 50", "SET wait_timeout = DEFAULT"],
    &["SET long_query_time = 1.25", "SET max_statement_time = 2.5", "SET max_execution_time = 1500"],
    &["SET optimizer_switch = 'mrr=off'", "SET lc_time_names = 'de_DE'"],
    &[
        "SET group_concat_max_len = 2048, tmp_table_size = 1000000, sql_select_limit = 10",
        "SET sql_select_limit = DEFAULT",
    ],
    &[
        "SET default_storage_engine = MyISAM",
        "SET storage_engine = MyISAM",
        "SET innodb_lock_wait_timeout = 4",
    ],
    &[
        "SET STATEMENT sort_buffer_size = 100000 FOR SELECT 1",
        "SELECT /*+ SET_VAR(sort_buffer_size=100000) */ 1",
    ],
    &["SET @@session.lock_wait_timeout = 3; SET @@div_precision_increment = 7; SELECT 1"],
    &[
        "CREATE DATABASE IF NOT EXISTS shop COLLATE utf8mb4_unicode_ci",
        "USE shop",
        "SET @a = 5, @B = 'it''s', @c = NULL",
    ],
    &["USE shop", "SET CHARACTER SET latin1"],
    &["SET @d = -1.5, @`e` = TRUE, @f = \"x\"", "SET @d = 6"],
    &[
        "SET gtid_domain_id = 3",
        "SET profiling = 1",
        "SET low_priority_updates = 1",
        "SET sql_buffer_result = 1",
    ],
    &["SET foreign_key_checks = 0", "CALL shop.nowhere()", "SET wait_timeout = 'x'"],
];

fn user_variables(session: &mut Session) -> Vec<Option<String>> {
    session.client.run("SELECT HEX(@a), HEX(@b), @c, HEX(@d), HEX(@e), HEX(@f), DATABASE()").remove(0)
}

#[test]
fn a_second_connection_comes_to_the_same_state_and_back() {
    on_each(|server, name| {
        let fresh = Session::open(server).variables();
        for walk in WALKS {
            let mut first = Session::open(server);
            for text in *walk {
                first.run(text);
            }
            assert!(
                first.tracker.pins().for_session().is_empty(),
                "{name} {walk:?} {:?}",
                first.tracker.pins()
            );
            let reached = first.tracker.state().clone();
            let base = first.base.clone();
            let mut second = Session::open(server);
            second.restore(&base, &reached);
            assert_eq!(
                differences(&first.variables(), &second.variables()),
                Vec::<String>::new(),
                "{name} {walk:?}"
            );
            assert_eq!(user_variables(&mut first), user_variables(&mut second), "{name} {walk:?}");

            // A schema cannot be left; everything else can.
            let mut back = base.clone();
            back.set_schema(reached.schema());
            second.restore(&reached, &back);
            let mut left = second.variables();
            let kept = ["character_set_database", "collation_database"];
            left.retain(|variable, _| !kept.contains(&&**variable));
            let left = differences(&left, &fresh);
            let left: Vec<_> =
                left.into_iter().filter(|line| !kept.iter().any(|kept| line.starts_with(kept))).collect();
            assert_eq!(left, Vec::<String>::new(), "{name} back from {walk:?}");
        }
    });
}

fn differences(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
        let (a, b) = (a.get(name), b.get(name));
        if a != b {
            found.push(format!("{name}: {a:?} {b:?}"));
        }
    }
    found
}

#[test]
fn what_cannot_follow_pins() {
    let rows: &[(&[&str], PinReason)] = &[
        (&["CREATE TEMPORARY TABLE shop.tmp (a INT)"], PinReason::TemporaryTable),
        (&["CALL shop.makes_table()"], PinReason::StoredCode),
        (&["USE shop", "CALL sets_variable()"], PinReason::StoredCode),
        (&["SELECT shop.sets_in_function()"], PinReason::StoredCode),
        (&["SET TRANSACTION READ ONLY"], PinReason::NextTransaction),
        (&["SET TRANSACTION READ ONLY", "SELECT 1"], PinReason::NextTransaction),
        (&["SET timestamp = 5"], PinReason::UntrackedVariable),
        (&["SET sql_auto_is_null = 1"], PinReason::UntrackedVariable),
        (&["SELECT GET_LOCK('a', 1)"], PinReason::UserLock),
        (&["SELECT LAST_INSERT_ID(5)"], PinReason::LastInsertId),
        (&["LOCK TABLES shop.t READ"], PinReason::TableLock),
        (&["XA START 'x'"], PinReason::Xa),
        (&["HANDLER shop.t OPEN"], PinReason::Handler),
        (&["SET @a = (SELECT 1)"], PinReason::UserVariable),
    ];
    on_each(|server, name| {
        let mut setup = Session::open(server);
        for text in [
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (a INT)",
            "CREATE PROCEDURE shop.makes_table() CREATE TEMPORARY TABLE shop.tmp (a INT)",
            "CREATE PROCEDURE shop.sets_variable() SET @x = 5",
            "CREATE FUNCTION shop.sets_in_function() RETURNS INT BEGIN SET @x = 5; RETURN 1; END",
            "CREATE PROCEDURE shop.writes() INSERT INTO shop.t VALUES (1)",
        ] {
            assert_eq!(setup.run(text), None, "{name} {text}");
        }
        for (walk, reason) in rows {
            let mut session = Session::open(server);
            for text in *walk {
                assert_eq!(session.run(text), None, "{name} {text}");
            }
            let pins = session.tracker.pins();
            assert!(pins.contains(*reason), "{name} {walk:?} {pins:?}");
        }
        let free: &[&[&str]] = &[
            &["USE shop", "CALL writes()", "CALL shop.writes()"],
            &["SET TRANSACTION READ ONLY", "SELECT * FROM shop.t"],
            &["SET TRANSACTION READ ONLY", "BEGIN", "SELECT * FROM shop.t", "COMMIT"],
            &["SELECT GET_LOCK('a', 1)", "SELECT RELEASE_LOCK('a')"],
            &["LOCK TABLES shop.t READ", "UNLOCK TABLES"],
            &["CREATE TEMPORARY TABLE shop.tmp (a INT)", "DROP TEMPORARY TABLE shop.tmp"],
            &["XA START 'x'", "XA END 'x'", "XA ROLLBACK 'x'"],
            &["SET session_track_schema = ON"],
            &["SET ROLE NONE"],
            &["PREPARE s FROM 'SELECT 1'", "EXECUTE s"],
        ];
        for walk in free {
            let mut session = Session::open(server);
            for text in *walk {
                assert_eq!(session.run(text), None, "{name} {text}");
            }
            let pins = session.tracker.pins().for_session();
            assert!(pins.is_empty(), "{name} {walk:?} {pins:?}");
        }
    });
}
