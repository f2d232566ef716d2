//! What the generator's wider scripts mix in beside the plain ones: errors half-way, what one statement leaves for the next
//! one in every form of question, values of every type, rare settings, and what stays on its server connection.

use crate::generate::Generator;

/// What is left at a script's end, given back before anything else can wait for it.
pub(crate) const GIVEN_BACK: &str = "XA END 'x'\nXA ROLLBACK 'x'\nUNLOCK TABLES\nROLLBACK\nDO RELEASE_ALL_LOCKS()\n\
    SET autocommit = 1, completion_type = 0\nSET SESSION TRANSACTION READ WRITE\nSET sql_mode = ''\n\
    SET sql_safe_updates = 0\n";

impl Generator {
    /// One statement that the plain scripts do not have.
    pub(crate) fn wider(&mut self) -> String {
        match self.below(24) {
            0..=3 => self.left(),
            4..=6 => self.ids(),
            7..=9 => self.half_way(),
            10..=11 => self.typed(),
            12..=13 => self.setting(),
            14 => self.for_statement(),
            15..=16 => self.program(),
            17 => self.held(),
            18..=19 => self.turn(),
            20 => self.indirect(),
            21 => self.character_set(),
            22 => self.counted(),
            _ => self.odd(),
        }
    }

    /// Asks for what the statement before has left.
    fn left(&mut self) -> String {
        let limit = self.below(3);
        match self.below(16) {
            0 => format!("SHOW WARNINGS LIMIT {limit}"),
            1 => format!("SHOW ERRORS LIMIT {limit}, 2"),
            2 => "SHOW COUNT(*) ERRORS".into(),
            3 => "SELECT FOUND_ROWS(), ROW_COUNT(), LAST_INSERT_ID()".into(),
            4 => "SELECT ROW_COUNT() AS n, LAST_INSERT_ID() + 0".into(),
            5 => "SET @a = ROW_COUNT()".into(),
            6 => "SET @b = FOUND_ROWS(), @c = LAST_INSERT_ID()".into(),
            7 => "SELECT @@warning_count + 0, @@error_count AS errors".into(),
            8 => "GET DIAGNOSTICS CONDITION 1 @a = RETURNED_SQLSTATE, @b = MESSAGE_TEXT".into(),
            9 => "GET DIAGNOSTICS @c = NUMBER".into(),
            10 => "GET DIAGNOSTICS CONDITION 2 @d = MYSQL_ERRNO".into(),
            11 => "INSERT INTO eq.plain VALUES (ROW_COUNT(), LAST_INSERT_ID(), FOUND_ROWS())".into(),
            12 => "SELECT FOUND_ROWS() INTO @a".into(),
            13 => "DO ROW_COUNT()".into(),
            14 => "SELECT COUNT(*), LAST_INSERT_ID(), FOUND_ROWS() FROM eq.items".into(),
            _ => "SHOW WARNINGS".into(),
        }
    }

    /// LAST_INSERT_ID() by all ways.
    fn ids(&mut self) -> String {
        let number = 1 + self.below(40);
        let note = self.one_of(&["a", "b", "c", "f", "g", "h"]);
        match self.below(16) {
            0 => format!("INSERT INTO eq.counter (note) VALUES ('{note}'), ('a'), ('{number}')"),
            1 => format!("INSERT INTO eq.counter (note) SELECT name FROM eq.items WHERE id <> {number}"),
            2 => format!("SET last_insert_id = {number}"),
            3 => "SET last_insert_id = @a + 1".into(),
            4 => format!("INSERT INTO eq.keyed (id, note) VALUES ({number}, '{note}'), (NULL, 'x')"),
            5 => format!("INSERT INTO eq.keyed (id, note) VALUES (NULL, 'x'), ({number}, '{note}')"),
            6 => format!("INSERT IGNORE INTO eq.keyed (id, note) VALUES ({number}, '{note}')"),
            7 => format!(
                "INSERT INTO eq.keyed (id, note) VALUES ({number}, 'x') \
                 ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), note = 'y'"
            ),
            8 => format!("SET @a = LAST_INSERT_ID({number})"),
            9 => format!("DO LAST_INSERT_ID({number})"),
            10 => format!("DELETE FROM eq.plain WHERE a = LAST_INSERT_ID({number})"),
            11 => format!("SELECT id FROM eq.items WHERE id = LAST_INSERT_ID({})", number % 7),
            12 => format!("INSERT INTO eq.counter (note) VALUES (LAST_INSERT_ID({number}))"),
            13 => format!("REPLACE INTO eq.keyed (id, note) VALUES ({number}, '{note}'), ({number}, 'x')"),
            14 => "CALL inserts()".into(),
            _ => "SELECT LAST_INSERT_ID(), @@last_insert_id".into(),
        }
    }

    /// Statements that are refused when they have begun, or leave warnings.
    fn half_way(&mut self) -> String {
        let number = 1 + self.below(9);
        match self.below(16) {
            0 => "SELECT id FROM eq.items INTO @a".into(),
            1 => "SELECT id, name FROM eq.items INTO @a".into(),
            2 => "SELECT id INTO @b FROM eq.items WHERE id > 100".into(),
            3 => "INSERT INTO eq.keyed (id, note) VALUES (NULL, 'x'), (3, 'y'), (3, 'z')".into(),
            4 => "UPDATE eq.keyed SET id = 3".into(),
            5 => "SELECT * FROM eq.nowhere".into(),
            6 => "UPDATE eq.plain SET nonsense = 1".into(),
            7 => "INSERT INTO eq.plain VALUES (1)".into(),
            8 => "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'mine', MYSQL_ERRNO = 3001".into(),
            9 => "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'a warning'".into(),
            10 => "UPDATE eq.plain SET SET".into(),
            11 => "INSERT INTO eq.plain VALUES (1, 'a'".into(),
            12 => "SELECT twice()".into(),
            13 => format!("SELECT {number} / 0, CAST('{number}x' AS SIGNED)"),
            14 => "DROP TABLE IF EXISTS eq.absent".into(),
            _ => "CREATE TABLE eq.items (a INT)".into(),
        }
    }

    /// User variables of all types.
    fn typed(&mut self) -> String {
        let name = self.one_of(&["a", "b", "c", "d"]);
        let values = [
            "CAST(1.50 AS DECIMAL(10,3))",
            "CAST(7 AS UNSIGNED)",
            "18446744073709551615",
            "-9223372036854775808",
            "1e300",
            "0.1 + 0.2",
            "1 / 3",
            "X'00FF10'",
            "b'1010'",
            "_latin1 X'E4'",
            "_utf8mb3'x' COLLATE utf8mb3_bin",
            "CONVERT('y' USING ucs2)",
            "CAST('x' AS BINARY)",
            "TIME '10:00:01.5'",
            "TIMESTAMP '2020-01-01 00:00:00.123456'",
            "DATE '2020-02-29'",
            "JSON_ARRAY(1, 'x')",
            "'it''s \\\\ \\\" \\0 %'",
            "'ü😀'",
            "REPEAT('abc', 1000)",
            "(SELECT u8 FROM eq.types WHERE id = 1)",
            "(SELECT v FROM eq.types WHERE id = 1)",
            "(SELECT b FROM eq.types WHERE id = 1)",
            "(SELECT bt FROM eq.types WHERE id = 1)",
            "(SELECT st FROM eq.types WHERE id = 1)",
            "TRUE",
            "-0.0",
            "1 > 0",
            "CASE WHEN 1 THEN 'a' ELSE 2 END",
        ];
        let value = self.one_of(&values);
        match self.below(6) {
            0 => format!("SELECT @{name} := {value}"),
            1 => format!("SELECT {value} INTO @{name}"),
            2 => format!("SELECT HEX(@{name}), COLLATION(@{name}), COERCIBILITY(@{name})"),
            3 => "SELECT @a, @b, @c, @d".into(),
            _ => format!("SET @{name} = {value}"),
        }
    }

    fn setting(&mut self) -> String {
        let number = self.below(90);
        let all = [
            "SET timestamp = 1000000000",
            "SET timestamp = DEFAULT",
            "SET completion_type = 1",
            "SET completion_type = 0",
            "SET max_error_count = 0",
            "SET max_error_count = DEFAULT",
            "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
            "SET @d = @@sql_mode, sql_mode = 'ANSI'",
            "SET sql_mode = @d",
            "SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'",
            "SET sql_safe_updates = 1",
            "SET sql_safe_updates = 0",
            "SET sql_auto_is_null = 1",
            "SET auto_increment_increment = 3, auto_increment_offset = 2",
            "SET auto_increment_increment = DEFAULT, auto_increment_offset = DEFAULT",
            "SET SESSION TRANSACTION READ ONLY",
            "SET SESSION TRANSACTION READ WRITE",
            "SET default_week_format = 3",
            "SET lc_messages = 'de_DE'",
            "SET lc_messages = DEFAULT",
            "SET sql_select_limit = 0",
            "SET sql_buffer_result = 1",
            "SET ROLE reader",
            "SET ROLE NONE",
            "SET innodb_lock_wait_timeout = 7, lock_wait_timeout = 9",
            "SELECT WEEK('2020-01-05'), @@innodb_lock_wait_timeout, @@completion_type, CURRENT_ROLE()",
        ];
        match self.below(8) {
            0 => format!("SET sql_select_limit = {}", 1 + number % 4),
            1 => format!("SET @@time_zone = '-0{}:00', @a = {number}", number % 9),
            _ => self.one_of(&all).to_owned(),
        }
    }

    /// MariaDB's SET STATEMENT, and MySQL's hint for the same.
    fn for_statement(&mut self) -> String {
        let number = 3 + self.below(9);
        if !self.is_mariadb() {
            return format!("SELECT /*+ SET_VAR(div_precision_increment = {number}) */ 1 / 7, @a");
        }
        match self.below(5) {
            0 => format!("SET STATEMENT div_precision_increment = {number} FOR SELECT 1 / 7"),
            1 => "SET STATEMENT sql_select_limit = 1 FOR SELECT id FROM eq.items".into(),
            2 => format!("SET STATEMENT group_concat_max_len = {number} FOR SET @a = {number} / 7"),
            // Not of a variable that clients are told of: MariaDB tells of it with a later statement.
            3 => "SET STATEMENT lc_time_names = 'de_DE' FOR SELECT nonsense".into(),
            _ => format!("SET STATEMENT sql_mode = '' FOR INSERT INTO eq.plain VALUES ({number}, 'st', @b)"),
        }
    }

    /// Stored programs.
    fn program(&mut self) -> String {
        let number = self.below(60);
        let all = [
            "CALL selects()",
            "CALL inserts()",
            "CALL fails()",
            "CALL sets()",
            "CALL nowhere()",
            "CALL changes(2)",
            "CALL warns()",
            "CALL handles()",
            "CALL sets_zone()",
            "SELECT remembers(5), @remembered",
            "SELECT adds(), LAST_INSERT_ID()",
            "SET @c = adds()",
            "INSERT INTO eq.plain (a) VALUES (adds()), (adds())",
        ];
        match self.below(5) {
            0 => format!("CALL gives({number}, @a, @b)"),
            1 => format!("CALL changes({})", number % 5),
            _ => self.one_of(&all).to_owned(),
        }
    }

    /// What stays on a server connection.
    fn held(&mut self) -> String {
        let all = [
            "XA START 'x'",
            "XA END 'x'",
            "XA ROLLBACK 'x'",
            "XA COMMIT 'x' ONE PHASE",
            "LOCK TABLES eq.plain WRITE, eq.items READ",
            "UNLOCK TABLES",
            "UNLOCK TABLES",
            "SELECT GET_LOCK('wide', 0)",
            "SELECT RELEASE_LOCK('wide')",
            "SELECT IS_FREE_LOCK('wide')",
            "HANDLER eq.items OPEN AS h",
            "HANDLER h READ NEXT",
            "HANDLER h CLOSE",
            "CREATE TEMPORARY TABLE IF NOT EXISTS scratch (a INT AUTO_INCREMENT PRIMARY KEY, b INT)",
            "DROP TEMPORARY TABLE IF EXISTS scratch",
            "SELECT * FROM scratch",
        ];
        self.one_of(&all).to_owned()
    }

    /// Transactions in their rarer forms.
    fn turn(&mut self) -> String {
        let all = [
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            "SET TRANSACTION READ WRITE",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            "START TRANSACTION READ WRITE",
            "BEGIN WORK",
            "COMMIT AND NO CHAIN",
            "ROLLBACK AND CHAIN",
            "ROLLBACK TO SAVEPOINT two",
            "SAVEPOINT two",
            "RELEASE SAVEPOINT two",
            "SET autocommit = 0",
            "SET autocommit = 1",
            "SET @@autocommit = 0",
            "BEGIN; INSERT INTO eq.plain VALUES (1, 'b', ''); SELECT nonsense",
            "COMMIT; BEGIN",
            "SELECT 1; COMMIT; SELECT COUNT(*) FROM eq.plain",
            "ROLLBACK",
            "COMMIT",
        ];
        self.one_of(&all).to_owned()
    }

    /// What runs is not in the text.
    fn indirect(&mut self) -> String {
        let name = self.one_of(&["s", "t", "u"]);
        let texts = [
            "SET @c = ?, time_zone = ''+02:00''",
            "CALL inserts()",
            "CALL selects()",
            "SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()",
            "SELECT LAST_INSERT_ID(?)",
            "SELECT id, name FROM items WHERE id > ?",
            "SELECT id INTO @a FROM items WHERE id > ?",
            "INSERT INTO eq.counter (note) VALUES (?), (''a'')",
            "INSERT INTO eq.keyed (id) VALUES (?)",
            "UPDATE eq.plain SET c = ?",
            "SELECT 1 / ?, CAST(''x'' AS SIGNED)",
            "COMMIT",
            "USE other",
            "CREATE TEMPORARY TABLE scratch (a INT)",
            "SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT 1",
            "SHOW WARNINGS",
        ];
        let text = self.one_of(&texts);
        match self.below(8) {
            0..=3 => format!("PREPARE {name} FROM '{text}'"),
            4 => format!("EXECUTE {name}"),
            5 if self.is_mariadb() && !text.contains('?') => format!("EXECUTE IMMEDIATE '{text}'"),
            6 => format!("SET @b = '{text}'\nPREPARE {name} FROM @b"),
            _ => format!("EXECUTE {name} USING @a"),
        }
    }

    fn character_set(&mut self) -> String {
        let all = [
            "SET NAMES gbk",
            "SET NAMES sjis",
            "SET NAMES utf8mb3",
            "SET NAMES utf16",
            "SET NAMES binary",
            "SET NAMES latin1 COLLATE utf8mb4_bin",
            "SET NAMES utf8mb4",
            "SET NAMES utf8mb4",
            "SET CHARACTER SET latin1",
            "SET CHARACTER SET DEFAULT",
            "SET character_set_results = NULL",
            "SET character_set_results = ucs2",
            "SET character_set_connection = utf16",
            "SET collation_connection = latin1_german1_ci",
            "SET NAMES cp932",
            "SELECT v, s FROM eq.types WHERE id = 1",
            "SELECT COLLATION('x'), COLLATION(@a), COLLATION(@b), HEX('x')",
        ];
        self.one_of(&all).to_owned()
    }

    /// FOUND_ROWS() behind all sorts of queries.
    fn counted(&mut self) -> String {
        let number = 1 + self.below(4);
        match self.below(12) {
            0 => "SELECT id FROM eq.items UNION ALL SELECT id FROM eq.items LIMIT 3".into(),
            1 => "SELECT SQL_CALC_FOUND_ROWS id FROM eq.items UNION ALL SELECT 7 LIMIT 3".into(),
            2 => "SELECT price > 2, COUNT(*) FROM eq.items GROUP BY 1".into(),
            3 => "SELECT id FROM eq.items LIMIT 0".into(),
            4 => format!("SELECT id FROM eq.items LIMIT {number}, 2"),
            5 => "INSERT INTO eq.plain (a) SELECT id FROM eq.items WHERE id > 3".into(),
            6 => format!("SET @a = (SELECT COUNT(*) FROM eq.items WHERE id > {number})"),
            7 => "SELECT id FROM eq.items; SELECT FOUND_ROWS(), ROW_COUNT()".into(),
            8 => "DESCRIBE eq.items".into(),
            9 => "SHOW VARIABLES LIKE 'autocommit'".into(),
            10 => "UPDATE eq.plain SET b = (SELECT name FROM eq.items LIMIT 1)".into(),
            _ => "SELECT FOUND_ROWS()".into(),
        }
    }

    fn odd(&mut self) -> String {
        let all = [
            "SELECT /*! 1 + */ 1, /*!999999 2 + */ 3",
            "/* nothing */",
            ";",
            "SELECT 1;",
            "SELECT 1; ;",
            "SELECT FROM x; DELETE FROM eq.plain WHERE a = 77",
            "DELETE FROM eq.plain WHERE a = 77; SELECT FROM x; UPDATE eq.plain SET a = 1",
            "USE other; SELECT nonsense",
            "SET NAMES latin1; SELECT 1 / 0; SELECT nonsense",
            "SET @a = 1; SELECT nonsense; SET @a = 2",
            "SELECT 1; SELECT LAST_INSERT_ID(31)",
            "INSERT INTO eq.counter (note) VALUES (NULL); SELECT LAST_INSERT_ID(77)",
            "SELECT LAST_INSERT_ID(78); INSERT INTO eq.counter (note) VALUES (NULL)",
            "INSERT INTO eq.counter (note) VALUES (NULL); INSERT INTO eq.keyed (id) VALUES (5), (5)",
            "CALL inserts(); SELECT 1",
            "CALL inserts(); SELECT nonsense",
            "SET sql_mode = 'ANSI_QUOTES'; SELECT \"id\" FROM eq.items LIMIT 1; SELECT nonsense",
            "EXPLAIN SELECT 1",
            "SHOW CREATE TABLE eq.keyed",
            "ANALYZE TABLE eq.items",
            "CHECKSUM TABLE eq.items",
            "TRUNCATE TABLE eq.keyed",
            "LOAD DATA LOCAL INFILE 'anything' INTO TABLE eq.plain (a, @c) SET b = UPPER(@c)",
        ];
        self.one_of(&all).to_owned()
    }
}
