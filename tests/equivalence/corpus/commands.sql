## reset connection [old]
SET NAMES latin1
SET @a = 1, time_zone = '+02:00', sql_mode = ''
SELECT @b := 2
PREPARE s FROM 'SELECT 1'
CREATE TEMPORARY TABLE temporary (a INT)
SELECT GET_LOCK('reset', 1)
INSERT INTO counter (note) VALUES ('r')
BEGIN
INSERT INTO plain VALUES (1, 'lost', '')
!prepare p SELECT 1
!reset_connection
~ SELECT @a, @b
SELECT @a IS NULL, @b IS NULL, @@time_zone, @@character_set_client, @@sql_mode = '', DATABASE()
EXECUTE s
SELECT * FROM temporary
SELECT COUNT(*) FROM plain
SELECT LAST_INSERT_ID()
!execute p
SELECT IS_FREE_LOCK('reset')
DELETE FROM counter
!pins

## change user [old]
USE other
SET @a = 1, time_zone = '+02:00'
SELECT @b := 2
CREATE TEMPORARY TABLE eq.temporary (a INT)
SELECT GET_LOCK('change', 1)
SET autocommit = 0
!prepare p SELECT 1
!change_user eq
SELECT @a IS NULL, @b IS NULL, @@time_zone, @@autocommit, DATABASE()
SELECT * FROM temporary
!execute p
SELECT IS_FREE_LOCK('change')
!change_user other
SELECT DATABASE(), CURRENT_USER()
SELECT * FROM items
!pins

## a change of user that is refused [old mariadb]
USE other
SET @a = 1, time_zone = '+02:00'
CREATE TEMPORARY TABLE eq.temporary (a INT)
!prepare p SELECT 1
!change_user nowhere
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT @a IS NULL, @@time_zone, DATABASE(), CURRENT_USER()
SELECT * FROM eq.temporary
!execute p
!change_user other
SET @a = 2
!change_user nowhere
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT @a IS NULL, DATABASE()
!change_user nowhere
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET @a = 3
!change_user other
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT @a IS NULL, DATABASE(), CURRENT_USER()

## the character sets behind a refused change of user [old mariadb]
SET NAMES utf8mb4 COLLATE utf8mb4_bin
!change_user nowhere
SELECT @@character_set_client, @@collation_connection, @@character_set_results
SET NAMES latin1
SELECT name FROM items
!reset_connection
SELECT @@character_set_client, @@collation_connection, @@character_set_results
!change_user nowhere
!change_user other
SELECT @@character_set_client, @@collation_connection, @@character_set_results, DATABASE()
!change_user nowhere
SELECT @@character_set_client, @@collation_connection, @@character_set_results, DATABASE()
!reset_connection
!change_user eq
SELECT @@character_set_client, @@collation_connection, @@character_set_results, DATABASE()
!reset_connection
SELECT @@character_set_client, @@collation_connection, @@character_set_results, DATABASE()

## a change of user with another collation [old]
SET NAMES latin1
!change_user eq 8
SELECT @@character_set_client, @@collation_connection, @@character_set_results
!change_user eq 47
SELECT @@character_set_client, @@collation_connection, @@character_set_results
!change_user eq
SELECT @@character_set_client, @@collation_connection, @@character_set_results

## the character sets behind a reset [old]
!change_user eq 8
SET NAMES latin1 COLLATE latin1_bin
!reset_connection
SELECT @@character_set_client, @@collation_connection, @@character_set_results, DATABASE()
SELECT name, COLLATION(name), COLLATION('x') FROM items
!reset_connection
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT @@character_set_client, @@collation_connection, @@character_set_results
!change_user eq
SELECT @@character_set_client, @@collation_connection, @@character_set_results

## several statements no more, from amid a transaction on [old]
BEGIN
!multi off
SELECT 1; SELECT 2
ROLLBACK
SET autocommit = 0
SELECT nonsense
ROLLBACK
SELECT 1; SELECT 2
SET autocommit = 1
SET div_precision_increment = 9, foreign_key_checks = 0
DELETE FROM plain
SET time_zone = '+02:00', sql_select_limit = 7
INSERT INTO plain VALUES (1, 'x', '')
DELETE FROM plain
!reset_connection
SELECT 1; SELECT 2
SET div_precision_increment = 9, foreign_key_checks = 0
DELETE FROM plain
!multi on
SELECT 1; SELECT 2
BEGIN
!multi off
!multi on
SELECT 1; SELECT 2
ROLLBACK
SELECT 1; SELECT 2

## init db, ping, options [old]
!init_db other
SELECT DATABASE()
!init_db nowhere
SELECT DATABASE()
!init_db eq
SELECT COUNT(*) FROM items
!ping
!multi off
SELECT 1; SELECT 2
!multi on
SELECT 1; SELECT 2
!field_list items
!field_list nowhere
SELECT LAST_INSERT_ID()
BEGIN
!ping
!init_db other
SELECT DATABASE()
COMMIT

## what stays on its server is named [text]
CREATE TEMPORARY TABLE scratch (a INT)
!pins temporary_table
INSERT INTO scratch VALUES (1), (2)
SELECT * FROM scratch
DROP TEMPORARY TABLE scratch
!pins
SELECT GET_LOCK('named', 1)
!pins user_lock
SELECT GET_LOCK('named too', 1)
SELECT RELEASE_LOCK('named')
!pins user_lock
SELECT RELEASE_LOCK('named too')
!pins
LOCK TABLES items READ, plain WRITE
!pins table_lock
SELECT COUNT(*) FROM items
INSERT INTO items (name) VALUES ('x')
UNLOCK TABLES
HANDLER items OPEN AS h
!pins handler
HANDLER h READ FIRST
HANDLER h READ NEXT LIMIT 2
HANDLER h CLOSE
!pins
XA START 'one'
!pins xa
INSERT INTO plain VALUES (1, 'xa', '')
XA END 'one'
XA ROLLBACK 'one'
!pins
SELECT COUNT(*) FROM plain

## what moves is not pinned [text]
SET @a = 1 + 1
!pins
SELECT @b := 2, @c := 'x'
SELECT 1
!pins
SELECT 5 INTO @d
!pins
SET @x = 'o'
CALL gives(4, @o, @x)
SELECT 1
!pins
PREPARE s FROM 'SELECT ?'
!pins
EXECUTE s USING @a
!pins
SELECT LAST_INSERT_ID(7)
!pins
SET ROLE reader
!pins
SET NAMES latin1
!pins
SET SESSION TRANSACTION READ ONLY
!pins
SELECT @a, @b, @c, @d, @o, @x, LAST_INSERT_ID()

## several statements [old]
SELECT 1; SELECT 2
SELECT 1; SELECT nonsense; SELECT 3
INSERT INTO plain VALUES (1, 'a', 'b'); SELECT * FROM plain; DELETE FROM plain
BEGIN; INSERT INTO plain VALUES (2, 'a', 'b'); ROLLBACK; SELECT COUNT(*) FROM plain
SET @a = 1; SELECT @a; USE other; SELECT DATABASE()
SELECT DATABASE(), @a
USE eq; SET NAMES latin1
SELECT DATABASE(), @@character_set_client
;
SELECT 1;
SELECT 1; ;
-- nothing
/* nothing */
SELECT 1 -- one
CALL selects()
CALL selects(); SELECT 3
SELECT 1 / 0; SELECT 2
SHOW WARNINGS
SELECT 2; SELECT 1 / 0
SHOW WARNINGS
BEGIN; INSERT INTO plain VALUES (3, 'a', 'b')
SELECT COUNT(*) FROM plain
COMMIT; DELETE FROM plain
SELECT COUNT(*) FROM plain

## roles
SELECT CURRENT_ROLE()
SET ROLE reader
SELECT CURRENT_ROLE()
SELECT COUNT(*) FROM items
SET ROLE writer
SELECT CURRENT_ROLE()
SET ROLE NONE
SELECT CURRENT_ROLE()
SET ROLE 'reader'
SELECT CURRENT_ROLE()
SET ROLE nobody
SELECT CURRENT_ROLE()
!reset_connection
SELECT CURRENT_ROLE()

## roles of MySQL [mysql]
SET ROLE reader, writer
SELECT CURRENT_ROLE()
SET ROLE ALL
SELECT CURRENT_ROLE()
SET ROLE ALL EXCEPT reader
SELECT CURRENT_ROLE()
SET ROLE DEFAULT
SELECT CURRENT_ROLE()

## transactions [old]
BEGIN
INSERT INTO plain VALUES (1, 'a', 'b')
SAVEPOINT one
INSERT INTO plain VALUES (2, 'a', 'b')
ROLLBACK TO one
SELECT COUNT(*) FROM plain
RELEASE SAVEPOINT one
ROLLBACK TO one
COMMIT
SELECT COUNT(*) FROM plain
START TRANSACTION WITH CONSISTENT SNAPSHOT
DELETE FROM plain
COMMIT AND CHAIN
INSERT INTO plain VALUES (3, 'a', 'b')
ROLLBACK AND CHAIN
SELECT COUNT(*) FROM plain
COMMIT
SET autocommit = 0
SELECT COUNT(*) FROM plain
INSERT INTO plain VALUES (4, 'a', 'b')
COMMIT
INSERT INTO plain VALUES (5, 'a', 'b')
CREATE TABLE implicit (a INT)
ROLLBACK
SELECT COUNT(*) FROM plain
DROP TABLE implicit
SET autocommit = 1
DELETE FROM plain
BEGIN
BEGIN
COMMIT
COMMIT
ROLLBACK

## server information [old text]
SELECT VERSION(), @@version
SELECT USER(), CURRENT_USER(), SESSION_USER(), SYSTEM_USER()
SHOW DATABASES
SHOW TABLES
SHOW CREATE TABLE items
SHOW COLUMNS FROM items
~ SHOW INDEX FROM items
SHOW VARIABLES LIKE 'character_set_c%'
SHOW SESSION VARIABLES LIKE 'sql_mode'
DESCRIBE items
EXPLAIN SELECT * FROM items
SHOW PROCEDURE STATUS LIKE 'none'
SHOW CHARACTER SET LIKE 'utf8mb4'
SHOW COLLATION LIKE 'latin1_bin'
SHOW ENGINES
SHOW PRIVILEGES
SHOW GRANTS
SHOW TRIGGERS
SHOW FULL TABLES
~ SHOW STATUS LIKE 'Uptime'
~ SELECT UUID(), NOW(), RAND(), SYSDATE()
SELECT CONNECTION_ID() > 0 AS x, IF(CONNECTION_ID() = 0, 1, 2) AS y
~ SELECT CONNECTION_ID()
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'eq' ORDER BY 1
CHECKSUM TABLE items
CHECK TABLE items
ANALYZE TABLE items
SELECT twice(4), remembers(5)
SELECT * FROM names WHERE id = 1

# MariaDB breaks the protocol when it prepares HELP.
## help [text]
HELP 'SELECT'
HELP 'nothing like it'

## rows of all types [old]
SELECT * FROM types
SELECT NULL, 1, -1, 1.5, 1e5, 'x', x'41', b'1', TRUE, DATE '2020-01-01', TIME '10:00:00', TIMESTAMP '2020-01-01 10:00:00'
SELECT REPEAT('x', 300), REPEAT('y', 70000)
SELECT '' AS empty, ' ' AS blank
SELECT id AS `strange name`, name AS `ünïcode` FROM items LIMIT 1
SELECT * FROM items WHERE FALSE
SELECT i.*, o.name FROM items i LEFT JOIN other.items o ON i.id = o.id ORDER BY i.id
SELECT COUNT(*), MIN(price), MAX(price), AVG(price), SUM(price) FROM items
VALUES ROW(1, 2), ROW(3, 4)
TABLE names
WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 5) SELECT * FROM n
SELECT name, ROW_NUMBER() OVER (ORDER BY price) FROM items ORDER BY id

## errors [old]
SELECT
SELECT * FROM nowhere
SELECT nothing FROM items
INSERT INTO items (id) VALUES (1)
SELECT * FROM items WHERE id = (SELECT id FROM items)
CALL nowhere()
CALL gives(1)
SELECT twice()
DROP TABLE nowhere
KILL 'abc'
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'mine', MYSQL_ERRNO = 3001
SHOW WARNINGS
GRANT ALL ON *.* TO nobody
SELECT 1 FROM DUAL WHERE
USE
SET

## temporary tables [old]
CREATE TEMPORARY TABLE t1 (a INT AUTO_INCREMENT PRIMARY KEY, b INT)
INSERT INTO t1 (b) VALUES (1), (2)
SELECT * FROM t1
SELECT LAST_INSERT_ID()
CREATE TEMPORARY TABLE items AS SELECT 1 AS shadow
SELECT * FROM items
DROP TEMPORARY TABLE items
SELECT COUNT(*) FROM items
ALTER TABLE t1 ADD c INT
SELECT * FROM t1
DROP TABLE t1
SELECT * FROM t1

## sequences [mariadb]
CREATE SEQUENCE drawn START WITH 100
SELECT NEXTVAL(drawn)
SELECT LASTVAL(drawn)
SELECT NEXT VALUE FOR drawn
SELECT PREVIOUS VALUE FOR drawn
DROP SEQUENCE drawn

# With a cursor MySQL 9.7 itself crashes on one of these.
## locks and counts together [text]
SELECT GET_LOCK('x1', 0), IS_USED_LOCK('x1') IS NULL
SELECT RELEASE_ALL_LOCKS()
DO GET_LOCK('x2', 0)
SELECT IS_FREE_LOCK('x2')
DO RELEASE_LOCK('x2')
SELECT IS_FREE_LOCK('x2')
FLUSH TABLES items

## errors of commands are conditions too
DROP TABLE IF EXISTS absent
!again p i:1
SHOW COUNT(*) ERRORS
SELECT @@error_count
!prepare p SELECT ? + 1
!again p i:59
GET DIAGNOSTICS CONDITION 1 @a = RETURNED_SQLSTATE, @b = MESSAGE_TEXT
SELECT @a, @b
!fetch p 2
SET @c = 1
SHOW ERRORS
SELECT ROW_COUNT()
!raw 66
SHOW ERRORS
!raw 1b 05 00
GET DIAGNOSTICS @d = NUMBER
SELECT @d > 0
!reset nothing
SELECT COUNT(*) FROM items
SHOW WARNINGS

## commands that are no statements leave warnings and counts
SELECT nonsense
!init_db other
!ping
!multi off
!multi on
SHOW ERRORS
SELECT ROW_COUNT()
DROP TABLE IF EXISTS absent
!ping
!init_db eq
SHOW WARNINGS
SELECT 1
!init_db other
SELECT ROW_COUNT()
!init_db eq
!multi off
SELECT FOUND_ROWS(), ROW_COUNT()
!multi on
SELECT 1 / 0
!ping
!ping
GET DIAGNOSTICS @d = NUMBER
SELECT ROW_COUNT()
RELEASE SAVEPOINT none
UNLOCK TABLES
COMMIT
GET DIAGNOSTICS @d = NUMBER
SELECT ROW_COUNT()
