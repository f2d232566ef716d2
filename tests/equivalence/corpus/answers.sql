# What one statement leaves for the next one: ids, counts, warnings, the schema.
## ids of inserts that fail half-way [old]
INSERT INTO counter (note) VALUES ('a')
SELECT LAST_INSERT_ID() > 0
INSERT INTO counter (note) VALUES ('new'), ('a')
SELECT LAST_INSERT_ID()
SELECT 1
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) SELECT name FROM items UNION ALL SELECT 'a'
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('new'), ('a')
SELECT 1
SELECT LAST_INSERT_ID(), ROW_COUNT()
INSERT IGNORE INTO counter (note) VALUES ('a'), ('b1'), ('b2')
SELECT LAST_INSERT_ID()
INSERT IGNORE INTO counter (note) VALUES ('a')
SELECT LAST_INSERT_ID()
REPLACE INTO counter (note) VALUES ('a'), ('zz')
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('zz') ON DUPLICATE KEY UPDATE note = 'zzz'
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('zzz'), ('yyy') ON DUPLICATE KEY UPDATE note = CONCAT(note, '+')
SELECT LAST_INSERT_ID()
DELETE FROM counter

## ids and several statements [old]
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('a'); SELECT LAST_INSERT_ID(77)
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(55); INSERT INTO counter (note) VALUES ('b')
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('c'); INSERT INTO counter (note) VALUES ('d'), ('a')
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('c1'); SELECT nonsense
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(99); SELECT nonsense
SELECT LAST_INSERT_ID()
SELECT 1; SELECT LAST_INSERT_ID()
SET last_insert_id = 12; SELECT 1
SELECT LAST_INSERT_ID()
SET last_insert_id = 13; INSERT INTO counter (note) VALUES ('e')
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('f'); SET last_insert_id = 13
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('g'); SET last_insert_id = 14; SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID()
INSERT INTO plain VALUES (1, 'x', 'y'); UPDATE plain SET a = LAST_INSERT_ID(a + 30)
SELECT LAST_INSERT_ID()
UPDATE plain SET a = LAST_INSERT_ID(a + 30) WHERE a = -5; SELECT 1
SELECT LAST_INSERT_ID()
CALL inserts(); SELECT 1
SELECT LAST_INSERT_ID()
CALL inserts(); INSERT INTO counter (note) VALUES ('h')
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('i'); CALL inserts()
SELECT LAST_INSERT_ID()
INSERT INTO keyed (id, note) VALUES (900, 'x'); SELECT 2
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES ('j'); INSERT INTO keyed (id, note) VALUES (901, 'x')
SELECT LAST_INSERT_ID()
INSERT INTO keyed (id, note) VALUES (902, 'x'); INSERT INTO counter (note) VALUES ('k')
SELECT LAST_INSERT_ID()
DELETE FROM counter; DELETE FROM keyed; DELETE FROM plain
SELECT LAST_INSERT_ID()

## ids in functions and triggers [old]
CREATE TABLE trig (id INT AUTO_INCREMENT PRIMARY KEY, n INT)
CREATE TRIGGER trig_ai AFTER INSERT ON trig FOR EACH ROW INSERT INTO counter (note) VALUES (NULL)
INSERT INTO trig (n) VALUES (1)
SELECT LAST_INSERT_ID()
INSERT INTO trig (n) VALUES (1), (2)
SELECT LAST_INSERT_ID()
CREATE FUNCTION adds() RETURNS INT DETERMINISTIC BEGIN INSERT INTO counter (note) VALUES (NULL); RETURN LAST_INSERT_ID(); END
SELECT adds()
SELECT LAST_INSERT_ID()
INSERT INTO plain (a) VALUES (adds())
SELECT LAST_INSERT_ID()
SET @x = adds()
SELECT LAST_INSERT_ID(), @x
DO adds()
SELECT LAST_INSERT_ID()
SELECT adds() INTO @y
SELECT LAST_INSERT_ID(), @y
DROP FUNCTION adds
DROP TABLE trig
DELETE FROM counter
DELETE FROM plain

## ids through prepared statements [old]
PREPARE s FROM 'INSERT INTO counter (note) VALUES (?)'
SET @v = 'a'
EXECUTE s USING @v
SELECT LAST_INSERT_ID()
EXECUTE s USING @v
SELECT LAST_INSERT_ID()
PREPARE t FROM 'INSERT INTO keyed (id, note) VALUES (?, ''x'')'
SET @id = 5000
EXECUTE t USING @id
SELECT LAST_INSERT_ID()
PREPARE u FROM 'SELECT LAST_INSERT_ID()'
EXECUTE u
EXECUTE s USING @id
EXECUTE u
PREPARE v FROM 'SELECT LAST_INSERT_ID(?)'
EXECUTE v USING @id
EXECUTE u
EXECUTE u
PREPARE w FROM 'SELECT ROW_COUNT(), FOUND_ROWS()'
EXECUTE s USING @v
EXECUTE w
PREPARE z FROM 'UPDATE plain SET a = LAST_INSERT_ID(77) WHERE a = ?'
EXECUTE z USING @id
EXECUTE u
INSERT INTO plain VALUES (5000, '', '')
EXECUTE z USING @id
EXECUTE u
DEALLOCATE PREPARE s
EXECUTE s USING @v
EXECUTE u
DELETE FROM counter
DELETE FROM keyed
DELETE FROM plain

## ids through binary statements [old]
!prepare s INSERT INTO counter (note) VALUES (?)
!prepare u SELECT LAST_INSERT_ID()
!prepare k INSERT INTO keyed (id, note) VALUES (?, ?)
!execute s s:a
!execute u
!execute s s:a
!execute u
!execute k i:70000 s:x
!execute u
!execute k i:0 s:x
!execute u
!execute k s:70010 s:x
!execute u
!execute k d:70020 s:x
!execute u
!execute k n s:x
!execute u
!execute k i:-5 s:x
!execute u
!prepare m INSERT INTO counter (note) VALUES (?), (?)
!execute m s:q s:a
!execute u
!execute m s:q s:r
!execute u
SELECT 1
!execute u
DELETE FROM counter
DELETE FROM keyed

## found rows behind refused queries [text]
SELECT 1
SELECT FOUND_ROWS()
SELECT id FROM items
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items INTO @many
SELECT FOUND_ROWS()
SELECT id, name FROM items WHERE id < 4
SELECT id, name FROM items INTO @only
SELECT FOUND_ROWS()
SELECT id, name FROM items WHERE id < 4
SELECT 1, 2 INTO @only
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items WHERE id = 3 INTO @one
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items WHERE id = 99 INTO @one
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT nonsense
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT nonsense FROM items
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM nowhere
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items INTO OUTFILE '/nowhere/x'
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT twice(1, 2)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT nofunc(1)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items GROUP BY 9
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items WHERE id = (SELECT id FROM items)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
INSERT INTO plain (a) SELECT id FROM items WHERE id = (SELECT id FROM items)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
INSERT INTO plain (a) SELECT id FROM items
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
UPDATE plain SET b = (SELECT name FROM items)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SET @x = (SELECT id FROM items)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SET @x = (SELECT id FROM items WHERE id = 2)
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
CALL selects()
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
CALL fails()
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
this is no sql
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SHOW TABLES
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SHOW WARNINGS
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SHOW VARIABLES LIKE 'autocommit'
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
EXPLAIN SELECT * FROM items
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
DESCRIBE items
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT 1; SELECT id FROM items WHERE id < 3
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT 1; SELECT nonsense
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 4
SELECT id FROM items WHERE id < 3; SET @a = 1
SELECT FOUND_ROWS()
DELETE FROM plain
SELECT id FROM items LIMIT 1, 2
SELECT FOUND_ROWS()
SELECT id FROM items ORDER BY name LIMIT 2
SELECT FOUND_ROWS()
SELECT DISTINCT price > 2 FROM items
SELECT FOUND_ROWS()
SELECT price > 2, COUNT(*) FROM items GROUP BY 1
SELECT FOUND_ROWS()
SELECT price > 2, COUNT(*) FROM items GROUP BY 1 WITH ROLLUP
SELECT FOUND_ROWS()
SELECT COUNT(*) FROM items HAVING COUNT(*) > 100
SELECT FOUND_ROWS()
SELECT id FROM items UNION ALL SELECT id FROM items LIMIT 3
SELECT FOUND_ROWS()
SELECT SQL_CALC_FOUND_ROWS id FROM items UNION ALL SELECT id FROM items LIMIT 3
SELECT FOUND_ROWS()
(SELECT id FROM items LIMIT 1)
SELECT FOUND_ROWS()
SELECT id FROM items LIMIT 0
SELECT FOUND_ROWS()
SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT 0
SELECT FOUND_ROWS()
TABLE items LIMIT 2
SELECT FOUND_ROWS()
VALUES (1), (2)
SELECT FOUND_ROWS()
WITH x AS (SELECT id FROM items) SELECT * FROM x LIMIT 2
SELECT FOUND_ROWS()
SELECT * FROM (SELECT id FROM items) AS t WHERE id > 3
SELECT FOUND_ROWS()
SELECT id FROM items FOR UPDATE
SELECT FOUND_ROWS()
DO 1
SELECT FOUND_ROWS()
SET sql_select_limit = 2
SELECT id FROM items
SELECT FOUND_ROWS()
SELECT SQL_CALC_FOUND_ROWS id FROM items
SELECT FOUND_ROWS()
SET sql_select_limit = DEFAULT

## found rows through prepared statements [text]
SELECT 1
SELECT FOUND_ROWS()
PREPARE s FROM 'SELECT id FROM items WHERE id < ?'
SET @n = 4
EXECUTE s USING @n
SELECT FOUND_ROWS()
!prepare p SELECT id FROM items WHERE id < ?
!prepare f SELECT FOUND_ROWS()
!execute p i:3
!execute f
!execute f
!execute p i:3
SELECT FOUND_ROWS()
!prepare c SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT ?
!execute c i:2
!execute f
!execute c i:2
SELECT FOUND_ROWS()
!execute p i:3
!execute p s:x
!execute f
PREPARE t FROM 'SELECT FOUND_ROWS()'
SELECT id FROM items WHERE id < 3
EXECUTE t
SELECT id FROM items WHERE id < 3
PREPARE u FROM 'SELECT nonsense'
SELECT FOUND_ROWS()
SELECT id FROM items WHERE id < 3
!prepare e SELECT nonsense
SELECT FOUND_ROWS()
EXECUTE IMMEDIATE 'SELECT id FROM items'
SELECT FOUND_ROWS()

## row count through everything [old]
SELECT ROW_COUNT()
INSERT INTO plain VALUES (1, 'x', ''), (2, 'x', ''), (3, 'x', '')
SELECT ROW_COUNT()
UPDATE plain SET b = 'y'; SELECT 1
SELECT ROW_COUNT()
SELECT 1; UPDATE plain SET b = 'z'
SELECT ROW_COUNT()
UPDATE plain SET b = 'w'; SELECT ROW_COUNT()
SELECT ROW_COUNT()
UPDATE plain SET b = 'v'; SELECT nonsense
SELECT ROW_COUNT()
CALL inserts()
SELECT ROW_COUNT()
CALL selects()
SELECT ROW_COUNT()
CALL fails()
SELECT ROW_COUNT()
CREATE PROCEDURE ups() UPDATE plain SET b = CONCAT(b, '+')
CALL ups()
SELECT ROW_COUNT()
CALL ups()
SELECT 1
CALL ups(); SELECT ROW_COUNT()
PREPARE s FROM 'UPDATE plain SET c = CONCAT(c, ''x'')'
EXECUTE s
SELECT ROW_COUNT()
EXECUTE s
SET @r = ROW_COUNT()
SELECT @r
!prepare p UPDATE plain SET c = ?
!prepare r SELECT ROW_COUNT()
!execute p s:q
!execute r
!execute r
!execute p s:q
!execute r
!execute p s:r
SELECT ROW_COUNT()
INSERT INTO plain SELECT * FROM plain
SELECT ROW_COUNT()
DELETE FROM plain WHERE a = 1
SELECT ROW_COUNT()
INSERT INTO plain SELECT a, ROW_COUNT(), '' FROM plain
SELECT b FROM plain
SELECT ROW_COUNT()
DROP PROCEDURE ups
SELECT ROW_COUNT()
REPLACE INTO keyed (id, note) VALUES (1, 'a'), (1, 'b')
SELECT ROW_COUNT()
INSERT INTO keyed (id, note) VALUES (1, 'a') ON DUPLICATE KEY UPDATE note = 'd'
SELECT ROW_COUNT()
INSERT INTO keyed (id, note) VALUES (1, 'a') ON DUPLICATE KEY UPDATE note = 'd'
SELECT ROW_COUNT()
LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain (a, @word) SET b = UPPER(@word)
SELECT ROW_COUNT()
TRUNCATE TABLE plain
SELECT ROW_COUNT()
CREATE TEMPORARY TABLE tt AS SELECT id FROM items
SELECT ROW_COUNT()
DROP TEMPORARY TABLE tt
SELECT ROW_COUNT()
SELECT id FROM items WHERE id < 3 INTO @a
SELECT ROW_COUNT()
SELECT id FROM items WHERE id = 3 INTO @a
SELECT ROW_COUNT()
SELECT id FROM items WHERE id = 99 INTO @a
SELECT ROW_COUNT()
BEGIN
SELECT ROW_COUNT()
COMMIT
SELECT ROW_COUNT()
USE eq
SELECT ROW_COUNT()
this is no sql
SELECT ROW_COUNT()
SHOW TABLES
SELECT ROW_COUNT()
DO 1
SELECT ROW_COUNT()
SET @a = 1
SELECT ROW_COUNT()
DELETE FROM keyed
ANALYZE TABLE plain
SELECT ROW_COUNT()
INSERT INTO plain VALUES (1, 'x', ''), (2, 'x', '')
!prepare i SELECT 1
SELECT ROW_COUNT()
UPDATE plain SET b = 'new'
!ping
SELECT ROW_COUNT()
UPDATE plain SET b = 'newer'
!statistics
SELECT ROW_COUNT()
UPDATE plain SET b = 'newest'
!field_list items
SELECT ROW_COUNT()
UPDATE plain SET b = 'a'
!close i
SELECT ROW_COUNT()
UPDATE plain SET b = 'b'
!reset p
SELECT ROW_COUNT()
DELETE FROM plain

## warnings behind all sorts [old]
SELECT 1 / 0
SHOW WARNINGS LIMIT 0
SHOW WARNINGS LIMIT 1
SHOW WARNINGS LIMIT 1, 1
SHOW ERRORS LIMIT 1
SHOW COUNT(*) WARNINGS
SHOW COUNT(*) ERRORS
SELECT nonsense
SHOW WARNINGS
SELECT 1
SHOW WARNINGS
SELECT nonsense
SET @a = 1
SHOW WARNINGS
SELECT nonsense
BEGIN
SHOW WARNINGS
ROLLBACK
SHOW WARNINGS
DROP TABLE IF EXISTS absent
SELECT 1 FROM items LIMIT 1
SHOW WARNINGS
INSERT IGNORE INTO counter (id, note) VALUES (1, 'a'), (1, 'b'), (2, 'a')
SHOW WARNINGS
GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT
SELECT @n, @r
SHOW WARNINGS
INSERT IGNORE INTO counter (id, note) VALUES (1, 'a'), (1, 'b'), (2, 'a')
GET DIAGNOSTICS CONDITION 2 @m = MESSAGE_TEXT, @e = MYSQL_ERRNO, @s = RETURNED_SQLSTATE, @c = CLASS_ORIGIN
SELECT @m, @e, @s, @c
GET DIAGNOSTICS CONDITION 9 @m = MESSAGE_TEXT
SHOW WARNINGS
GET CURRENT DIAGNOSTICS @n = NUMBER
GET STACKED DIAGNOSTICS @n = NUMBER
SHOW WARNINGS
SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'a warning of mine'
SHOW WARNINGS
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'mine'
SHOW WARNINGS
RESIGNAL
SHOW WARNINGS
CALL fails()
SHOW WARNINGS
CALL fails()
GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT
SELECT @m
PREPARE s FROM 'SELECT 1 / 0'
EXECUTE s
SHOW WARNINGS
EXECUTE s
SELECT @@warning_count
!prepare p SELECT 1 / 0, CAST(? AS SIGNED)
!execute p s:x
SHOW WARNINGS
!prepare w SHOW WARNINGS
!execute p s:x
!execute w
!execute p s:x
!execute p i:1
SHOW WARNINGS
!prepare e SELECT nonsense
SHOW WARNINGS
!prepare e this is no sql
SELECT @@error_count, @@warning_count
EXECUTE nothing
SHOW WARNINGS
!execute nothing
SELECT 1 / 0
!statistics
SHOW WARNINGS
SELECT 1 / 0; SELECT 2
SHOW WARNINGS
SELECT 1 / 0; SHOW WARNINGS
SHOW WARNINGS
SELECT 1 / 0; SELECT nonsense
SHOW WARNINGS
SELECT 1 / 0; this is no sql
SHOW WARNINGS
SELECT nonsense; SELECT 1 / 0
SHOW WARNINGS
DELETE FROM counter

# MySQL repeats the number of the warnings in the answer to the ping.
## warnings behind a ping [old mariadb]
SELECT 1 / 0
!ping
SHOW WARNINGS

## warnings and max_error_count [old]
SET max_error_count = 0
SELECT 1 / 0
SHOW WARNINGS
SHOW COUNT(*) WARNINGS
SELECT nonsense
SHOW WARNINGS
SET max_error_count = 2
SELECT 1/0, 2/0, 3/0, 4/0
SHOW WARNINGS
SHOW COUNT(*) WARNINGS
SELECT @@warning_count
SET max_error_count = DEFAULT

## use and prepared use
USE other
SELECT DATABASE()
USE eq
SELECT DATABASE()
USE nowhere
SELECT DATABASE()
SHOW WARNINGS
CREATE DATABASE passing
USE passing
CREATE TABLE t (a INT)
USE eq
DROP DATABASE passing
SELECT DATABASE()
CREATE DATABASE passing
USE passing
DROP DATABASE passing
SHOW TABLES
SELECT COUNT(*) FROM eq.items
SELECT COUNT(*) FROM items
CREATE TABLE x (a INT)
SELECT @@character_set_database, @@collation_database
CREATE DATABASE passing CHARACTER SET latin1
SELECT DATABASE()
SELECT COUNT(*) FROM items
USE passing
SELECT @@character_set_database, @@collation_database
SET NAMES utf8mb4
DROP DATABASE passing
SET @a = 5
SELECT DATABASE(), @a
SELECT DATABASE(), @a
USE eq
SELECT DATABASE()

## schema that is gone, with commands
CREATE DATABASE passing
!init_db passing
SELECT DATABASE()
DROP DATABASE passing
SELECT DATABASE()
!init_db passing
SELECT DATABASE()
!prepare p SELECT DATABASE()
!execute p
# Not executed behind these: prepared without a schema, it has the session's on a connection where it must be prepared anew,
# since a schema cannot be left. Whether it must be is the pool's luck.
!init_db other
!init_db eq
CREATE DATABASE passing
!init_db passing
DROP DATABASE passing
!reset_connection
SELECT DATABASE()
!init_db eq
SELECT DATABASE()
CREATE DATABASE passing
!change_user passing
SELECT DATABASE()
DROP DATABASE passing
!reset_connection
SELECT DATABASE()
!change_user eq
SELECT DATABASE()
