# Values of user variables, settings, transactions, and what stays on its server connection.
## odd user variables [old]
SET @d = CAST(1.50 AS DECIMAL(10,2)), @u = CAST(5 AS UNSIGNED), @s = CAST(-5 AS SIGNED), @f = 1e-10, @b = CAST('x' AS BINARY), @j = CAST('{"a": 1}' AS CHAR)
SELECT @d, @u, @s, @f, @b, @j
SELECT @d, @u, @s, @f, @b, @j, COLLATION(@b), COLLATION(@j), COERCIBILITY(@d), COERCIBILITY(@b)
SET @t = TIME '10:00:01.5', @dt = TIMESTAMP '2020-01-01 00:00:00.123456', @y = DATE '2020-01-01'
SELECT @t, @dt, @y, @t + 0, @dt + 0, @y + 0
SET @m = MAKEDATE(2020, 60), @h = X'4D7953514C', @bit = b'1000001', @l = 0x0a
SELECT @m, @h, @bit, @l, @h + 0, @bit + 0, @l + 0
SELECT COLLATION(@h), COLLATION(@bit), HEX(@l)
SET @x = _utf8mb3'abc' COLLATE utf8mb3_bin, @y = _latin1 X'E4', @z = _ucs2 X'0041', @k = _binary'k'
SELECT @x, HEX(@y), HEX(@z), @k, COLLATION(@x), COLLATION(@y), COLLATION(@z), COLLATION(@k)
SELECT @x = 'ABC', @y = 'ä', @z = 'a', @k = 'K'
SET @big = 99999999999999999999999999999999, @tiny = 0.00000000000000000000000000001, @neg0 = -0.0, @e = 1e308, @ee = 1.7976931348623157e308
SELECT @big, @tiny, @neg0, @e, @ee, @big + 1, @tiny * 2, @e * 10
SET @one = TRUE, @null = NULL, @empty = '', @zero = 0, @nul = 'a\0b', @quote = 'it''s "q" \\ % _', @nl = 'a\nb\tc\rd\Ze'
SELECT @one, @null, @empty, @zero, HEX(@nul), @quote, HEX(@nl)
SELECT @one, @null, @empty, @zero, HEX(@nul), @quote, HEX(@nl), LENGTH(@nul)
SET @emoji = '😀ü', @uni = N'national'
SELECT @emoji, HEX(@emoji), CHAR_LENGTH(@emoji), COLLATION(@uni)
SELECT @emoji, @uni
SET @long = REPEAT('abc', 5000)
SELECT LENGTH(@long), MD5(@long)
SELECT LENGTH(@long), MD5(@long)
SET @sum = 0.1 + 0.2, @dbl = 0.1e0 + 0.2e0, @div = 1 / 3, @mod = 10 % 3, @int = 7 DIV 2
SELECT @sum, @dbl, @div, @mod, @int
SELECT @sum, @dbl, @div, @mod, @int
SET @date = NOW() > '2000-01-01', @in = 1 IN (1, 2), @case = CASE WHEN 1 THEN 'a' ELSE 2 END, @if = IF(1, 2, 'x')
SELECT @date, @in, @case, @if
SELECT @date, @in, @case, @if
SET @a1 = ST_GeomFromText('POINT(1 2)')
SELECT ST_AsText(@a1)
SELECT HEX(@a1), COLLATION(@a1)
SET @a2 = JSON_ARRAY(1, 'x', NULL), @a3 = JSON_EXTRACT('{"k": [1, 2]}', '$.k')
SELECT @a2, @a3, COLLATION(@a2), COLLATION(@a3)
SELECT JSON_EXTRACT(@a2, '$[1]'), JSON_TYPE(@a3)
SET @dd = (SELECT price FROM items WHERE id = 1), @n = (SELECT n FROM types WHERE id = 1), @y = (SELECT y FROM types WHERE id = 1), @bt = (SELECT bt FROM types WHERE id = 1), @e = (SELECT e FROM types WHERE id = 1)
SELECT @dd, @n, @y, @bt, @e
SELECT @dd, @n, @y, @bt + 0, @e, COLLATION(@e), COLLATION(@bt)
SELECT @dd * 2, @n / 3, @y + 1

## variables of every column [old]
SELECT * FROM types WHERE id = 1
SELECT id, i1, u8, f, d, n, s, v, b, dt, t, y, bt, e, st, j INTO @id, @i1, @u8, @f, @d, @n, @s, @v, @b, @dt, @t, @y, @bt, @e, @st, @j FROM types WHERE id = 1
SELECT @id, @i1, @u8, @f, @d, @n, @s, HEX(@v), HEX(@b), @dt, @t, @y, @bt, @e, @st, @j
SELECT @id, @i1, @u8, @f, @d, @n, @s, HEX(@v), HEX(@b), @dt, @t, @y, HEX(@bt), @e, @st, @j
SELECT COLLATION(@s), COLLATION(@v), COLLATION(@b), COLLATION(@dt), COLLATION(@e), COLLATION(@j)
SELECT id, i1, u8, f, d, n, s, v, b, dt, t, y, bt, e, st, j INTO @id, @i1, @u8, @f, @d, @n, @s, @v, @b, @dt, @t, @y, @bt, @e, @st, @j FROM types WHERE id = 2
SELECT @id, @i1, @u8, @f, @d, @n, @s, HEX(@v), HEX(@b), @dt, @t, @y, HEX(@bt), @e, @st, @j
SELECT @id, @i1, @u8, @f, @d, @n, @s
SELECT COLLATION(@s), COLLATION(@v), COLLATION(@b), COLLATION(@dt), COLLATION(@e), COLLATION(@j)

## variables that become null [old]
SET @a = 5, @b = 'x', @c = 1.5, @d = 1e0
SELECT @a, @b, @c, @d
SET @a = NULL, @b = NULL, @c = NULL, @d = NULL
SELECT @a, @b, @c, @d
SELECT @a, @b, @c, @d
SET @a = 5
SET @a = @b
SELECT @a
SELECT @a
SELECT 5 INTO @a
SELECT NULL INTO @a
SELECT @a
SELECT @a, @a + 1
SELECT @a := 'x'
SELECT @a := NULL
SELECT @a
SELECT @a
SET @a = (SELECT price FROM items WHERE id = 99)
SELECT @a
SELECT @a
SET @a = (SELECT name FROM items WHERE id = 99)
SELECT @a, COLLATION(@a)
SELECT @a, COLLATION(@a)

## variables in prepared statements
SET @a = 1, @b = 'two', @c = 3.5, @n = NULL
PREPARE s FROM 'SELECT ?, ?, ?, ?'
EXECUTE s USING @a, @b, @c, @n
EXECUTE s USING @c, @n, @a, @b
EXECUTE s USING @a
PREPARE t FROM 'SET @a = @a + ?'
EXECUTE t USING @c
SELECT @a
EXECUTE t USING @c
SELECT @a
PREPARE u FROM 'SELECT id, name INTO @i, @m FROM items WHERE id = ?'
SET @k = 2
EXECUTE u USING @k
SELECT @i, @m
PREPARE v FROM 'SELECT @z := ?'
EXECUTE v USING @b
SELECT @z
PREPARE w FROM 'SET time_zone = ''+03:00'''
EXECUTE w
SELECT @@time_zone
SELECT @@time_zone
PREPARE x FROM 'USE other'
EXECUTE x
SELECT DATABASE()
PREPARE y FROM 'BEGIN'
EXECUTE y
SELECT @@in_transaction
COMMIT
PREPARE z FROM 'CREATE TEMPORARY TABLE tz (a INT)'
EXECUTE z
SELECT * FROM tz
DROP TEMPORARY TABLE tz
SELECT * FROM tz
SET @text = 'SELECT ''from a variable'', ?'
PREPARE s FROM @text
EXECUTE s USING @b
SET @text = 'SELECT 2'
EXECUTE s USING @b
PREPARE s FROM @text
EXECUTE s
PREPARE `odd name` FROM 'SELECT 3'
EXECUTE `odd name`
EXECUTE `ODD NAME`
DEALLOCATE PREPARE `odd name`
EXECUTE `odd name`
PREPARE s FROM 'SELECT 1; SELECT 2'
EXECUTE s
PREPARE s FROM ''
PREPARE s FROM NULL
PREPARE s FROM 'PREPARE t FROM ''SELECT 1'''
EXECUTE s
EXECUTE IMMEDIATE 'SELECT ?' USING @b
EXECUTE IMMEDIATE 'SET @q = 5'
SELECT @q

## set statement [mariadb]
SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(0.2)
SELECT @@max_statement_time
SHOW WARNINGS
SET STATEMENT lc_time_names = 'de_DE', sql_mode = '' FOR SELECT @@lc_time_names, @@sql_mode
SELECT @@lc_time_names, @@sql_mode
SET STATEMENT group_concat_max_len = 7 FOR SELECT GROUP_CONCAT(name ORDER BY id) FROM items
SHOW WARNINGS
SELECT @@group_concat_max_len
SET STATEMENT sql_select_limit = 2 FOR SELECT id FROM items ORDER BY id
SET STATEMENT insert_id = 4000 FOR INSERT INTO counter (note) VALUES ('st')
SELECT LAST_INSERT_ID()
SET STATEMENT timestamp = 1000 FOR SELECT NOW()
SELECT NOW() > '2000-01-01'
SET STATEMENT no_such = 1 FOR SELECT 1
SHOW WARNINGS
SET STATEMENT div_precision_increment = 10 FOR SELECT nonsense
SELECT 1 / 7
SET STATEMENT div_precision_increment = 10 FOR SET @x = 1 / 7
SELECT @x, 1 / 7
SET STATEMENT autocommit = 0 FOR INSERT INTO plain VALUES (1, '', '')
SET STATEMENT lock_wait_timeout = 5 FOR UPDATE plain SET b = 'x'
SELECT ROW_COUNT()
SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT "a"
SET STATEMENT last_insert_id = 5 FOR SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID()
SET STATEMENT max_error_count = 1 FOR SELECT 1/0, 2/0
SHOW WARNINGS
SET STATEMENT div_precision_increment = 10 FOR CALL selects()
PREPARE s FROM 'SET STATEMENT div_precision_increment = 9 FOR SELECT 1 / 7'
EXECUTE s
SELECT 1 / 7
!prepare p SET STATEMENT div_precision_increment = 9 FOR SELECT 1 / ?
!execute p i:7
SELECT 1 / 7
DELETE FROM counter
DELETE FROM plain

## time limits
SET max_statement_time = 0.05
SELECT SLEEP(0.3)
SHOW WARNINGS
SELECT 1
SET max_statement_time = 0
SET max_execution_time = 50
SELECT SLEEP(0.3)
SHOW WARNINGS
SET max_execution_time = 0
SELECT /*+ MAX_EXECUTION_TIME(20) */ SLEEP(0.3)

## sql_select_limit
SET sql_select_limit = 2
SELECT id FROM items ORDER BY id
SELECT id FROM items ORDER BY id LIMIT 4
SELECT COUNT(*) FROM (SELECT id FROM items) t
CALL selects()
# With a limit MySQL names the view or what it is made of, now this and now that, directly too.
~ SHOW TABLES
INSERT INTO plain (a) SELECT id FROM items
SELECT COUNT(*) FROM plain
SET sql_select_limit = 0
SELECT id FROM items ORDER BY id
SELECT @@sql_select_limit
SET sql_select_limit = 18446744073709551615
SELECT id FROM items ORDER BY id
SET @l = 1
SET sql_select_limit = @l
SELECT id FROM items ORDER BY id
SELECT id FROM items WHERE id = 1
SET SESSION sql_select_limit = DEFAULT
SELECT id FROM items ORDER BY id
DELETE FROM plain

## settings that hold once [old]
SET timestamp = 1000000000
SELECT NOW(), UNIX_TIMESTAMP(), @@timestamp
SELECT NOW()
INSERT INTO plain VALUES (1, NOW(), CURDATE())
SELECT * FROM plain
SET timestamp = 0
SELECT NOW() > '2020-01-01', @@timestamp > 1500000000
SET timestamp = 1000000000.25
SELECT NOW(6)
SET timestamp = DEFAULT
SELECT NOW() > '2020-01-01'
SET insert_id = 7000
INSERT INTO counter (note) VALUES ('chosen')
SELECT LAST_INSERT_ID(), @@insert_id
INSERT INTO counter (note) VALUES ('next')
SELECT LAST_INSERT_ID()
SET insert_id = 8000
SELECT 1
INSERT INTO counter (note) VALUES ('later')
SELECT LAST_INSERT_ID()
SET insert_id = 9000
UPDATE plain SET b = 'x'
INSERT INTO counter (note) VALUES ('after an update')
SELECT LAST_INSERT_ID()
SET insert_id = 10000
BEGIN
INSERT INTO counter (note) VALUES ('in a transaction')
ROLLBACK
SELECT LAST_INSERT_ID()
SET rand_seed1 = 5, rand_seed2 = 7
SELECT RAND(), RAND()
SELECT RAND()
SET rand_seed1 = 5, rand_seed2 = 7
SELECT 1
SELECT RAND()
SELECT RAND(3)
SET last_insert_id = 5
SELECT LAST_INSERT_ID(), @@last_insert_id
SET @@session.last_insert_id = 6
SELECT @@identity
SET @v = 8
SET last_insert_id = @v
SELECT LAST_INSERT_ID()
SET last_insert_id = @v + 1
SELECT LAST_INSERT_ID()
SET identity = DEFAULT
SELECT LAST_INSERT_ID()
SET last_insert_id = -1
SELECT LAST_INSERT_ID()
SET last_insert_id = 'x'
SELECT LAST_INSERT_ID()
INSERT INTO counter (id, note) VALUES (LAST_INSERT_ID(20000), 'named')
SELECT LAST_INSERT_ID()
INSERT INTO counter (note) VALUES (LAST_INSERT_ID(30))
SELECT LAST_INSERT_ID()
DELETE FROM plain WHERE a = LAST_INSERT_ID(44)
SELECT LAST_INSERT_ID()
SELECT * FROM items WHERE id = LAST_INSERT_ID(3)
SELECT LAST_INSERT_ID()
SET @q = LAST_INSERT_ID(66)
SELECT LAST_INSERT_ID()
DO LAST_INSERT_ID(67)
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(NULL)
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(-3)
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(1.7)
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID('12x')
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(18446744073709551615)
SELECT LAST_INSERT_ID()
DELETE FROM counter
DELETE FROM plain

## transactions of all kinds [old]
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
SELECT @@SESSION.autocommit
BEGIN
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
SHOW WARNINGS
COMMIT
SET TRANSACTION READ ONLY
SET TRANSACTION READ WRITE
INSERT INTO plain VALUES (1, '', '')
SET TRANSACTION READ ONLY
BEGIN
INSERT INTO plain VALUES (2, '', '')
COMMIT
INSERT INTO plain VALUES (3, '', '')
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY
START TRANSACTION READ WRITE
INSERT INTO plain VALUES (4, '', '')
ROLLBACK
SET @@transaction_isolation = 'READ-COMMITTED'
SET @@tx_isolation = 'READ-COMMITTED'
SELECT COUNT(*) FROM plain
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY
SELECT COUNT(*) FROM plain
INSERT INTO plain VALUES (5, '', '')
COMMIT
START TRANSACTION READ ONLY, READ WRITE
BEGIN
INSERT INTO plain VALUES (6, '', '')
START TRANSACTION
ROLLBACK
SELECT COUNT(*) FROM plain
BEGIN WORK
COMMIT WORK
COMMIT AND NO CHAIN NO RELEASE
SET completion_type = 1
BEGIN
INSERT INTO plain VALUES (7, '', '')
COMMIT
INSERT INTO plain VALUES (8, '', '')
ROLLBACK
SELECT COUNT(*) FROM plain
SET completion_type = 0
COMMIT
SET completion_type = 'CHAIN'
BEGIN
COMMIT
SELECT COUNT(*) FROM plain
COMMIT AND NO CHAIN
SET completion_type = DEFAULT
SELECT COUNT(*) FROM plain
SET autocommit = 0
SELECT 1
SELECT COUNT(*) FROM plain
INSERT INTO plain VALUES (9, '', '')
SET TRANSACTION READ ONLY
COMMIT
SET TRANSACTION READ ONLY
INSERT INTO plain VALUES (10, '', '')
COMMIT
INSERT INTO plain VALUES (11, '', '')
SELECT nonsense
INSERT INTO counter (id) VALUES (1), (1)
SELECT COUNT(*) FROM plain
SET autocommit = 1
SELECT COUNT(*) FROM plain
SET autocommit = 0
SET autocommit = 0
INSERT INTO plain VALUES (12, '', '')
TRUNCATE TABLE counter
ROLLBACK
SELECT COUNT(*) FROM plain
BEGIN
INSERT INTO plain VALUES (13, '', '')
CREATE TEMPORARY TABLE tmp (a INT)
INSERT INTO tmp VALUES (1)
ROLLBACK
SELECT * FROM tmp
SELECT COUNT(*) FROM plain
DROP TEMPORARY TABLE tmp
SET autocommit = 1
SAVEPOINT s
ROLLBACK TO s
BEGIN
SAVEPOINT s
SAVEPOINT s
INSERT INTO plain VALUES (14, '', '')
SAVEPOINT `t u`
ROLLBACK TO SAVEPOINT s
RELEASE SAVEPOINT `t u`
SHOW WARNINGS
COMMIT
DELETE FROM plain
BEGIN; INSERT INTO plain VALUES (15, '', '')
SELECT nonsense; COMMIT
COMMIT; BEGIN
INSERT INTO plain VALUES (16, '', ''); ROLLBACK; SELECT COUNT(*) FROM plain
DELETE FROM plain

## transactions in programs [text]
CREATE PROCEDURE begins() BEGIN START TRANSACTION; INSERT INTO plain VALUES (1, '', ''); END
CREATE PROCEDURE ends() BEGIN INSERT INTO plain VALUES (2, '', ''); COMMIT; END
CREATE PROCEDURE half() BEGIN INSERT INTO plain VALUES (3, '', ''); SELECT nonsense; END
CREATE PROCEDURE zone() SET time_zone = '+07:00'
CREATE PROCEDURE temp() BEGIN CREATE TEMPORARY TABLE hid (a INT); INSERT INTO hid VALUES (1); END
CREATE PROCEDURE warns() SELECT 1 / 0
CREATE PROCEDURE handles() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET @caught = 1; SELECT nonsense; SELECT 'after'; END
CREATE PROCEDURE locks() DO GET_LOCK('inside', 0)
CREATE PROCEDURE outs(OUT a INT, OUT b VARCHAR(10)) BEGIN SET a = 1, b = 'x'; SIGNAL SQLSTATE '45000'; END
CALL begins()
SELECT COUNT(*) FROM plain
ROLLBACK
SELECT COUNT(*) FROM plain
BEGIN
CALL ends()
SELECT COUNT(*) FROM plain
ROLLBACK
SELECT COUNT(*) FROM plain
CALL half()
SELECT COUNT(*) FROM plain
BEGIN
CALL half()
ROLLBACK
SELECT COUNT(*) FROM plain
CALL zone()
SELECT @@time_zone
SELECT @@time_zone
SET time_zone = DEFAULT
CALL temp()
SELECT * FROM hid
DROP TEMPORARY TABLE hid
CALL warns()
SHOW WARNINGS
CALL handles()
SELECT @caught
SHOW WARNINGS
CALL locks()
SELECT IS_FREE_LOCK('inside')
SELECT RELEASE_LOCK('inside')
CALL outs(@oa, @ob)
SELECT @oa, @ob
!prepare c CALL gives(?, @x, @y)
SET @y = 'in'
!execute c i:5
SELECT @x, @y
!prepare d CALL gives(?, ?, ?)
!execute d i:5 i:0 s:q
!prepare e CALL selects()
!execute e
!execute e
PREPARE f FROM 'CALL selects()'
EXECUTE f
SET autocommit = 0
CALL ends()
ROLLBACK
SET autocommit = 1
DROP PROCEDURE begins
DROP PROCEDURE ends
DROP PROCEDURE half
DROP PROCEDURE zone
DROP PROCEDURE temp
DROP PROCEDURE warns
DROP PROCEDURE handles
DROP PROCEDURE locks
DROP PROCEDURE outs
DELETE FROM plain
DELETE FROM counter

## xa [text]
XA START 'a', 'b', 5
INSERT INTO plain VALUES (1, '', '')
SELECT COUNT(*) FROM plain
COMMIT
BEGIN
XA END 'a', 'b', 5
XA PREPARE 'a', 'b', 5
SELECT 1
XA ROLLBACK 'a', 'b', 5
XA START 'c'
XA END 'c'
XA COMMIT 'c' ONE PHASE
XA START 'd'
SELECT nonsense
XA START 'e'
XA END 'd'
XA START 'd' RESUME
XA ROLLBACK 'd'
XA COMMIT 'nothing'
XA BEGIN 'f'
INSERT INTO plain VALUES (1, '', '')
XA END 'f'
XA COMMIT 'f' ONE PHASE
SELECT COUNT(*) FROM plain
BEGIN
XA START 'g'
ROLLBACK
XA START 'h'
!reset_connection
SELECT COUNT(*) FROM plain
DELETE FROM plain

## table locks [text]
LOCK TABLES plain WRITE
INSERT INTO plain VALUES (1, '', '')
SELECT COUNT(*) FROM items
BEGIN
SELECT COUNT(*) FROM items
COMMIT
LOCK TABLES plain READ
INSERT INTO plain VALUES (2, '', '')
LOCK TABLES items READ, plain AS p WRITE
SELECT COUNT(*) FROM plain
SELECT COUNT(*) FROM plain AS p
UNLOCK TABLES
SET autocommit = 0
LOCK TABLES plain WRITE
INSERT INTO plain VALUES (3, '', '')
ROLLBACK
UNLOCK TABLES
SELECT COUNT(*) FROM plain
SET autocommit = 1
LOCK TABLES nowhere READ
SELECT COUNT(*) FROM items
LOCK TABLES plain READ; SELECT nonsense
SELECT COUNT(*) FROM items
UNLOCK TABLES; SELECT COUNT(*) FROM items
LOCK TABLES plain WRITE
!reset_connection
SELECT COUNT(*) FROM items
LOCK TABLES plain WRITE
!change_user eq
SELECT COUNT(*) FROM items
FLUSH TABLES plain WITH READ LOCK
UNLOCK TABLES
DELETE FROM plain

## temporary tables and more [old]
CREATE TEMPORARY TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)
INSERT INTO t (a) VALUES (1), (2)
SELECT LAST_INSERT_ID(), ROW_COUNT()
CREATE TEMPORARY TABLE t (id INT)
CREATE TEMPORARY TABLE IF NOT EXISTS t (id INT)
SHOW WARNINGS
SHOW CREATE TABLE t
SHOW TABLES LIKE 't'
CREATE TEMPORARY TABLE u LIKE t
INSERT INTO u SELECT * FROM t
ALTER TABLE u RENAME TO w
SELECT * FROM w
DROP TABLE IF EXISTS u, w
SHOW WARNINGS
USE other
SELECT * FROM t
SELECT * FROM eq.t
USE eq
TRUNCATE TABLE t
INSERT INTO t (a) VALUES (5)
SELECT LAST_INSERT_ID()
BEGIN
INSERT INTO t (a) VALUES (6)
ROLLBACK
SELECT * FROM t
!prepare p SELECT a FROM t WHERE id > ?
!execute p i:0
DROP TABLE t
!execute p i:0
CREATE TABLE t (id INT, a INT)
!execute p i:0
DROP TABLE t
SET @a = 1
!reset_connection
SELECT @a
