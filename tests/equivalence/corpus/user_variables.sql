## literals [old]
SET @a = 1
SELECT @a
SET @b = 'text', @c = 1.5, @d = 2.5e3, @e = NULL, @f = TRUE
SELECT @b, @c, @d, @e, @f
SELECT @b, COLLATION(@b), CHARSET(@b), COERCIBILITY(@b)
SET @a := -7, @`b` = "x", @'c' = 'it''s'
SELECT @a, @b, @c, @A, @B
SET @a = ''
SELECT @a, LENGTH(@a), @a IS NULL
SET @a = 'back\\slash and \'quote\''
SELECT @a, HEX(@a)
SET @big = 18446744073709551615, @neg = -9223372036854775808
SELECT @big, @neg, @big - 1
SELECT @never_set, COLLATION(@never_set)

## computed by SET [old]
SET @a = 1 + 1
SELECT @a
SET @b = (SELECT name FROM items WHERE id = 1)
SELECT @b, COLLATION(@b)
SET @c = (SELECT COUNT(*) FROM items), @d = (SELECT SUM(price) FROM items)
SELECT @c, @d
SELECT @c + 1, @d / 3
SET @a = @a + 1
SET @a = @a + 1
SELECT @a
SET @x = CONCAT('a', @a, 'b')
SELECT @x, COLLATION(@x), COERCIBILITY(@x)
SET @y = UNHEX('00ff41')
SELECT HEX(@y), COLLATION(@y), LENGTH(@y)
SET @z = 1e0 / 3
SELECT @z
SET @z = 1 / 3
SELECT @z
SET @z = CAST(5 AS UNSIGNED)
SELECT @z, @z - 6 + 7
SET @z = 0x41
SELECT @z, HEX(@z)
SET @z = b'1010'
SELECT HEX(@z)
SET @n = NULL
SELECT @n, @n IS NULL
SET @d = DATE('2020-02-03')
SELECT @d, @d + INTERVAL 1 DAY
SET @j = JSON_OBJECT('a', 1)
SELECT @j, COLLATION(@j)
SET @t = TIMESTAMP('2020-02-03 04:05:06.789')
SELECT @t, LENGTH(@t)

## assigned amid a query
SELECT @a := 5
SELECT @a
SELECT @a := @a + 1 AS next
SELECT @a, @a * 2
SELECT @n := @n + 1 FROM items
SELECT @n
SET @n = 0
SELECT id, @n := @n + 1 AS n FROM items ORDER BY id
SELECT @n
SELECT @total := @total + price FROM items ORDER BY id
SELECT @total
UPDATE plain SET a = (@u := 7) WHERE 1 = 0
SELECT @u
SELECT MAX(@m := id) FROM items
SELECT @m
SELECT @s := 'text', @r := 1.25, @q := 1e3
SELECT @s, @r, @q, COLLATION(@s)

## into
SELECT 5 INTO @a
SELECT @a
SELECT id, name, price FROM items WHERE id = 2 INTO @i, @n, @p
SELECT @i, @n, @p
SELECT COUNT(*), MAX(made) INTO @c, @m FROM items
SELECT @c, @m, COLLATION(@m)
SELECT 1, 2 INTO @only
SELECT @only
SELECT id FROM items INTO @many
SELECT @many
SELECT id FROM items WHERE id = 77 INTO @none
SELECT @none
SHOW WARNINGS
SELECT d, n, u8, b, j FROM types WHERE id = 1 INTO @d, @n, @u, @b, @j
SELECT @d, @n, @u, HEX(@b), @j
SELECT f, i1, dt, t, y, e, st FROM types WHERE id = 1 INTO @f, @i, @dt, @t, @y, @e, @s
SELECT @f, @i, @dt, @t, @y, @e, @s
SELECT v, s FROM types WHERE id = 1 INTO @v, @s
SELECT @v, COLLATION(@v), HEX(@v), @s, COLLATION(@s)

## out arguments
SET @c = 'hello'
CALL gives(4, @b, @c)
SELECT @b, @c
CALL gives(5, @b, @c)
SELECT @b, @c, COLLATION(@c)
CALL gives(NULL, @b, @c)
SELECT @b, @c
CALL eq.gives(9, @other, @c)
SELECT @other, @c, @b

## in expressions of writes
SET @name = 'from a variable', @p = 12.34
INSERT INTO items (name, price) VALUES (@name, @p)
SELECT name, price FROM items WHERE name = @name
UPDATE items SET price = @p + 1 WHERE name = @name
SELECT price FROM items WHERE name = @name
DELETE FROM items WHERE name = @name
SET @p = @p * 2
SELECT @p

## character sets
SET NAMES latin1
SET @a = 'latin'
SELECT @a, COLLATION(@a)
SET NAMES utf8mb4
SELECT @a, COLLATION(@a)
SET @b = 'now utf8'
SELECT @a, @b, COLLATION(@a), COLLATION(@b)
SET @c = _latin1'x' COLLATE latin1_bin
SELECT @c, COLLATION(@c)
SET @d = CONVERT('y' USING ucs2)
SELECT HEX(@d), COLLATION(@d)
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SET @e = 'bin'
SELECT COLLATION(@e), COLLATION(@b), COLLATION('lit')

## names
SET @`with space` = 1, @`ünï` = 2, @dotted.name = 3, @$x = 4
SELECT @`with space`, @`ünï`, @dotted.name, @$x
SET @MiXeD = 5
SELECT @mixed, @MIXED
SELECT @`with space` := 8
SELECT @`with space`

## in a transaction and across its end
BEGIN
SET @a = 1
SELECT @b := 2
INSERT INTO plain VALUES (@a, @b, 'x')
SELECT @c := COUNT(*) FROM plain
COMMIT
SELECT @a, @b, @c
BEGIN
SELECT a INTO @z FROM plain LIMIT 1
ROLLBACK
SELECT @z
DELETE FROM plain

## diagnostics to variables
INSERT INTO counter (id, note) VALUES (1, 'dup')
INSERT INTO counter (id, note) VALUES (1, 'dup')
GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT
SELECT @n, @r
INSERT INTO counter (id, note) VALUES (1, 'dup')
GET DIAGNOSTICS CONDITION 1 @state = RETURNED_SQLSTATE, @no = MYSQL_ERRNO, @text = MESSAGE_TEXT
SELECT @state, @no, @text
DELETE FROM counter

## load data
LOAD DATA LOCAL INFILE 'anything' INTO TABLE plain (a, @word) SET b = UPPER(@word)
SELECT @word
SELECT * FROM plain ORDER BY a
DELETE FROM plain

## a function that sets one
SELECT remembers(5)
SELECT @remembered
CALL sets()
SELECT @hidden

## several at once
SET @a = 1; SET @b = @a + 1; SELECT @a, @b
SELECT @a, @b
SELECT @c := 3; SELECT @c + 1
SELECT @c
SET @d = 1; SELECT nonsense FROM nowhere; SET @d = 2
SELECT @d

## a cursor or a subquery may assign late [text]
SELECT (SELECT @a := 1), @a
SELECT @a
DO @b := 4
SELECT @b
SET @c = (@d := 6)
SELECT @c, @d
SET @a = NULL, @b = @a
SELECT @a, @b
