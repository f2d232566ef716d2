# Character sets, texts, commands, several statements, and settings that decide what is said.
## strange character sets [text not11]
SET NAMES gbk
SELECT 'x', HEX('x'), @@character_set_client, COLLATION('x')
SET @a = 'abc'
SELECT @a, COLLATION(@a)
SELECT @a, COLLATION(@a)
SET NAMES sjis
SELECT 'a\\b', HEX('\\'), @a
SET NAMES big5
SET @b = 'q', @c = CONCAT('w', 1)
SELECT @b, @c, COLLATION(@b), COLLATION(@c)
SET NAMES cp932
SELECT @b, @c
PREPARE s FROM 'SELECT ''x'''
EXECUTE s
SET NAMES gb18030
SELECT @b, COLLATION(@b), 'x'
SET NAMES utf16
SET NAMES utf32
SET NAMES ucs2
SET character_set_client = utf16
SET character_set_results = utf16
SELECT 'x', 1
SET character_set_results = ucs2
SELECT name FROM items
SET character_set_results = binary
SELECT name, 'x' FROM items
SET character_set_results = NULL
SELECT name, 'x' FROM items
SET character_set_connection = utf16
SELECT 'x', HEX('x'), COLLATION('x')
SET @u = 'x'
SELECT HEX(@u), COLLATION(@u)
SELECT HEX(@u), COLLATION(@u)
SET collation_connection = utf32_general_ci
SELECT HEX('x')
SET NAMES utf8mb3
SELECT 'ü', HEX('ü'), COLLATION('x')
SET NAMES utf8
SELECT 'ü', COLLATION('x')
SET NAMES latin2 COLLATE latin2_hungarian_ci
SELECT 'x', COLLATION('x')
SET NAMES koi8r
SELECT 'x', COLLATION('x')
SET NAMES ascii
SELECT 'x', COLLATION('x'), name FROM items LIMIT 1
SET NAMES swe7
SELECT 'x'
SET NAMES utf8mb4 COLLATE latin1_bin
SET NAMES 'utf8mb4' COLLATE DEFAULT
SELECT @@collation_connection
SET CHARACTER SET 'latin1'
SELECT 'ä', @@collation_connection
USE other
SELECT 'x', @@collation_connection
SET character_set_database = latin1
SET character_set_server = utf8mb4
SELECT @@character_set_server, @@character_set_database
SELECT @@character_set_server, @@character_set_database
SET collation_server = latin1_bin
SET collation_database = utf8mb4_bin
SELECT @@collation_server, @@collation_database
SET character_set_filesystem = utf8mb4
SELECT @@character_set_filesystem

## quoting and texts [old]
SET sql_mode = 'ANSI_QUOTES'
SELECT "id" FROM "items" WHERE "name" = 'apple'
SET @a = "x"
SET @b = 'x'
SELECT @b
INSERT INTO "plain" VALUES (1, 'a;b', 'c--d')
UPDATE "plain" SET b = 'x;y' /* ; */ WHERE a = 1 # ; end
SELECT * FROM plain -- trailing
SET sql_mode = 'NO_BACKSLASH_ESCAPES'
SELECT 'a\'; SELECT 'b\\'
INSERT INTO plain VALUES (2, '\', 'x')
SELECT b, HEX(b) FROM plain
SET @p = 'C:\dir\'
SELECT @p
SELECT @p
PREPARE s FROM 'SELECT ''\'''
EXECUTE s
SET sql_mode = ''
EXECUTE s
SELECT 'a\'b', "c\"d"
SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; SELECT '\', "id" FROM items LIMIT 1
SELECT '\'
SET sql_mode = DEFAULT; SELECT '\''
SELECT '\''
SET sql_mode = 'ANSI_QUOTES'; SELECT "id" FROM items LIMIT 1; SET sql_mode = ''; SELECT "id" FROM items LIMIT 1
SET sql_mode = 'IGNORE_SPACE'
SELECT COUNT (*), NOW () > 0 FROM items
SET sql_mode = ''
SELECT COUNT (*) FROM items
SET sql_mode = 'PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE'
SELECT 'a' || 'b', NOT 1 BETWEEN -5 AND 5
SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'
SELECT LENGTH(s) FROM types WHERE id = 1
SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'
SELECT CAST(0 AS UNSIGNED) - 1
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'
INSERT INTO keyed (id, note) VALUES (0, 'zero')
SELECT LAST_INSERT_ID()
SELECT * FROM keyed WHERE id = 0
SET sql_mode = ''
INSERT INTO keyed (id, note) VALUES (0, 'not zero')
SELECT LAST_INSERT_ID()
SET sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO'
SELECT 1 / 0
INSERT INTO plain VALUES (1 / 0, '', '')
SELECT @@sql_mode
SET @old = @@sql_mode, sql_mode = ''
SELECT @old, @@sql_mode
SET sql_mode = @old
SELECT @@sql_mode
SET sql_mode = 'TRADITIONAL'
SELECT @@sql_mode
SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')
SELECT "id" FROM items LIMIT 1
SET sql_mode = (SELECT 'ANSI_QUOTES')
SELECT "id" FROM items LIMIT 1
SET sql_mode = REPLACE(@@sql_mode, 'ANSI_QUOTES', '')
SELECT "id" FROM items LIMIT 1
SET sql_mode = 4
SELECT @@sql_mode, "id"
SET SESSION sql_mode = DEFAULT
SELECT @@sql_mode
DELETE FROM plain
DELETE FROM keyed

## comments and odd texts [old]
SELECT /*! 1 + */ 1
SELECT /*!50000 1 + */ 1
SELECT /*!999999 1 + */ 1
SELECT /*M! 1 + */ 1
SELECT /*M!100000 1 + */ 1
/* one */ SELECT /* two */ 1 /* three */
/*! SET @a = 5 */
SELECT @a
/*!50003 SET @a = 6 */; SELECT @a
SELECT 1 /* unterminated
SELECT 1 # hash
SELECT 1 --not a comment
SELECT 1 -- a comment
-- a comment
# another
/*! */
;;
SELECT 1;;
SELECT 1; -- end
SELECT 'a' 'b' "c"
SELECT N'x', _utf8mb4'x', _latin1 x'41', 0x, 0x4
SELECT {d '2020-01-01'}, {ts '2020-01-01 00:00:00'}
SELECT 1 AS `a``b`, 2 AS 'c', 3 AS "d"
SELECT `items`.`id` FROM `eq`.`items` WHERE `items`.`id`=1
SELECT eq.items.id FROM eq . items WHERE id=1
SELECT .5, 1., 1.e5, 1e-5, -0, +1, !0, ~0
SELECT 1<=>NULL, 1:=1
SELECT @a:=1,@b:=@a+1
SELECT @a,@b
SELECT@a
SELECT(1)
SELECT+1
SELECT*FROM items WHERE id=1
SELECT-1,'x'
INSERT INTO plain VALUES(1,'','');
INSERT INTO plain VALUES(1,'',''); ;
insert into plain values(2,'','')
InSeRt INTO plain SET a = 3, b = 'x'
INSERT plain VALUES (4, '', '')
REPLACE plain VALUES (5, '', '')
INSERT INTO plain () VALUES ()
INSERT LOW_PRIORITY INTO plain (a) VALUE (6)
DELETE QUICK FROM plain WHERE a = 1
DELETE p FROM plain p JOIN items i ON p.a = i.id
UPDATE IGNORE plain SET a = 'x'
SHOW WARNINGS
UPDATE plain p, items i SET p.b = i.name WHERE p.a = i.id
SELECT COUNT(*) FROM plain
INSERT INTO plain VALUES (1, 'a', 'b') nonsense
UPDATE plain SET SET
DELETE plain
INSERT INTO plain VALUES (1, 'a'
INSERT INTO plain VALUES (1, 'a', 'b'); UPDATE plain SET SET
SELECT 1; INSERT INTO plain VALUES (1, 'a'; SELECT 2
UPDATE plain SET b = 'x'; INSERT INTO plain VALUES (1, 'a', 'b') nonsense; DELETE FROM plain
SELECT FROM x; INSERT INTO plain VALUES (1, 'a', 'b')
SELECT FROM x; DELETE FROM plain; UPDATE plain SET a = 1
SELECT 1 FROM; DELETE FROM plain
SET @a = ; DELETE FROM plain
BEGIN x; DELETE FROM plain
COMMIT x; DELETE FROM plain
INSERT INTO plain VALUE; DELETE FROM plain
SHOW x y; DELETE FROM plain
USE; DELETE FROM plain
CALL ; DELETE FROM plain
DROP; DELETE FROM plain
/* c */ INSERT INTO plain VALUES (1, 'a'
(INSERT INTO plain VALUES (1, 'a', 'b'))
EXPLAIN INSERT INTO plain VALUES (1
WITH x AS (SELECT 1) INSERT INTO plain SELECT *
SHOW WARNINGS
!prepare p INSERT INTO plain VALUES (?, 'a'
!prepare p UPDATE plain SET SET
PREPARE s FROM 'UPDATE plain SET SET'
EXECUTE IMMEDIATE 'UPDATE plain SET SET'
SELECT 1; PREPARE s FROM 'UPDATE plain SET SET'; DELETE FROM plain
DELETE FROM plain

## cursors [text mariadb]
!prepare p SELECT id, name FROM items WHERE id > ? ORDER BY id
!execute p cursor i:0
!fetch p 2
SELECT nonsense
!fetch p 1
INSERT INTO counter (note) VALUES ('during')
!fetch p 1
SELECT LAST_INSERT_ID(), ROW_COUNT()
!fetch p 10
!fetch p 10
!execute p cursor i:0
!fetch p 1
!execute p cursor i:3
!fetch p 5
!fetch p 1
!execute p cursor i:0
!execute p i:4
!fetch p 1
!execute p cursor i:0
!reset p
!fetch p 1
!execute p cursor i:0
BEGIN
!fetch p 1
COMMIT
!fetch p 1
ROLLBACK
!fetch p 1
!close p
!fetch p 1
!prepare q SELECT id / 0 FROM items
!execute q cursor
!fetch q 2
SHOW WARNINGS
!fetch q 9
!prepare r SELECT nonsense FROM items
!execute r cursor
!prepare w INSERT INTO plain VALUES (?, 'c', 'c')
!execute w cursor i:1
!fetch w 1
!prepare s SELECT id FROM items WHERE id = (SELECT id FROM items)
!execute s cursor
!fetch s 1
!prepare e SELECT id FROM items WHERE id > 100
!execute e cursor
!fetch e 1
!prepare v SHOW TABLES
!execute v cursor
!fetch v 1
!prepare c CALL selects()
!execute c cursor
!prepare d SET @a = ?
!execute d cursor i:5
SELECT @a
!prepare o SELECT id, name FROM items WHERE id = ? FOR UPDATE
BEGIN
!execute o cursor i:1
!fetch o 1
ROLLBACK
!fetch o 1
!execute p cursor i:0
!reset_connection
!fetch p 1
DELETE FROM plain
DELETE FROM counter

## long data [old]
!prepare p INSERT INTO plain VALUES (?, ?, ?)
!long p 1 first
!long p 1 -second
!execute p i:1 l s:x
SELECT * FROM plain
!execute p i:2 s:plain s:x
!long p 2 third
!reset p
!execute p i:3 s:a s:b
!long p 1 lost
SELECT 1
!long p 2 kept
!execute p i:4 l l
SELECT * FROM plain ORDER BY a
!long p 1 again
!execute p n l n
!long p 7 nowhere
!execute p i:5 s:a s:b
!execute p i:6 s:a s:b
!long p 1 x
BEGIN
!execute p i:7 l s:b
ROLLBACK
SELECT * FROM plain ORDER BY a, b
!long p 0 12
!execute p l s:a s:b
!prepare u UPDATE plain SET b = ? WHERE a = ?
!long u 0 updated
!execute u l i:1
SELECT b FROM plain WHERE a = 1
!prepare s SELECT ?, LENGTH(?)
!long s 0 abc
!long s 1 defgh
!execute s l l
!long s 0 x
!close s
!prepare s SELECT ?
!execute s s:y
!long s 0 z
!reset_connection
!execute s s:y
DELETE FROM plain

## schema state and resets [old]
USE other
SET @a = 1, time_zone = '+01:00', sql_select_limit = 1
SELECT LAST_INSERT_ID(9)
!reset_connection
SELECT DATABASE(), @@time_zone, @@sql_select_limit, LAST_INSERT_ID()
SELECT FOUND_ROWS(), ROW_COUNT()
SHOW WARNINGS
SELECT 1 / 0
!reset_connection
SHOW WARNINGS
SELECT nonsense
!reset_connection
SELECT @@error_count
INSERT INTO eq.plain VALUES (1, '', ''), (2, '', '')
!reset_connection
SELECT ROW_COUNT()
SELECT id FROM eq.items
!reset_connection
SELECT FOUND_ROWS()
BEGIN
INSERT INTO eq.plain VALUES (3, '', '')
!reset_connection
SELECT COUNT(*) FROM eq.plain
SET autocommit = 0
INSERT INTO eq.plain VALUES (4, '', '')
!change_user eq
SELECT COUNT(*) FROM plain
SELECT @@autocommit
SET SESSION TRANSACTION READ ONLY
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
!reset_connection
INSERT INTO plain VALUES (5, '', '')
SET SESSION TRANSACTION READ ONLY
!change_user eq
INSERT INTO plain VALUES (6, '', '')
!prepare p SELECT ?
!change_user eq
!execute p i:1
!prepare p SELECT ?
!execute p i:1
PREPARE s FROM 'SELECT 1'
!change_user other
EXECUTE s
SELECT LAST_INSERT_ID(12)
!change_user eq
SELECT LAST_INSERT_ID()
SELECT GET_LOCK('l7', 0)
!change_user eq
SELECT IS_FREE_LOCK('l7')
DELETE FROM plain

## functions that look at the session [old]
SELECT CONNECTION_ID() > 0, 1 + CONNECTION_ID() - CONNECTION_ID()
SELECT USER(), CURRENT_USER, SESSION_USER()
SELECT SCHEMA(), VERSION()
SELECT @@version_comment, @@port > 0, @@hostname <> ''
SELECT BENCHMARK(2, 1)
SELECT @@global.sql_mode = @@session.sql_mode
SHOW SESSION VARIABLES WHERE Variable_name IN ('autocommit', 'time_zone', 'sql_mode')
SHOW GLOBAL VARIABLES LIKE 'autocommit'
~ SHOW STATUS LIKE 'Com_select'
SHOW VARIABLES WHERE Variable_name = 'collation_connection'
SET time_zone = '+04:00'
SHOW VARIABLES LIKE 'time_zone'
SHOW CREATE DATABASE eq
SHOW CREATE PROCEDURE gives
SHOW CREATE FUNCTION twice
SHOW CREATE VIEW names
SHOW FUNCTION STATUS LIKE 'none'
SHOW TABLE STATUS LIKE 'none'
SHOW OPEN TABLES LIKE 'none'
SHOW INDEX FROM keyed
SHOW EVENTS
SHOW PLUGINS SONAME 'none'
SHOW MASTER STATUS
SHOW SLAVE HOSTS
SHOW BINARY LOGS
SHOW PROFILES
SHOW PROFILE
SHOW STORAGE ENGINES
SHOW GRANTS FOR CURRENT_USER
SHOW CREATE USER CURRENT_USER
SHOW PROCEDURE CODE gives

## handler [text]
HANDLER items OPEN
HANDLER items READ FIRST
HANDLER items READ `PRIMARY` = (3)
HANDLER items READ `PRIMARY` NEXT
SELECT nonsense
HANDLER items READ NEXT
BEGIN
HANDLER items READ NEXT
COMMIT
HANDLER items OPEN AS h
HANDLER h READ FIRST WHERE id > 2 LIMIT 2
HANDLER items CLOSE
HANDLER items READ NEXT
HANDLER h CLOSE
HANDLER h CLOSE
SELECT 1

## load data [text]
LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain (a, b)
SHOW WARNINGS
SELECT ROW_COUNT()
SELECT * FROM plain ORDER BY a
LOAD DATA LOCAL INFILE 'anything' INTO TABLE nowhere
SHOW WARNINGS
LOAD DATA LOCAL INFILE 'anything' INTO TABLE keyed (note)
SELECT LAST_INSERT_ID()
LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain (a, b); SELECT COUNT(*) FROM plain
SELECT 1; LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain (a, b)
LOAD DATA INFILE '/nowhere' INTO TABLE plain
BEGIN
LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain (a, b)
ROLLBACK
LOAD DATA LOCAL INFILE 'anything' IGNORE INTO TABLE counter (id, note)
SHOW COUNT(*) WARNINGS
LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain FIELDS TERMINATED BY ',' (@x) SET a = 7
SELECT @x
DELETE FROM plain
DELETE FROM keyed
DELETE FROM counter

## several statements and state [old]
SET @a = 1; SELECT nonsense; SET @a = 2
SELECT @a
SET time_zone = '+01:00'; SELECT nonsense
SELECT @@time_zone
SET time_zone = '+02:00', @b = 1; SET time_zone = 'x'; SET @b = 2
SELECT @@time_zone, @b
USE other; SELECT nonsense
SELECT DATABASE()
USE eq; USE nowhere; USE other
SELECT DATABASE()
SET NAMES latin1; SET NAMES nothing
SELECT @@character_set_client, 'ä'
SET NAMES utf8mb4; SELECT 'ä'
PREPARE s FROM 'SELECT 1'; EXECUTE s; PREPARE t FROM 'bad'
EXECUTE s
EXECUTE t
DEALLOCATE PREPARE s; EXECUTE s
SELECT @c := 1; SELECT @c := 2; SELECT nonsense
SELECT @c
SELECT 5 INTO @d; SELECT 6 INTO @d; SELECT 1, 2 INTO @d
SELECT @d
CALL gives(1, @e, @f); SELECT @e
CALL gives(2, @e, @f); SELECT nonsense
SELECT @e, @f
CREATE TEMPORARY TABLE tm (a INT); INSERT INTO tm VALUES (1); SELECT nonsense
SELECT * FROM tm
DROP TEMPORARY TABLE tm; SELECT * FROM tm
SELECT GET_LOCK('m', 0); SELECT nonsense
SELECT IS_USED_LOCK('m') IS NULL
DO RELEASE_LOCK('m')
BEGIN; INSERT INTO plain VALUES (1, '', ''); SELECT nonsense
SELECT COUNT(*) FROM plain
ROLLBACK; SELECT COUNT(*) FROM plain
SET autocommit = 0; INSERT INTO plain VALUES (1, '', ''); SELECT nonsense
ROLLBACK; SET autocommit = 1; SELECT COUNT(*) FROM plain
SET TRANSACTION READ ONLY; INSERT INTO plain VALUES (1, '', '')
INSERT INTO plain VALUES (1, '', '')
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT nonsense
SHOW VARIABLES LIKE '%isolation'
SET sql_mode = 'ANSI_QUOTES'; SELECT "id" FROM items LIMIT 1; SELECT nonsense
SELECT "id" FROM items LIMIT 1
SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SET @g = '\'; SELECT @g
SELECT @g, '\'
SET sql_mode = DEFAULT, @h = 'x\'y'; SELECT @h
SELECT @h
SET @i = 1, @j = @i + 1; SET @k = @j; SELECT @i, @j, @k
SELECT @i, @j, @k
SET ROLE reader; SELECT CURRENT_ROLE(); SELECT nonsense
SELECT CURRENT_ROLE()
SET ROLE NONE; SET ROLE nobody
SELECT CURRENT_ROLE()
SELECT id FROM items; SELECT FOUND_ROWS(); SELECT ROW_COUNT(), LAST_INSERT_ID()
DELETE FROM plain; SELECT ROW_COUNT(); SELECT ROW_COUNT()
SELECT 1 / 0; SELECT @@warning_count; SHOW WARNINGS
KILL QUERY 0; SELECT 1
SELECT 1; KILL 999999999
SELECT SLEEP(0); SELECT 2
SELECT 1; SELECT * FROM types WHERE id = 1; SELECT 'x'

## sql_notes and others that decide what is said [old]
SET sql_notes = OFF
DROP TABLE IF EXISTS absent
SELECT @@warning_count
SET sql_notes = ON, sql_warnings = ON
INSERT INTO counter (note) VALUES ('a')
INSERT IGNORE INTO counter (note) VALUES ('a'), ('b')
SHOW WARNINGS
SET sql_quote_show_create = 0
SHOW CREATE TABLE plain
SET sql_safe_updates = 1
UPDATE plain SET a = 1
DELETE FROM plain
SET sql_safe_updates = 0
SET sql_auto_is_null = 1
INSERT INTO keyed (note) VALUES ('null is this')
SELECT COUNT(*) FROM keyed WHERE id IS NULL
SELECT COUNT(*) FROM keyed WHERE id IS NULL
INSERT INTO keyed (note) VALUES ('null is this too')
SELECT 1
SELECT note FROM keyed WHERE id IS NULL
SET sql_auto_is_null = 0
SET sql_buffer_result = 1, big_tables = 0, join_buffer_size = 131072, tmp_table_size = 1048576
SELECT @@sql_buffer_result, @@join_buffer_size, @@tmp_table_size
SET @@optimizer_switch = 'index_merge=off', optimizer_search_depth = 5, eq_range_index_dive_limit = 3
SELECT @@optimizer_search_depth, @@eq_range_index_dive_limit, @@optimizer_switch LIKE '%index_merge=off%'
SET SESSION lc_messages = 'de_DE'
SELECT nonsense
SET lc_messages = DEFAULT
SELECT nonsense
SET SESSION binlog_format = 'ROW'
SET SESSION default_week_format = 3, old_mode = DEFAULT
SET default_week_format = 3
SELECT WEEK('2020-01-05')
SET max_sort_length = 4, max_length_for_sort_data = 100
SELECT @@max_sort_length
SET cte_max_recursion_depth = 3
SET max_recursive_iterations = 3
WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 10) SELECT COUNT(*) FROM n
SET profiling = 0
SET old_passwords = 0
SET low_priority_updates = 1, sql_low_priority_updates = 1
SELECT @@low_priority_updates
SET innodb_lock_wait_timeout = 7, innodb_strict_mode = 0
SELECT @@innodb_lock_wait_timeout, @@innodb_strict_mode
SET net_read_timeout = 31, interactive_timeout = 600
SELECT @@net_read_timeout, @@interactive_timeout
SET max_allowed_packet = 1048576
SET auto_increment_increment = 5
INSERT INTO counter (note) VALUES ('inc'), ('inc2')
SELECT LAST_INSERT_ID() % 5, ROW_COUNT()
SET auto_increment_increment = 1
SET explicit_defaults_for_timestamp = 1
SELECT @@explicit_defaults_for_timestamp
SET windowing_use_high_precision = 0, information_schema_stats_expiry = 0
SET sql_require_primary_key = 1, show_create_table_verbosity = 1
SELECT @@sql_require_primary_key
SET sql_if_exists = 1
SET alter_algorithm = 'INPLACE'
SET character_set_collations = 'utf8mb4=utf8mb4_bin'
SET NAMES utf8mb4
SELECT COLLATION('x')
SELECT COLLATION('x'), COLLATION(CONVERT('x' USING utf8mb4))
SET default_collation_for_utf8mb4 = utf8mb4_general_ci
SET NAMES utf8mb4
SELECT COLLATION('x')
SET system_versioning_asof = '2020-01-01'
SELECT @@system_versioning_asof
SET DEBUG_SYNC = 'x'
SET SESSION sql_log_bin = 0
SET pseudo_thread_id = 5
SET gtid_next = 'AUTOMATIC'
SET gtid_domain_id = 5
SET server_id = 7
USE other
USE eq
SET time_zone = '+01:00', lc_time_names = 'de_DE'
SET @a = 1
BEGIN
COMMIT
DELETE FROM counter
DELETE FROM keyed

# COM_STMT_PREPARE of the first of these is answered by MySQL 9.7 with a packet that is none (an OK without a number).
## global variables without the right to set them [old text]
SET GLOBAL sort_buffer_size = 5
SHOW WARNINGS
SET PERSIST sort_buffer_size = 5
SET @@GLOBAL.time_zone = '+01:00'
SELECT @@time_zone

## a text that begins with an empty statement, or has one [old text]
;; INSERT INTO counter (note) VALUES ('once')
SHOW WARNINGS
SELECT 1;; INSERT INTO counter (note) VALUES ('twice')
SELECT COUNT(*) FROM counter
SELECT 1; SELECT FROM items; INSERT INTO counter (note) VALUES ('thrice')
SELECT COUNT(*) FROM counter

## a transaction that is open behind an error, for a client of the old protocol too [old text]
BEGIN; INSERT INTO plain VALUES (1, 'open', ''); SELECT nonsense
!ping
SELECT b FROM plain
ROLLBACK
SELECT COUNT(*) FROM plain
!ping
SET autocommit = 0
SELECT 1; this is no sql
!ping
SELECT COUNT(*) FROM items; this is no sql
!ping
SET autocommit = 1

## the collation of results [old]
SET NAMES latin1
SET collation_connection = latin1_german1_ci
SELECT DATABASE()
SHOW WARNINGS
SET NAMES utf8mb4
SELECT DATABASE()
SET character_set_results = utf8mb4
SELECT DATABASE()
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT DATABASE()
SET character_set_results = utf8mb4
SELECT DATABASE()
SET NAMES latin1 COLLATE latin1_bin
SET character_set_client = utf8mb4
SELECT DATABASE()
SET CHARACTER SET DEFAULT
SELECT DATABASE()
SET character_set_results = NULL
SELECT DATABASE()
SET NAMES DEFAULT
SELECT DATABASE()
SET CHARACTER SET latin1
SELECT DATABASE()
SET character_set_results = DEFAULT
SELECT DATABASE()
