## SQL prepare
PREPARE s FROM 'SELECT ? + 1'
SET @a = 4
EXECUTE s USING @a
EXECUTE s USING @a
SET @a = 'x'
EXECUTE s USING @a
SHOW WARNINGS
PREPARE t FROM 'SELECT name FROM items WHERE id = ?'
SET @id = 2
EXECUTE t USING @id
EXECUTE s USING @id
DEALLOCATE PREPARE s
EXECUTE s USING @id
EXECUTE t USING @id
PREPARE t FROM 'SELECT 5'
EXECUTE t
PREPARE t FROM 'this is no sql'
EXECUTE t
DROP PREPARE t
DEALLOCATE PREPARE never

## SQL prepare from a variable
SET @text = 'SELECT id, price FROM items WHERE price > ? ORDER BY id'
PREPARE s FROM @text
SET @p = 2
EXECUTE s USING @p
SET @text = 'changed'
EXECUTE s USING @p
SET @n = 3
SET @text = CONCAT('SELECT ', @n, ' * 2')
PREPARE u FROM @text
EXECUTE u
PREPARE S FROM 'SELECT "upper name"'
EXECUTE s

## SQL prepare keeps its schema and mode
PREPARE s FROM 'SELECT COUNT(*), DATABASE() FROM items'
EXECUTE s
USE other
EXECUTE s
PREPARE o FROM 'SELECT * FROM items'
USE eq
EXECUTE o
EXECUTE s
SET sql_mode = 'ANSI_QUOTES'
PREPARE q FROM 'SELECT "name" FROM items LIMIT 1'
SET sql_mode = ''
EXECUTE q
PREPARE b FROM 'SELECT \'it\'\'s\', "text"'
EXECUTE b
SET sql_mode = 'NO_BACKSLASH_ESCAPES'
EXECUTE b
EXECUTE q
PREPARE n FROM 'SELECT ''a\b'''
EXECUTE n
SET sql_mode = DEFAULT
EXECUTE n

## SQL prepare of writes
PREPARE i FROM 'INSERT INTO plain VALUES (?, ?, ?)'
SET @a = 1, @b = 'one', @c = NULL
EXECUTE i USING @a, @b, @c
SET @a = 2
EXECUTE i USING @a, @b, @c
SELECT * FROM plain
PREPARE c FROM 'INSERT INTO counter (note) VALUES (?)'
EXECUTE c USING @b
SELECT LAST_INSERT_ID() - MAX(id) FROM counter
BEGIN
EXECUTE i USING @a, @b, @c
ROLLBACK
SELECT COUNT(*) FROM plain
PREPARE d FROM 'DELETE FROM plain'
EXECUTE d
DELETE FROM counter
PREPARE v FROM 'SET @inner = ? * 2'
EXECUTE v USING @a
SELECT @inner
PREPARE w FROM 'SELECT id INTO @got FROM items WHERE id = 3'
EXECUTE w
SELECT @got
EXECUTE IMMEDIATE 'SELECT 1 + 1'
PREPARE g FROM 'CREATE TABLE gone (a INT)'
EXECUTE g
PREPARE r FROM 'SELECT * FROM gone'
EXECUTE r
DROP TABLE gone
EXECUTE r
EXECUTE g
EXECUTE r
DROP TABLE gone

## the text of a statement in another character set
SET NAMES latin1
PREPARE s FROM 'SELECT HEX("é"), COLLATION("x")'
EXECUTE s
SET NAMES utf8mb4
EXECUTE s

## binary statements [old]
!prepare a SELECT ? + 1, ?
!execute a i:5 s:text
!execute a i:6 n
!again a i:7 n
!prepare b INSERT INTO plain VALUES (?, ?, ?)
!execute b i:1 s:x s:y
!execute b i:2 n n
SELECT * FROM plain
!close b
!execute b i:3 n n
SELECT COUNT(*) FROM plain
!prepare c DELETE FROM plain WHERE a = ?
!execute c i:1
!execute c i:1
!execute c i:2
!prepare broken SELECT * FROM
!execute broken
!prepare d SELECT * FROM items WHERE id = ?
!execute d i:2
USE other
!execute d i:2
!prepare e SELECT * FROM items
!execute e
USE eq
!execute e
!execute d i:1
!reset d
!execute d i:3
SET NAMES latin1
!execute d i:1
SET NAMES utf8mb4

## cursors [old]
!prepare a SELECT id, name FROM items ORDER BY id
!execute a cursor
!fetch a 2
!fetch a 2
!fetch a 100
!fetch a 1
!execute a cursor
!fetch a 1
SELECT 1
!fetch a 1
!reset a
!fetch a 1
!execute a cursor
!execute a cursor
!fetch a 10
!prepare b SELECT id FROM items WHERE id > ? ORDER BY id
!execute b cursor i:2
!execute a cursor
!fetch b 1
!fetch a 1
!fetch b 1
!close a
!fetch b 10

## a cursor is pinned and named
!prepare a SELECT id FROM items ORDER BY id
!execute a cursor
!pins open_cursor
!fetch a 1
!pins open_cursor
!reset a
!pins

## long data [old]
!prepare a INSERT INTO plain VALUES (?, ?, ?)
!long a 1 first and 
!long a 1 second
!execute a i:1 l s:y
SELECT * FROM plain
!execute a i:2 s:own s:y
!long a 1 dropped
!reset a
!execute a i:3 s:kept n
!long a 9 nowhere
!execute a i:4 n n
SELECT * FROM plain ORDER BY a
DELETE FROM plain
!prepare b SELECT ?, LENGTH(?)
!long b 0 abc
!long b 1 defg
!execute b l l
!execute b s:x s:y

## values of all types [old]
!prepare a SELECT * FROM types
!execute a
!prepare b SELECT ?, ?, ?, ?
!execute b i:-1 d:1.5 s:x n
!execute b i:-2 d:2.5 s:y n
!again b i:-3 d:3.5 s:z n
SELECT * FROM types
!prepare c SELECT * FROM types WHERE id = ?
!execute c cursor i:1
!fetch c 5

## metadata of what changed since [old]
CREATE TABLE shape (a INT)
INSERT INTO shape VALUES (1)
!prepare a SELECT * FROM shape
!execute a
ALTER TABLE shape ADD b VARCHAR(10) DEFAULT 'new'
!execute a
!execute a
DROP TABLE shape
!execute a

## variables set by binary statements
!prepare a SET @x = ?
!execute a i:5
SELECT @x
!prepare t SET @x = ?
!execute t s:text
SELECT @x, COLLATION(@x)
!execute a i:6
SELECT @x
!execute t s:more
SELECT @x
!prepare b SELECT @y := ? + 1
!execute b i:1
SELECT @y
!prepare c SELECT id, name INTO @i, @n FROM items WHERE id = ?
!execute c i:2
SELECT @i, @n
!prepare d SET group_concat_max_len = ?
!execute d i:99
SELECT @@group_concat_max_len
!prepare e CALL gives(?, @o, @p)
!execute e i:4
SELECT @o, @p
!prepare f CALL selects()
!execute f
!prepare g CALL gives(?, ?, ?)
!execute g i:4 i:0 s:x
!prepare h INSERT INTO counter (note) VALUES (?)
!execute h s:bin
SELECT LAST_INSERT_ID() - MAX(id) FROM counter
!execute h s:bin
SHOW WARNINGS
SELECT LAST_INSERT_ID() - MAX(id) FROM counter
DELETE FROM counter
!prepare i SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT 1
!execute i
!prepare j SELECT FOUND_ROWS()
!execute j
!prepare k SELECT LAST_INSERT_ID(?)
!execute k i:12
SELECT LAST_INSERT_ID()
!prepare l SELECT 1 / ?
!execute l i:0
SHOW WARNINGS
!prepare m PREPARE z FROM 'SELECT 1'
!prepare n USE other
!execute n
SELECT DATABASE()

## mistakes with binary statements [old]
!execute nothing
!fetch nothing 1
!reset nothing
!close nothing
!long nothing 0 x
!prepare a SELECT 1
!fetch a 1
!prepare b SELECT 1; SELECT 2
!prepare c
!prepare d SELECT ?
!again d i:1

## warnings of a preparation [old]
SELECT 1 / 0
!prepare p SELECT 1
SHOW WARNINGS
SELECT 1 / 0
!prepare p SELECT 2 / 0
SHOW WARNINGS
!execute p
SHOW WARNINGS
!prepare w SELECT 5 INTO @w LIMIT 1 LOCK IN SHARE MODE
SHOW WARNINGS
SELECT 1
SHOW WARNINGS
!prepare w SELECT price AS name FROM items GROUP BY name
SHOW WARNINGS
!prepare w SELECT SQL_CALC_FOUND_ROWS 1 UNION SELECT 1 && 1
SHOW COUNT(*) WARNINGS
!prepare w this is no sql
SHOW WARNINGS
SELECT FOUND_ROWS(), ROW_COUNT()

## long data in pieces that are too long together [text]
!prepare p SELECT LENGTH(?)
!long p 0 piece
!execute p l

## variables whose assignment is prepared
SET @a = TIME '10:00:01.5', @b = 5, @c = 'x', @d = 1.5
!prepare p SELECT @a := ?, @b := ?, @c := ?
SELECT COLLATION(@a), COLLATION(@b), COLLATION(@c), @a, @b, @c
SELECT 1
!execute p n n n
SELECT @a, @b, @c
SET @a = 'y', @b = 7, @c = 1e0
SELECT @a, @b, @c
!execute p n n n
!execute p i:5 s:z s:z
SELECT @a, @b, @c
!execute p n n n
SET @b = 8, @a = 'z'
PREPARE s FROM 'SELECT @a := ?, @b := ?'
SELECT @a, @b, COLLATION(@a)
SELECT 2
EXECUTE s USING @none, @none
SET @b = 9, @a = 'z', @c = 'x'
SELECT @a, @b, COLLATION(@a)
EXECUTE s USING @none, @none
SET @b = 10
!prepare q SET @b = ?, @c = CONCAT('a', ?), @d = ?
SELECT @b, COLLATION(@c), @d
SET @b = NULL
SELECT @a, @b, @c, @d
!execute q n n n
SELECT @a, @b, @c, @d
