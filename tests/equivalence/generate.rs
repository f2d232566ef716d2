//! Scripts made up by a generator: whatever changes the state of a session, mixed in random order with what asks for it. A
//! seed gives the same script every time.

use std::fmt::Write;

use tideover_sandbox::servers::Flavor;

use crate::wide::GIVEN_BACK;

/// Steps of one script.
const STEPS: u64 = 22;
/// Asks for as much as one statement can.
const PROBE: &str = "SELECT DATABASE(), @@time_zone, @@sql_mode, @@character_set_client, @@character_set_results, \
    @@collation_connection, @@group_concat_max_len, @@div_precision_increment, @@sql_select_limit, @@autocommit, \
    @@lc_time_names, @@foreign_key_checks, @@wait_timeout";

/// How a session begins, also behind a reset. What columns say of a variable that was never set is not the same as of one
/// that is NULL; nor is what FOUND_ROWS(), @@error_count and the like give a session that has never asked: MariaDB takes a
/// connection's memory for the next one, and what the one before has left there is seen (directly, of two new sessions that
/// follow different ones, one says 0 and the other 1). A query with a table clears it.
const ASKED: &str = "SET @a = 1, @b = 'b', @c = 2.5, @d = 'd'\nSELECT COUNT(*) FROM eq.items\nSELECT FOUND_ROWS(), LAST_INSERT_ID()\nSELECT ROW_COUNT()";

/// What a script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Statements alone, for every way to send them.
    Plain,
    /// Commands of the protocol too.
    Commands,
    /// Plain, and the rarer statements.
    Wide,
    /// Both.
    WideCommands,
}

impl Sort {
    const fn has_commands(self) -> bool {
        matches!(self, Self::Commands | Self::WideCommands)
    }

    const fn is_wide(self) -> bool {
        matches!(self, Self::Wide | Self::WideCommands)
    }
}

/// Scripts in the corpus' own form, one for each seed.
pub(crate) fn scripts(seeds: std::ops::Range<u64>, sort: Sort, flavor: Flavor) -> String {
    seeds.fold(String::new(), |mut text, seed| {
        let mut generator = Generator {
            random: seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            flavor,
            prepared: Vec::new(),
        };
        let _ = writeln!(text, "## seed {seed} {sort:?} [old]");
        let _ = writeln!(text, "{ASKED}");
        for _ in 0..8 {
            generator.next();
        }
        for _ in 0..STEPS {
            let _ = writeln!(text, "{}", generator.line(sort));
        }
        if sort.is_wide() {
            text += GIVEN_BACK;
        }
        text + "ROLLBACK\n"
            + PROBE
            + "\nSET autocommit = 1, sql_select_limit = DEFAULT\nDROP TEMPORARY TABLE IF EXISTS scratch\n\
            DELETE FROM eq.plain\nDELETE FROM eq.counter\nDELETE FROM eq.keyed\n"
    })
}

pub(crate) struct Generator {
    random: u64,
    flavor: Flavor,
    /// Names of binary statements. An error about one that is not there is the proxy's own, and leaves no warning.
    prepared: Vec<&'static str>,
}

impl Generator {
    /// xorshift64*
    fn next(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }

    pub(crate) fn is_mariadb(&self) -> bool {
        self.flavor.is_mariadb()
    }

    fn line(&mut self, sort: Sort) -> String {
        let several = sort.has_commands() && self.below(if sort.is_wide() { 6 } else { 12 }) == 0;
        if several {
            let pieces: Vec<String> = (0..2 + self.below(2)).map(|_| self.either(sort)).collect();
            return pieces.join("; ").replace('\n', "; ");
        }
        if sort.has_commands() && self.below(3) == 0 { self.command() } else { self.either(sort) }
    }

    fn either(&mut self, sort: Sort) -> String {
        if sort.is_wide() && self.below(5) < 3 { self.wider() } else { self.statement() }
    }

    fn statement(&mut self) -> String {
        match self.below(20) {
            0..=3 => self.variable(),
            4..=7 => self.user_variable(),
            8..=9 => self.sql_prepared(),
            10..=12 => self.transaction(),
            13..=15 => self.change(),
            16 => self.mistake(),
            17 => self.question().to_owned(),
            18 => self.read(),
            _ => PROBE.to_owned(),
        }
    }

    fn variable(&mut self) -> String {
        let number = 10 + self.below(90);
        match self.below(15) {
            0 => format!("SET time_zone = '+{:02}:30'", number % 12),
            1 => {
                let modes =
                    ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "STRICT_ALL_TABLES", "", "PIPES_AS_CONCAT"];
                format!("SET sql_mode = '{}'", self.one_of(&modes))
            }
            2 => format!("SET group_concat_max_len = {number}"),
            3 => format!("SET @@session.div_precision_increment = {}", number % 20),
            4 => format!("SET SESSION wait_timeout = {}, foreign_key_checks = {}", 1000 + number, number % 2),
            5 => "SET lc_time_names = 'de_DE', group_concat_max_len = DEFAULT".to_owned(),
            6 => format!("SET sql_select_limit = {}", 2 + number % 3),
            7 => "SET sql_select_limit = DEFAULT, time_zone = DEFAULT".to_owned(),
            8 => {
                let names = ["latin1", "utf8mb4", "utf8mb4 COLLATE utf8mb4_bin", "latin1 COLLATE latin1_bin"];
                format!("SET NAMES {}", self.one_of(&names))
            }
            9 => {
                let levels = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
                format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", self.one_of(&levels))
            }
            10 => format!("USE {}", self.one_of(&["eq", "other", "eq", "nowhere"])),
            11 => self
                .one_of(&["USE eq", "SET sql_notes = 0", "SET sql_notes = 1", "SET max_error_count = 2"])
                .into(),
            12 => format!("SET @a = {number}, div_precision_increment = {}, @b = 'with it'", number % 7),
            13 => "SET no_such_variable = 1, time_zone = '+01:00'".to_owned(),
            _ => "USE eq".to_owned(),
        }
    }

    fn user_variable(&mut self) -> String {
        let name = self.one_of(&["a", "b", "c", "d"]);
        let other = self.one_of(&["a", "b", "c", "d"]);
        let number = self.below(100);
        match self.below(17) {
            0 => format!("SET @{name} = {number}"),
            1 => format!("SET @{name} = 'text {number}'"),
            // Not NULL, for the same reason.
            2 => format!("SET @{name} = '', @{other} = -{number}.5"),
            3 => format!("SET @{name} = COALESCE(@{other}, 3)"),
            4 => format!("SET @{name} = COALESCE(@{name}, 0) + {number}"),
            5 => format!("SET @{name} = (SELECT name FROM eq.items WHERE id = {})", 1 + number % 5),
            6 => format!("SELECT @{name} := {number}"),
            7 => format!("SELECT @{name} := CONCAT('x', @{other}, '{number}')"),
            8 => {
                format!("SELECT id, name INTO @{name}, @{other} FROM eq.items WHERE id = {}", 1 + number % 6)
            }
            9 => format!(
                "SELECT price, made FROM eq.items WHERE id = {} INTO @{name}, @{other}",
                1 + number % 5
            ),
            10 => format!("CALL gives({number}, @{name}, @{other})"),
            11 => format!("SET @{name} = UNHEX('00ff{:02}'), @{other} = {number}e0", number),
            12 => format!("SET @{name} = JSON_OBJECT('k', {number})"),
            13 => format!("DO @{name} := {number} / 7"),
            14 => format!(
                "SET @{name} = CAST({number} AS UNSIGNED), @{other} = DATE('2020-01-{:02}')",
                1 + number % 28
            ),
            15 => "SELECT @a, @b, @c, @d".to_owned(),
            _ => format!("SELECT @{name}, COLLATION(@{name}), @{other} + 1"),
        }
    }

    fn sql_prepared(&mut self) -> String {
        let name = self.one_of(&["s", "t"]);
        match self.below(9) {
            0 => format!("PREPARE {name} FROM 'SELECT ? + 1, DATABASE()'"),
            1 => format!("PREPARE {name} FROM 'SELECT COUNT(*) FROM items WHERE id > ?'"),
            2 => format!("PREPARE {name} FROM 'INSERT INTO eq.plain VALUES (?, ''prepared'', @a)'"),
            3 => format!("PREPARE {name} FROM 'this is no sql'"),
            4 => format!("DEALLOCATE PREPARE {name}"),
            5 => format!("EXECUTE {name}"),
            _ => format!("EXECUTE {name} USING @{}", self.one_of(&["a", "b"])),
        }
    }

    fn transaction(&mut self) -> String {
        let all = [
            "BEGIN",
            "BEGIN",
            "START TRANSACTION",
            "START TRANSACTION READ ONLY",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "COMMIT",
            "COMMIT",
            "ROLLBACK",
            "ROLLBACK",
            "SAVEPOINT one",
            "ROLLBACK TO one",
            "RELEASE SAVEPOINT one",
            "COMMIT AND CHAIN",
            "SET autocommit = 0",
            "SET autocommit = 1",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET TRANSACTION READ ONLY",
        ];
        self.one_of(&all).to_owned()
    }

    fn change(&mut self) -> String {
        let number = 1 + self.below(8);
        let note = self.one_of(&["a", "b", "c", "d", "e"]);
        match self.below(17) {
            0 => format!("INSERT INTO eq.plain VALUES ({number}, '{note}', @a)"),
            1 => format!(
                "INSERT INTO eq.plain VALUES ({number}, 'x', 'y'), ({number}, '{note}', NULL), (0, '', '')"
            ),
            2 => format!("INSERT INTO eq.counter (note) VALUES ('{note}')"),
            3 => "INSERT INTO eq.counter (note) VALUES (NULL), (NULL), (NULL)".to_owned(),
            4 => format!("INSERT IGNORE INTO eq.counter (note) VALUES ('{note}'), (NULL)"),
            5 => format!(
                "INSERT INTO eq.counter (note) VALUES ('{note}') ON DUPLICATE KEY UPDATE note = CONCAT(note, '+')"
            ),
            6 => format!("REPLACE INTO eq.counter (note) VALUES ('{note}')"),
            7 => format!("UPDATE eq.plain SET b = CONCAT(b, '{note}') WHERE a < {number}"),
            8 => format!("UPDATE eq.plain SET a = LAST_INSERT_ID(a + {number})"),
            9 => format!("DELETE FROM eq.plain WHERE a = {number}"),
            10 => "CREATE TEMPORARY TABLE scratch (a INT AUTO_INCREMENT PRIMARY KEY, b INT)".to_owned(),
            11 => format!("INSERT INTO scratch (b) VALUES ({number}), ({number})"),
            12 => "DROP TEMPORARY TABLE scratch".to_owned(),
            13 => format!(
                "INSERT INTO eq.plain (a, b) SELECT id, name FROM eq.items WHERE id < {number} ORDER BY id"
            ),
            14 => format!("INSERT INTO eq.keyed (id, note) VALUES ({number}, '{note}')"),
            15 => format!("INSERT INTO eq.keyed (note) VALUES ('{note}')"),
            _ => format!("SELECT LAST_INSERT_ID({number})"),
        }
    }

    fn mistake(&mut self) -> String {
        let all = [
            "SELECT nonsense",
            "SELECT * FROM eq.nowhere",
            "this is no sql",
            "INSERT INTO eq.items (id) VALUES (1)",
            "SELECT 1 / 0",
            "SELECT CAST('x' AS SIGNED), CAST('1y' AS SIGNED)",
            "DROP TABLE IF EXISTS eq.absent, eq.missing",
            "CALL fails()",
            "SELECT 1, 2 INTO @a",
            "INSERT INTO eq.plain (a) VALUES ('x')",
            "SELECT id FROM eq.items WHERE id = (SELECT id FROM eq.items)",
        ];
        match self.one_of(&all) {
            // What MySQL leaves for FOUND_ROWS() behind this is not carried to other connections.
            late if late.ends_with(')') && late.starts_with("SELECT id") && !self.flavor.is_mariadb() => {
                "SELECT nothing_else".to_owned()
            }
            mistake => mistake.to_owned(),
        }
    }

    fn question(&mut self) -> &'static str {
        self.one_of(&[
            "SHOW WARNINGS",
            "SHOW WARNINGS",
            "SHOW ERRORS",
            "SHOW COUNT(*) WARNINGS",
            "SELECT @@warning_count, @@error_count",
            "SELECT FOUND_ROWS()",
            "SELECT FOUND_ROWS()",
            "SELECT ROW_COUNT()",
            "SELECT LAST_INSERT_ID()",
            "SELECT LAST_INSERT_ID(), @@identity",
            "GET DIAGNOSTICS @c = NUMBER, @d = ROW_COUNT",
        ])
    }

    fn read(&mut self) -> String {
        let number = 1 + self.below(5);
        match self.below(9) {
            0 => format!("SELECT id, name FROM eq.items WHERE id < {number} ORDER BY id"),
            1 => format!("SELECT SQL_CALC_FOUND_ROWS id FROM eq.items ORDER BY id LIMIT {number}"),
            2 => "SELECT GROUP_CONCAT(name ORDER BY id), 1 / 7, \"name\" FROM eq.items".to_owned(),
            3 => "SELECT * FROM eq.plain ORDER BY a, b, c".to_owned(),
            4 => format!("SELECT * FROM eq.items WHERE id = {number} FOR UPDATE"),
            5 => "SELECT COUNT(*), FROM_UNIXTIME(86400) FROM items".to_owned(),
            6 => "SHOW TABLES LIKE 'i%'".to_owned(),
            7 => "SELECT twice(4)".to_owned(),
            _ => "SELECT 'it''s', 'back\\\\slash', \"id\", 'a' || 'b'".to_owned(),
        }
    }

    /// Commands of the protocol.
    fn command(&mut self) -> String {
        let number = 1 + self.below(60);
        let mut name = if self.below(2) == 0 { "p" } else { "q" };
        let mut what = self.below(30);
        let missing = !self.prepared.contains(&name);
        match what {
            0..=5 => {
                self.prepared.retain(|other| *other != name);
                self.prepared.push(name);
            }
            6..=18 if missing => (what, name) = (23, "p"),
            // MySQL 9.7 crashes on some statements with a cursor, and breaks the protocol when one that had a cursor is
            // executed again without.
            13 | 14 if !self.flavor.is_mariadb() => what = 10,
            18 => self.prepared.retain(|other| *other != name),
            21 | 22 => self.prepared.clear(),
            28 if !self.prepared.contains(&"l") => self.prepared.push("l"),
            29 if !self.prepared.contains(&"l") => what = 23,
            _ => {}
        }
        match what {
            0 => format!("!prepare {name} SELECT ? + 1, DATABASE()"),
            1 => format!("!prepare {name} SELECT id, name FROM items WHERE id > ? ORDER BY id"),
            2 => format!("!prepare {name} INSERT INTO eq.counter (note) VALUES (NULL), (?)"),
            3 => format!("!prepare {name} SELECT @a := ?, LAST_INSERT_ID()"),
            4 => format!("!prepare {name} SET group_concat_max_len = ?"),
            5 => format!("!prepare {name} UPDATE eq.plain SET c = ? WHERE a > 2"),
            6..=10 => format!("!execute {name} i:{number}"),
            11 => format!("!execute {name} n"),
            12 => format!("!again {name} i:{number}"),
            13..=14 => format!("!execute {name} cursor i:{}", number % 3),
            15..=16 => format!("!fetch {name} {}", 1 + number % 3),
            17 => format!("!reset {name}"),
            18 => format!("!close {name}"),
            19 => "!init_db eq".to_owned(),
            20 => format!("!init_db {}", self.one_of(&["other", "nowhere"])),
            21 => format!("!reset_connection\n{ASKED}"),
            22 => format!("!change_user {}\n{ASKED}", self.one_of(&["eq", "other"])),
            23 => "!ping".to_owned(),
            24 => format!("!multi {}", self.one_of(&["on", "off", "on"])),
            // MySQL adds a warning of its own to those of the statement before. A session that has had to leave its server
            // connection in between has that one alone, which is a known difference.
            25 if !self.flavor.is_mariadb() => "!field_list items\nDO 0".to_owned(),
            25 => "!field_list items".to_owned(),
            26 => "!statistics".to_owned(),
            27 => "!debug".to_owned(),
            28 => "!prepare l INSERT INTO eq.plain VALUES (?, ?, 'long')".to_owned(),
            _ if self.flavor.is_mariadb() => "!long l 1 in pieces".to_owned(),
            _ => "!execute l i:1 s:short".to_owned(),
        }
    }
}
