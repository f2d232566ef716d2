# Commands that few clients send, and bytes that are no command. Some commands end the connection: each of those has a script
# of its own.

## field lists [old]
!field_list items
!field_list items n%
!field_list items nothing%
!field_list items _d
!field_list names
!field_list names na%
!field_list types
!field_list types %t%
!field_list nowhere
!field_list other.items
!field_list ITEMS
!raw 04
!raw 04 00
!raw 04 'items'
!raw 04 'items' 00 'name'
!raw 04 'items' 00 'name' 00
!raw 04 'items' 00 00
!raw 04 'it;ms' 00
!raw 04 ff fe 00
CREATE TEMPORARY TABLE scratch (a INT DEFAULT 5, b TEXT)
!field_list scratch
DROP TEMPORARY TABLE scratch
USE other
!field_list items
!field_list names
BEGIN
!field_list items
ROLLBACK
SET NAMES latin1
!field_list items
!field_list nowhere

## field lists without a schema [old]
CREATE DATABASE eq_gone
USE eq_gone
DROP DATABASE eq_gone
!field_list items
!init_db eq
!field_list items

## statistics, processes, debug, ping [old]
!ping
!raw 0e 'anything'
!statistics
!process_info
!debug
!raw 0d 00
BEGIN
INSERT INTO plain VALUES (1, 'a', 'b')
!statistics
!process_info
!debug
SELECT COUNT(*) FROM plain
!ping
ROLLBACK
INSERT INTO counter (note) VALUES ('r')
!ping
SELECT LAST_INSERT_ID() > 0
!statistics
DELETE FROM counter

## options [old]
!raw 1b 00 00
!raw 1b 01 00
SELECT 1; SELECT 2
!raw 1b 00 00
SELECT 1; SELECT 2
!raw 1b 00 00 00
!raw 1b 02 00
!raw 1b ff ff
BEGIN
!raw 1b 01 00
!raw 1b 02 00
SELECT 1; SELECT 2
ROLLBACK
SELECT 1; SELECT 2
!raw 1b 00 00
SELECT 1; SELECT 2
SELECT @@autocommit

## an option without a number [old]
!raw 1b
SELECT 1
!raw 1b 00
SELECT 1

## commands of servers among themselves [old]
!raw 00
!raw 0b
!raw 0f
!raw 10
!raw 14
!raw 1d
!raw 22
!raw 7f
!raw fb
!raw fc
!raw fd
!raw ff
SELECT 1
!raw 00 'SELECT'
SELECT 2
BEGIN
INSERT INTO plain VALUES (1, 'a', 'b')
!raw 0b
SELECT COUNT(*) FROM plain
ROLLBACK

## withdrawn commands [old]
!raw 05 'eq_new'
!raw 06 'eq_new'
!raw 13
!raw fe
SELECT 1

## commands without the right to them [old]
!raw 08
SELECT 1
!raw 08 00
SELECT 1
!raw 07 01
SELECT 1
!raw 07 40
!raw 07 00
SELECT 1

## to kill without saying whom [old mysql]
!raw 0c
SELECT 1

## to kill nobody [old mariadb]
!raw 0c ff ff ff ef
SELECT 1
!raw 0c 00 00 00 00
SELECT 1

## schemas without a name [old]
!raw 02
SELECT DATABASE()
!raw 02 'other' 00
SELECT DATABASE()
!raw 02 'other' 00 'eq'
SELECT DATABASE()
!raw 02 ff fe
SELECT DATABASE()
!raw 02 00
SELECT DATABASE()

## texts that are none [old]
!raw 03
SELECT 1
!raw 03 00
!raw 03 'SELECT' 20 '1' 00
!raw 03 '--'
!raw 03 ff fe fd
!raw 03 'SELECT' 20 27 'a' 00 'b' 27
SHOW WARNINGS

## preparations of nothing [old]
!raw 16
SELECT 1
!raw 16 00
!raw 16 '--'
!raw 16 'SELECT' 20 '?' 00
SELECT 2

## executions that are too short [old]
!prepare p SELECT ?
!raw 17
SELECT 1

## executions with half an id [old]
!raw 17 01 00
SELECT 1

## fetches that are too short [old mysql]
!raw 1c
SELECT 1

## fetches of nothing [old]
!raw 1c 01 00 00 00
SELECT 1
!raw 1c 01 00 00 00 01 00 00 00
SELECT 2

## resets that are too short [old mysql]
!raw 1a
SELECT 1
!raw 1a 01 00 00 00
SELECT 1

## a reset with more behind it [old]
SET @a = 1
!raw 1f 00 01
SELECT @a IS NULL

## a change of user that breaks off [old]
!raw 11 'app'
SELECT 1

## a change of user without anything [old mysql]
!raw 11
SELECT 1

## binary logs without the right to them [old]
!raw 15 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
SELECT 1

## a dump without the right to it [old]
!raw 12 04 00 00 00 00 00 01 00 00 00
SELECT 1

## nothing at all [old]
!raw
SELECT 1

## counts for what an EXECUTE runs [mariadb text]
SELECT COUNT(*) FROM items
SELECT FOUND_ROWS(), LAST_INSERT_ID()
USE eq
EXECUTE IMMEDIATE 'SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()'
USE eq
EXECUTE IMMEDIATE 'SELECT ROW_COUNT()'; CALL selects()
PREPARE s FROM 'SELECT ROW_COUNT()'
EXECUTE s
USE eq
EXECUTE s
DEALLOCATE PREPARE s

## counts and no warnings of ours
UPDATE plain SET b = (SELECT name FROM items LIMIT 1)
INSERT INTO plain VALUES (1, 'a', 'b')
SHOW WARNINGS LIMIT 2; SELECT ROW_COUNT() AS n, LAST_INSERT_ID() + 0
INSERT INTO plain VALUES (1, 'a', 'b')
GET DIAGNOSTICS CONDITION 1 @a = RETURNED_SQLSTATE; SELECT ROW_COUNT() AS n
SELECT price > 2, COUNT(*) FROM items GROUP BY 1
SHOW COUNT(*) WARNINGS; DROP TABLE IF EXISTS eq.absent; USE eq
SELECT id FROM items
SHOW COUNT(*) WARNINGS; SELECT FOUND_ROWS()
DELETE FROM plain

## a condition amid several statements [mariadb text]
DELETE FROM plain WHERE a = 77
GET DIAGNOSTICS CONDITION 1 @a = RETURNED_SQLSTATE; SET auto_increment_increment = 3; SHOW WARNINGS
SELECT 1; SET auto_increment_increment = DEFAULT; SELECT @a
!ping
SELECT @@warning_count + 0, @@error_count AS errors

## errors of ours where a message ends with its first byte [text]
!prepare p SELECT ?
SET character_set_results = ucs2
!fetch p 1
!reset none
!execute none
SET character_set_results = utf32
!fetch p 1
SET NAMES utf8mb4
!fetch p 1

## an error of ours that a preparation clears [text]
!execute none
!prepare p SELECT 1
SHOW ERRORS
!execute none
!prepare q UPDATE plain SET c = 1
SHOW ERRORS

## a syntax error behind a CALL [text]
SET @a = 'x', @b = 1
CALL gives(45, @b, @a); SELECT FROM x; DELETE FROM eq.plain WHERE a = 77
CALL selects(); DELETE FROM eq.plain WHERE a = 77; SELECT FROM x; DELETE FROM eq.plain WHERE a = 77
CALL selects(); SELECT 1; DELETE FROM eq.plain WHERE a = 77; DELETE x y FROM z; DELETE FROM eq.plain WHERE a = 77
SELECT 5

## values that are read where a statement is prepared again [text]
SET @a = 'x'
!prepare q SELECT @a := ?, 5
SELECT @a
SELECT 1
SELECT _utf8mb3'x' COLLATE utf8mb3_bin INTO @a; SET @a = 11 / 7; CALL inserts()
!execute q n
SELECT @a
DELETE FROM counter
