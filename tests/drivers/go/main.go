// go-sql-driver/mysql: what it must be able to do through the proxy.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	table   = "d_go"
	unicode = "Grüße, 世界, \U0001f600, e\u0301, \u202e, '\"\\`%_;"
)

func env(name string) string { return os.Getenv("TIDEOVER_" + name) }

// Bytes of a long value.
func long() int {
	length, err := strconv.Atoi(env("LONG"))
	must(err, "LONG")
	return length
}

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func check(yes bool, what string) {
	if !yes {
		must(errors.New("not as it should be"), what)
	}
}

func step(name string) { fmt.Println("step", name) }

func open(port, password, more string) *sql.DB {
	dsn := fmt.Sprintf("%s:%s@tcp(%s:%s)/%s?allowNativePasswords=true&maxAllowedPacket=67108864%s",
		env("USER"), password, env("HOST"), port, env("SCHEMA"), more)
	db, err := sql.Open("mysql", dsn)
	must(err, "open")
	return db
}

func code(err error) int {
	var own *mysql.MySQLError
	if errors.As(err, &own) {
		return int(own.Number)
	}
	return 0
}

func rows(db *sql.DB, query string, values ...any) string {
	found, err := db.Query(query, values...)
	must(err, query)
	defer found.Close()
	columns, err := found.ColumnTypes()
	must(err, query)
	var text strings.Builder
	for found.Next() {
		row := make([]any, len(columns))
		for at := range row {
			row[at] = new(any)
		}
		must(found.Scan(row...), query)
		for at, column := range columns {
			fmt.Fprintf(&text, "%s=%v,", column.DatabaseTypeName(), *(row[at].(*any)))
		}
		text.WriteString("|")
	}
	must(found.Err(), query)
	return text.String()
}

type runner interface {
	Exec(string, ...any) (sql.Result, error)
	QueryRow(string, ...any) *sql.Row
}

func run(db runner, query string, values ...any) sql.Result {
	result, err := db.Exec(query, values...)
	must(err, query)
	return result
}

func number(db runner, query string, values ...any) int {
	var found int
	must(db.QueryRow(query, values...).Scan(&found), query)
	return found
}

func main() {
	authority, err := os.ReadFile(env("CA"))
	must(err, "the CA")
	pool := x509.NewCertPool()
	check(pool.AppendCertsFromPEM(authority), "the CA")
	must(mysql.RegisterTLSConfig("own", &tls.Config{RootCAs: pool, ServerName: "localhost"}), "TLS")

	step("login")
	for _, more := range []string{"&tls=own", ""} {
		db := open(env("PORT"), env("PASSWORD"), more)
		var schema string
		must(db.QueryRow("SELECT DATABASE()").Scan(&schema), "login")
		check(schema == env("SCHEMA"), "schema")
		db.Close()
	}
	check(code(open(env("PORT"), "wrong", "").Ping()) == 1045, "a wrong password")

	db := open(env("PORT"), env("PASSWORD"), "")
	// One connection, so that session variables stay.
	db.SetMaxOpenConns(1)
	for _, more := range []string{"", "&interpolateParams=true"} {
		step("types" + more)
		direct, through := open(env("DIRECT_PORT"), env("PASSWORD"), more), open(env("PORT"), env("PASSWORD"), more)
		query := "SELECT * FROM types WHERE id >= ? ORDER BY id"
		check(rows(through, query, 0) == rows(direct, query, 0), "rows differ")
		run(through, "DROP TABLE IF EXISTS "+table)
		run(through, "CREATE TABLE "+table+" LIKE types")
		run(through, "INSERT INTO "+table+" SELECT * FROM types")
		run(through, "UPDATE "+table+" SET c_varchar=?, c_blob=?, c_bigint=?, c_datetime=? WHERE id=1",
			unicode, []byte(unicode), int64(-1)<<63, time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC))
		check(number(through, "SELECT COUNT(*) FROM "+table+" WHERE c_varchar=? AND c_blob=?", unicode, []byte(unicode)) == 1, "an update")
		direct.Close()
		through.Close()
	}

	step("transactions")
	run(db, "DROP TABLE IF EXISTS "+table+"_t")
	run(db, "CREATE TABLE "+table+"_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)")
	result := run(db, "INSERT INTO "+table+"_t (n) VALUES (?), (?)", 1, 2)
	id, _ := result.LastInsertId()
	affected, _ := result.RowsAffected()
	check(id == 1 && affected == 2, "id and row count")
	for _, commit := range []bool{false, true} {
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		must(err, "begin")
		run(tx, "UPDATE "+table+"_t SET n=n+?", 10)
		if commit {
			must(tx.Commit(), "commit")
		} else {
			must(tx.Rollback(), "rollback")
		}
	}
	check(number(db, "SELECT SUM(n) FROM "+table+"_t") == 23, "books")

	step("long values")
	value := bytes.Repeat([]byte{0, 255, '\'', 7}, long()/4)
	run(db, "DROP TABLE IF EXISTS "+table+"_b")
	run(db, "CREATE TABLE "+table+"_b (b LONGBLOB)")
	run(db, "INSERT INTO "+table+"_b VALUES (?)", value)
	var found []byte
	must(db.QueryRow("SELECT b FROM "+table+"_b").Scan(&found), "a long value")
	check(bytes.Equal(found, value), "a long value")
	run(db, "DROP TABLE "+table+"_b")

	step("variables and errors")
	run(db, "SET @mine=?", unicode)
	var mine string
	must(db.QueryRow("SELECT @mine").Scan(&mine), "a variable")
	check(mine == unicode, "a variable")
	_, err = db.Exec("SELEC 1")
	check(code(err) == 1064, "syntax")
	_, err = db.Exec("INSERT INTO "+table+"_t (id) VALUES (?)", 1)
	check(code(err) == 1062, "a duplicate")
	check(number(db, "SELECT 1") == 1, "the connection lives on")

	step("cancel")
	limited, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	started := time.Now()
	_, err = open(env("PORT"), env("PASSWORD"), "").ExecContext(limited, "DO SLEEP(20)")
	stop()
	check(err != nil && time.Since(started) < 10*time.Second, "a context that ends")
	fmt.Println("ready")
	db.Close()
	db = open(env("PORT"), env("PASSWORD"), "")
	db.SetMaxOpenConns(1)
	load(db)
}

func load(db *sql.DB) {
	step("load")
	var stopped atomic.Bool
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stopped.Store(true)
	}()
	name := table + "_l"
	run(db, "DROP TABLE IF EXISTS "+name)
	run(db, "CREATE TABLE "+name+" (id INT PRIMARY KEY, n INT NOT NULL)")
	run(db, "SET @round=0")
	count := 0
	for !stopped.Load() {
		count++
		tx, err := db.Begin()
		must(err, "begin")
		run(tx, "INSERT INTO "+name+" VALUES (?, 0)", count)
		run(tx, fmt.Sprintf("SET @round=%d", count))
		run(tx, "UPDATE "+name+" SET n=n+1 WHERE id=?", count)
		check(number(tx, "SELECT n FROM "+name+" WHERE id=?", count) == 1, "its own write")
		must(tx.Commit(), "commit")
		check(number(db, "SELECT @round") == count, "a variable")
		time.Sleep(2 * time.Millisecond)
	}
	check(number(db, "SELECT COUNT(*) FROM "+name) == count && number(db, "SELECT SUM(n) FROM "+name) == count, "books")
	fmt.Println("done", count)
}
