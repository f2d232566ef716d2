## last_insert_id [old]
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('a')
SELECT LAST_INSERT_ID() > 0
SET @first = LAST_INSERT_ID()
SELECT LAST_INSERT_ID() - @first
INSERT INTO counter (note) VALUES ('b'), ('c'), ('d')
SELECT LAST_INSERT_ID() - @first
SELECT @@last_insert_id - @first, @@identity - @first
INSERT INTO plain VALUES (1, 'x', 'y')
SELECT LAST_INSERT_ID() - @first
UPDATE counter SET note = 'e' WHERE note = 'a'
SELECT LAST_INSERT_ID() - @first
SELECT LAST_INSERT_ID(42)
SELECT LAST_INSERT_ID()
UPDATE plain SET a = LAST_INSERT_ID(a + 6)
SELECT LAST_INSERT_ID(), a FROM plain
INSERT INTO plain VALUES (LAST_INSERT_ID(), 'x', 'y')
SELECT a FROM plain ORDER BY a
INSERT INTO counter (note) VALUES ('b') ON DUPLICATE KEY UPDATE note = 'bb', id = LAST_INSERT_ID(id)
SELECT LAST_INSERT_ID() - @first
SET last_insert_id = 5
SELECT LAST_INSERT_ID()
SET @@identity = 6
SELECT @@identity, LAST_INSERT_ID()
DELETE FROM counter
SELECT LAST_INSERT_ID()
DELETE FROM plain
INSERT INTO counter (note) VALUES ('x'); INSERT INTO counter (note) VALUES ('y')
SELECT LAST_INSERT_ID() - id FROM counter WHERE note = 'y'
INSERT INTO counter (note) VALUES ('x')
SELECT LAST_INSERT_ID() - id FROM counter WHERE note = 'y'
CALL inserts()
SELECT LAST_INSERT_ID() - (SELECT MAX(id) FROM counter)
DELETE FROM counter

## ids that an INSERT names itself [old]
SELECT LAST_INSERT_ID()
INSERT INTO keyed (id, note) VALUES (500, 'named')
SELECT LAST_INSERT_ID()
INSERT INTO keyed (note) VALUES ('generated')
SELECT LAST_INSERT_ID()
INSERT INTO keyed (id, note) VALUES (600, 'named'), (610, 'too')
SELECT LAST_INSERT_ID()
SET @id = 700
INSERT INTO keyed (id, note) VALUES (@id, 'named')
SELECT LAST_INSERT_ID()
INSERT INTO keyed SELECT 710, 'named'
SELECT LAST_INSERT_ID()
BEGIN
INSERT INTO keyed (id, note) VALUES (720, 'named')
SELECT LAST_INSERT_ID()
COMMIT
SELECT LAST_INSERT_ID()
REPLACE INTO keyed (id, note) VALUES (720, 'again')
SELECT LAST_INSERT_ID()
INSERT INTO keyed (id, note) VALUES (720, 'x') ON DUPLICATE KEY UPDATE note = 'updated'
SELECT LAST_INSERT_ID()
!prepare p INSERT INTO keyed (id, note) VALUES (?, 'bound')
!execute p i:900
SELECT LAST_INSERT_ID()
!execute p n
SELECT LAST_INSERT_ID()
DELETE FROM keyed

# A cursor's rows are not counted.
## found_rows [old text]
SELECT id FROM items
SELECT FOUND_ROWS()
SELECT FOUND_ROWS()
SELECT id FROM items LIMIT 2
SELECT FOUND_ROWS()
SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT 2
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id > 100
SELECT FOUND_ROWS()
SELECT id FROM items UNION SELECT 77
SELECT FOUND_ROWS()
SHOW TABLES LIKE 'i%'
SELECT FOUND_ROWS()
INSERT INTO plain VALUES (1, 'x', 'y')
SELECT FOUND_ROWS()
UPDATE plain SET b = 'z'
SELECT FOUND_ROWS()
DELETE FROM plain
SELECT FOUND_ROWS()
SELECT COUNT(*) FROM items
SELECT FOUND_ROWS() + 10

## found_rows for the first time after several rows [text]
SELECT id FROM items
SELECT FOUND_ROWS()

## found_rows for the first time in an expression [text]
SELECT id, name FROM items WHERE id < 4
SELECT FOUND_ROWS() + 1 AS more, 'x'

## found_rows for the first time after none [text]
SELECT id FROM items WHERE id > 100
SELECT FOUND_ROWS()

## row_count [old text]
SELECT ROW_COUNT()
INSERT INTO plain VALUES (1, 'x', 'y'), (2, 'x', 'y'), (3, 'x', 'y')
SELECT ROW_COUNT()
SELECT ROW_COUNT()
UPDATE plain SET b = 'changed' WHERE a < 3
SELECT ROW_COUNT()
UPDATE plain SET b = 'changed' WHERE a < 3
SELECT ROW_COUNT()
SELECT a FROM plain
SELECT ROW_COUNT()
DELETE FROM plain
SELECT ROW_COUNT()
SET @x = 1
SELECT ROW_COUNT()
INSERT INTO nowhere VALUES (1)
SELECT ROW_COUNT()
BEGIN
INSERT INTO plain VALUES (1, 'x', 'y')
SELECT ROW_COUNT()
ROLLBACK
SELECT ROW_COUNT()

# Left out: ROW_COUNT() asked for the first time after several rows were changed. Nothing can leave such a number on another
# connection; who has asked once is kept on its own.
## row_count for the first time
DELETE FROM plain
INSERT INTO plain VALUES (1, 'x', 'y')
SELECT ROW_COUNT()
DELETE FROM plain

## row_count for the first time after a query
SELECT id FROM items
SELECT ROW_COUNT()

## row_count for the first time with an alias
DELETE FROM plain WHERE a = 77
SELECT ROW_COUNT() AS changed

## row_count for the first time in a SET
INSERT INTO plain VALUES (1, 'x', 'y')
SET @n = ROW_COUNT()
SELECT @n
DELETE FROM plain

## warnings [old]
SELECT 1 / 0
SHOW WARNINGS
SHOW WARNINGS
SHOW COUNT(*) WARNINGS
SELECT @@warning_count
SELECT CAST('x' AS SIGNED), CAST('1y' AS SIGNED)
SHOW WARNINGS LIMIT 1
SHOW COUNT(*) WARNINGS
SHOW ERRORS
SELECT nonsense
SHOW ERRORS
SHOW WARNINGS
SHOW COUNT(*) ERRORS
SELECT @@error_count, @@warning_count
SELECT 5
SHOW WARNINGS
INSERT INTO plain VALUES (1, REPEAT('x', 50), 'y')
SHOW WARNINGS
DROP TABLE IF EXISTS absent, missing
SHOW WARNINGS
SELECT this is no sql
SHOW WARNINGS
SELECT @@error_count
SELECT 1
SELECT @@warning_count, @@error_count
CREATE TABLE IF NOT EXISTS items (a INT)
SHOW WARNINGS
SET @x = 1 / 0
SHOW WARNINGS
CALL fails()
SHOW WARNINGS
DO 1 / 0
SHOW WARNINGS
BEGIN
SELECT 1 / 0
COMMIT
SHOW WARNINGS

## warnings are kept over what does not touch them
SELECT 1 / 0
SET @y = 3
SHOW WARNINGS

## an id from in front of a mistake, several statements in one text [old text]
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES (NULL), (NULL); SET no_such_variable = 1; SELECT 1
SELECT 1
SELECT LAST_INSERT_ID() > 0, LAST_INSERT_ID() = (SELECT MIN(id) FROM counter)
DELETE FROM counter

## found_rows when an id must be asked for [text]
SELECT FOUND_ROWS(), LAST_INSERT_ID() FROM items LIMIT 0
REPLACE INTO keyed (id, note) VALUES (28, 'h'), (28, 'x')
SELECT id FROM items UNION ALL SELECT id FROM items LIMIT 3
EXECUTE nothing USING @a
SELECT COUNT(*), LAST_INSERT_ID(), FOUND_ROWS() FROM items
DELETE FROM keyed

## row_count in the first of several statements [text]
SELECT 1 INTO @a
INSERT INTO plain VALUES (ROW_COUNT(), '', ''); CREATE TEMPORARY TABLE scratch (a INT)
SELECT a FROM plain
SELECT nonsense
SET @a = ROW_COUNT(); DROP TEMPORARY TABLE scratch
SELECT @a
DELETE FROM plain

## a transaction's characteristics wait for it
SET TRANSACTION READ ONLY
SET autocommit = 1
INSERT INTO plain VALUES (1, '', '')
SELECT COUNT(*) FROM items
SET SESSION TRANSACTION READ WRITE
