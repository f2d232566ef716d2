# MariaDB 11 tells the collation of the login apart from the default one in the columns of results, and reports variables that
# share storage under one name.
## names and character sets [old not11]
SET NAMES latin1
SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection
SELECT 'ä', HEX('ä'), LENGTH('ä')
SET NAMES utf8mb4
SELECT 'ä', HEX('ä'), LENGTH('ä')
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'
SELECT @@collation_connection, 'a' = 'A'
SET NAMES utf8mb4 COLLATE utf8mb4_general_ci
SELECT @@collation_connection, 'a' = 'A'
SET NAMES DEFAULT
SELECT @@character_set_client, @@collation_connection
SET CHARACTER SET latin1
SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection
SET CHARACTER SET DEFAULT
SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection
SET CHARSET utf8mb4
SELECT @@collation_connection
SET character_set_results = NULL
SELECT v, s FROM types WHERE id = 1
SELECT @@character_set_results
SET character_set_results = utf8mb4
SELECT v, s FROM types WHERE id = 1
SET character_set_client = latin1, character_set_connection = utf8mb4
SELECT 'ä', HEX('ä')
SET character_set_connection = latin1
SELECT HEX('ä'), @@collation_connection
SET collation_connection = latin1_german1_ci
SELECT @@character_set_connection, COLLATION('x')
SET NAMES nowhere
SELECT @@character_set_client
SET NAMES binary
SELECT 'ä', COLLATION('ä')
SET NAMES utf8mb4, @x = 1, sql_safe_updates = 0
SELECT @x, @@sql_safe_updates, @@collation_connection

## schema on connections that were reset
USE other
CREATE TEMPORARY TABLE leaves_a_stain (a INT)
DROP TEMPORARY TABLE leaves_a_stain
SELECT @@character_set_database, @@collation_database
CREATE TEMPORARY TABLE leaves_a_stain (a INT)
DROP TEMPORARY TABLE leaves_a_stain
SELECT DATABASE(), @@character_set_database, @@collation_database
USE eq

## schema [old]
SELECT DATABASE(), SCHEMA()
SELECT COUNT(*) FROM items
USE other
SELECT DATABASE()
SELECT * FROM items
SELECT @@character_set_database, @@collation_database
USE `eq`
SELECT COUNT(*) FROM items
USE nowhere
SELECT DATABASE()
CREATE DATABASE passing
USE passing
SELECT DATABASE()
CREATE TABLE here (a INT)
INSERT INTO here VALUES (1)
SELECT * FROM here
DROP DATABASE passing
SELECT DATABASE()
SELECT * FROM here
USE eq
SELECT DATABASE()

## sql_mode and how texts are read [old]
SET sql_mode = 'ANSI_QUOTES'
SELECT "name" FROM items WHERE id = 1
SELECT 'it''s', "id" FROM "items" LIMIT 1
SET sql_mode = 'NO_BACKSLASH_ESCAPES'
SELECT 'a\b', '\', 'c'
SELECT "x\"
SET @p = '\'
SELECT @p, LENGTH(@p)
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'
SELECT "id", 'back\' FROM items LIMIT 1
SET sql_mode = ''
SELECT "a\"b", 'c\'d', 'e\\f'
SET sql_mode = 'PIPES_AS_CONCAT'
SELECT 'a' || 'b'
SET sql_mode = ''
SELECT 'a' || 'b'
SET sql_mode = 'ANSI'
SELECT @@sql_mode
SET sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE'
INSERT INTO plain (a) VALUES ('x')
SET sql_mode = ''
INSERT INTO plain (a) VALUES ('x')
SHOW WARNINGS
SELECT * FROM plain
DELETE FROM plain
SET sql_mode = 'HIGH_NOT_PRECEDENCE,REAL_AS_FLOAT'
SELECT NOT 1 BETWEEN -5 AND 5
SET sql_mode = DEFAULT
SELECT NOT 1 BETWEEN -5 AND 5
SELECT 1 / 0
SHOW WARNINGS
SET sql_mode = 'nonsense'
SELECT @@sql_mode
SET SESSION sql_mode = CONCAT(@@sql_mode, ',IGNORE_SPACE')
SELECT @@sql_mode
SELECT COUNT (*) FROM items

## time zone and clock [old]
SET time_zone = '+05:30'
SELECT @@time_zone, FROM_UNIXTIME(0)
SET SESSION time_zone = 'SYSTEM'
SELECT @@time_zone
SET @@time_zone = '-03:00'
SELECT FROM_UNIXTIME(1000000), UNIX_TIMESTAMP('2020-01-01')
SET time_zone = 'Nowhere/Else'
SELECT @@time_zone
SET timestamp = 1000000000
SELECT NOW(), CURDATE(), UNIX_TIMESTAMP()
SELECT NOW()
SET timestamp = DEFAULT
~ SELECT NOW()
SET lc_time_names = 'de_DE'
SELECT DATE_FORMAT('2020-03-01', '%W %M')

## numbers and limits [old]
SET sql_select_limit = 2
SELECT id FROM items ORDER BY id
SET sql_select_limit = DEFAULT
SELECT id FROM items ORDER BY id
SET group_concat_max_len = 10
SELECT GROUP_CONCAT(name ORDER BY id) FROM items
SHOW WARNINGS
SET SESSION group_concat_max_len = DEFAULT
SELECT GROUP_CONCAT(name ORDER BY id) FROM items
SET div_precision_increment = 10
SELECT 1 / 7
SET @@session.div_precision_increment = 2
SELECT 1 / 7
SET LOCAL div_precision_increment = DEFAULT
SELECT 1 / 7
SET sql_safe_updates = 1
DELETE FROM items
SET sql_safe_updates = OFF
SET max_error_count = 1
SELECT 1 / 0, 2 / 0
SHOW WARNINGS
SET max_error_count = DEFAULT
SET sql_notes = 0
DROP TABLE IF EXISTS not_there
SHOW WARNINGS
SET sql_notes = 1
DROP TABLE IF EXISTS not_there
SHOW WARNINGS
SET sql_auto_is_null = 1
SELECT @@sql_auto_is_null
SET sql_big_selects = 0, max_join_size = 2
SELECT COUNT(*) FROM items a, items b
SET sql_big_selects = 1
SELECT COUNT(*) FROM items a, items b
SET net_write_timeout = 77, wait_timeout = 88
SELECT @@net_write_timeout, @@wait_timeout
SET auto_increment_increment = 10, auto_increment_offset = 3
INSERT INTO counter (note) VALUES ('stepped')
SELECT LAST_INSERT_ID() % 10
SET auto_increment_increment = DEFAULT, auto_increment_offset = DEFAULT
DELETE FROM counter
SET foreign_key_checks = 0, unique_checks = 0
SELECT @@foreign_key_checks, @@unique_checks
SET foreign_key_checks = 1, unique_checks = 1
SELECT @@foreign_key_checks, @@unique_checks
SET default_storage_engine = MyISAM
SELECT @@default_storage_engine
SET optimizer_switch = 'mrr=off'
SELECT @@optimizer_switch LIKE '%mrr=off%'
SET lock_wait_timeout = 3, innodb_lock_wait_timeout = 4
SELECT @@lock_wait_timeout, @@innodb_lock_wait_timeout

## isolation and read only [old]
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SHOW VARIABLES LIKE '%_isolation'
SET SESSION TRANSACTION READ ONLY
INSERT INTO plain VALUES (1, 'x', 'y')
SET SESSION TRANSACTION READ WRITE
INSERT INTO plain VALUES (1, 'x', 'y')
DELETE FROM plain
SET TRANSACTION READ ONLY
INSERT INTO plain VALUES (1, 'x', 'y')
INSERT INTO plain VALUES (1, 'x', 'y')
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
BEGIN
SELECT COUNT(*) FROM plain
COMMIT
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE
START TRANSACTION READ ONLY
INSERT INTO plain VALUES (1, 'x', 'y')
COMMIT
SET autocommit = 0
INSERT INTO plain VALUES (2, 'x', 'y')
ROLLBACK
SELECT COUNT(*) FROM plain
SELECT @@autocommit
SET autocommit = 1
DELETE FROM plain
SET completion_type = 1
SELECT @@completion_type
SET completion_type = 0

## mistakes [text]
SET no_such_variable = 1
SET @@session.version = 'x'
SET GLOBAL max_connections = 5
SET sort_buffer_size = 'abc'
SET SESSION wait_timeout = -1
SHOW WARNINGS
SELECT @@wait_timeout
SET time_zone = NULL
SET wait_timeout = 5, no_such = 6
SELECT @@wait_timeout
SET character_set_client = ucs2
SELECT @@character_set_client

## no rows at all [old]
SET sql_select_limit = 0
SET @limited = 5
SELECT @limited := 7
SELECT id FROM items
SELECT LAST_INSERT_ID()
SELECT id INTO @limited FROM items WHERE id = 1
SELECT 'x' + 1
SHOW WARNINGS
SELECT FOUND_ROWS()
SET sql_select_limit = DEFAULT
SELECT @limited

## set statement for [mariadb]
SET STATEMENT group_concat_max_len = 12 FOR SELECT GROUP_CONCAT(name) FROM items
SELECT @@group_concat_max_len
SET STATEMENT sql_select_limit = 1 FOR SELECT id FROM items
SELECT COUNT(*) FROM items
SET sql_mode = ORACLE
SELECT 'a' || 'b', NVL(NULL, 1)
SET sql_mode = DEFAULT
SELECT 'a' || 'b'

## hints [mysql]
SELECT /*+ SET_VAR(group_concat_max_len = 12) */ GROUP_CONCAT(name) FROM items
SELECT @@group_concat_max_len
SELECT /*! 1 + */ 1, /*!99999 2, */ 3

## a clock that is set in a transaction [old]
BEGIN
SET timestamp = UNIX_TIMESTAMP('2001-01-01 10:00:00')
SELECT NOW()
INSERT INTO plain VALUES (1, NOW(), '')
SELECT * FROM plain
COMMIT
SELECT NOW(), CAST(TIME '10:20:30' AS DATETIME)
SET timestamp = DEFAULT
DELETE FROM plain
SELECT NOW() > '2020-01-01'

# Connector/J of MariaDB does this at every login, with rewriteBatchedStatements or always.
## a choice of what is reported [text]
SET autocommit=1, session_track_system_variables='auto_increment_increment', sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')
!pins
SELECT @@sql_mode, @@autocommit, ROW_COUNT()
SET auto_increment_increment = 3
SET time_zone = '+03:00', lock_wait_timeout = 12 + 5
SELECT @@auto_increment_increment, @@time_zone, @@lock_wait_timeout
USE information_schema
SELECT DATABASE()
SET session_track_system_variables = 'lock_wait_timeout,time_zone', lock_wait_timeout = 20 + 1, time_zone = '+02:00'
!pins
SET time_zone = '+01:00', lock_wait_timeout = 13
SET auto_increment_increment = 1
SELECT @@auto_increment_increment, @@time_zone, @@lock_wait_timeout, @@sql_mode
SET session_track_schema = OFF
!pins
USE mysql
SELECT DATABASE()
SET session_track_schema = ON
USE information_schema
SET SESSION session_track_system_variables = CONCAT(@@global.session_track_system_variables, ',max_join_size')
!pins
SET max_join_size = 50000
SET autocommit = 0
SET autocommit = 1
SELECT @@max_join_size, @@lock_wait_timeout
SET session_track_system_variables = ''
SET time_zone = '+05:00', max_join_size = 60000
SELECT @@max_join_size, @@time_zone
SET session_track_system_variables = 5
SET time_zone = '+03:00'
!reset_connection
SET time_zone = '+06:00', max_join_size = 70000
SELECT @@max_join_size, @@time_zone

## a state change that is reported [text]
SET session_track_state_change = ON
SET time_zone = '+03:00'
SET @a = 1
SELECT @a
USE mysql
SET session_track_state_change = OFF
SET time_zone = '+02:00'

## transactions that are reported [text]
SET session_track_transaction_info = 'CHARACTERISTICS'
!pins
SET TRANSACTION READ ONLY
START TRANSACTION
SELECT 1
COMMIT
SET session_track_transaction_info = 'OFF'
START TRANSACTION READ ONLY
COMMIT

# MySQL warns, and what follows would take the warning away: what was chosen stays unheard there.
## a choice of something that is not there, reported [text mariadb]
SET session_track_system_variables = 'nonsense,time_zone'
SHOW WARNINGS
SET time_zone = '+04:00'
