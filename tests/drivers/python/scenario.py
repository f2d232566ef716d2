"""What each DB-API driver must be able to do through the proxy. The driver's own module says how to connect."""

import threading
import time

from place import BIG, DIRECT_PORT, MYSQL, PORT, SCHEMA, UNICODE, check, done, ready, step, told_to_stop


class Scenario:
    """One run. `connect(port, tls, password)` gives a DB-API connection in the test's schema."""

    def __init__(self, name, connect, error_class, own_id, prepared=None, big=BIG):
        self.name, self.connect, self.error_class, self.own_id = name, connect, error_class, own_id
        self.prepared, self.big = prepared, big
        self.table = "d_" + name.replace("-", "_")

    def run(self):
        self.login()
        self.connection = self.connect(PORT)
        self.types()
        self.transactions()
        self.prepare()
        self.long_values()
        self.variables()
        self.errors()
        self.cancel()
        self.several_results()
        ready()
        self.connection.close()
        self.connection = self.connect(PORT)
        done(self.load())

    def execute(self, sql, parameters=None, connection=None):
        cursor = (connection or self.connection).cursor()
        try:
            if parameters is None:
                cursor.execute(sql)
            else:
                cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def one(self, sql, parameters=None, connection=None):
        return self.execute(sql, parameters, connection)[0][0]

    def code(self, action):
        """The number of the error that `action` must end with."""
        try:
            action()
        except self.error_class as error:
            number = getattr(error, "errno", None)
            return error.args[0] if number is None else number
        raise AssertionError("it was not refused")

    def login(self):
        step("login")
        for tls in (True, False):
            connection = self.connect(PORT, tls=tls)
            check(self.one("SELECT DATABASE()", connection=connection) == SCHEMA, "schema")
            check(self.one("SELECT CURRENT_USER()", connection=connection).startswith("app@"), "user")
            connection.close()
        check(self.code(lambda: self.connect(PORT, password="wrong")) == 1045, "a wrong password")
        check(self.code(lambda: self.connect(PORT, schema="nowhere")) in (1044, 1049), "a wrong schema")

    def types(self):
        step("types")
        direct = self.connect(DIRECT_PORT)
        sql = "SELECT * FROM types ORDER BY id"
        check(repr(self.execute(sql)) == repr(self.execute(sql, connection=direct)), "rows differ")
        self.execute(f"DROP TABLE IF EXISTS {self.table}")
        self.execute(f"CREATE TABLE {self.table} LIKE types")
        self.execute(f"INSERT INTO {self.table} SELECT * FROM types")
        self.connection.commit()
        copy = self.execute(f"SELECT * FROM {self.table} ORDER BY id")
        check(repr(copy) == repr(self.execute(sql)), "a copy differs")
        direct.close()
        self.execute(
            f"UPDATE {self.table} SET c_varchar=%s, c_bigint=%s, c_double=%s, c_blob=%s WHERE id=1",
            (UNICODE, -(2**63), 0.1, bytes(range(256))),
        )
        row = self.execute(f"SELECT c_varchar, c_bigint, c_double, c_blob FROM {self.table} WHERE id=1")[0]
        check(row[0] == UNICODE and row[1] == -(2**63) and row[2] == 0.1, f"an update: {row!r}")
        check(bytes(row[3]) == bytes(range(256)), "every byte")
        self.execute(f"DELETE FROM {self.table} WHERE id=1")
        check(self.one(f"SELECT COUNT(*) FROM {self.table} WHERE id=1") == 0, "a delete")
        self.connection.rollback()
        check(self.one(f"SELECT COUNT(*) FROM {self.table} WHERE id=1") == 1, "a rollback")
        self.connection.commit()

    def transactions(self):
        step("transactions")
        self.execute(f"DROP TABLE IF EXISTS {self.table}_t")
        self.execute(f"CREATE TABLE {self.table}_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT, t TEXT)")
        cursor = self.connection.cursor()
        cursor.execute(f"INSERT INTO {self.table}_t (n) VALUES (%s)", (1,))
        check(cursor.lastrowid == 1 and cursor.rowcount == 1, "id and row count")
        cursor.executemany(f"INSERT INTO {self.table}_t (n) VALUES (%s)", [(n,) for n in range(2, 12)])
        check(cursor.rowcount == 10, "row count of many")
        cursor.close()
        self.connection.commit()
        self.execute(f"UPDATE {self.table}_t SET n=n+1")
        self.execute("SAVEPOINT here")
        self.execute(f"DELETE FROM {self.table}_t")
        self.execute("ROLLBACK TO SAVEPOINT here")
        check(self.one(f"SELECT SUM(n) FROM {self.table}_t") == 77, "a savepoint")
        self.connection.rollback()
        check(self.one(f"SELECT SUM(n) FROM {self.table}_t") == 66, "a rollback")
        self.connection.commit()

    def prepare(self):
        step("prepared statements")
        self.execute("PREPARE p FROM 'SELECT ? + ?'")
        self.execute("SET @a=1, @b=2")
        check(int(self.one("EXECUTE p USING @a, @b")) == 3, "SQL-level PREPARE")
        self.execute("DEALLOCATE PREPARE p")
        if self.prepared:
            self.prepared(self)

    def long_values(self):
        step("long values")
        value = bytes(range(256)) * (self.big // 256) + b"end"
        self.execute(f"DROP TABLE IF EXISTS {self.table}_b")
        self.execute(f"CREATE TABLE {self.table}_b (id INT PRIMARY KEY, b LONGBLOB)")
        self.execute(f"INSERT INTO {self.table}_b VALUES (1, %s)", (value,))
        self.connection.commit()
        check(self.one(f"SELECT LENGTH(b) FROM {self.table}_b") == len(value), "its length")
        check(bytes(self.one(f"SELECT b FROM {self.table}_b")) == value, "a long value")
        self.execute(f"DROP TABLE {self.table}_b")

    def variables(self):
        step("variables")
        self.execute("SET @mine=%s", (UNICODE,))
        self.execute("SET SESSION sql_mode='ANSI_QUOTES', time_zone='+03:00'")
        self.connection.commit()
        check(self.one("SELECT @mine") == UNICODE, "a user variable")
        check(self.one('SELECT "id" FROM types WHERE id=1') == 1, "sql_mode")
        check(self.one("SELECT @@time_zone") == "+03:00", "time_zone")
        self.execute("SET SESSION sql_mode=DEFAULT, time_zone=DEFAULT")
        self.connection.commit()

    def errors(self):
        step("errors")
        check(self.code(lambda: self.execute("SELEC 1")) == 1064, "syntax")
        check(self.code(lambda: self.execute("SELECT * FROM nowhere")) == 1146, "no such table")
        duplicate = f"INSERT INTO {self.table}_t (id) VALUES (1)"
        check(self.code(lambda: self.execute(duplicate)) == 1062, "a duplicate")
        check(self.code(lambda: self.execute("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='x'")) == 1644, "SIGNAL")
        self.connection.rollback()
        check(self.one("SELECT 1") == 1, "the connection lives on")

    def cancel(self):
        step("cancel")
        number = self.own_id(self.connection)
        other = self.connect(PORT)
        timer = threading.Timer(0.3, lambda: self.execute(f"KILL QUERY {number}", connection=other))
        started = time.monotonic()
        timer.start()
        try:
            slept = self.one("SELECT SLEEP(30)")
            check(slept == 1, "an interrupted SLEEP says 1")
        except self.error_class as error:
            number = getattr(error, "errno", None) or error.args[0]
            check(number == 1317, f"an interrupted statement ended with {error!r}")
        check(time.monotonic() - started < 20, "it was not interrupted")
        timer.join()
        other.close()
        check(self.one("SELECT 1") == 1, "the connection lives on")

    def several_results(self):
        step("results of a procedure")
        self.execute(f"DROP PROCEDURE IF EXISTS {self.table}_p")
        body = "BEGIN SELECT a; SELECT a + 1, 'two'; END"
        self.execute(f"CREATE PROCEDURE {self.table}_p (a INT) {body}")
        cursor = self.connection.cursor()
        cursor.callproc(f"{self.table}_p", (41,))
        if hasattr(cursor, "stored_results") and cursor.stored_results():
            rows = [result.fetchall() for result in cursor.stored_results()]
        else:
            rows = [cursor.fetchall()]
            while cursor.nextset():
                if cursor.description:
                    rows.append(cursor.fetchall())
        rows = [tuple(tuple(row) for row in result) for result in rows if result]
        check(rows == [((41,),), ((42, "two"),)], f"the results of a procedure: {rows!r}")
        cursor.close()
        self.connection.commit()

    def load(self):
        """Small transactions until told to stop, with books of what was acknowledged."""
        step("load")
        table = f"{self.table}_l"
        self.execute(f"DROP TABLE IF EXISTS {table}")
        self.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT NOT NULL)")
        self.execute("SET @round=0")
        count = 0
        while not told_to_stop():
            count += 1
            self.execute(f"INSERT INTO {table} VALUES (%s, 0)", (count,))
            self.execute("SET @round=%s", (count,))
            self.execute(f"UPDATE {table} SET n=n+1 WHERE id=%s", (count,))
            check(self.one(f"SELECT n FROM {table} WHERE id=%s", (count,)) == 1, "its own write")
            self.connection.commit()
            check(self.one("SELECT @round") == count, "a variable")
            self.connection.commit()
            time.sleep(0.002)
        found = self.execute(f"SELECT COUNT(*), SUM(n), MAX(id) FROM {table}")[0]
        check(tuple(int(n) for n in found) == (count, count, count), f"{found!r} of {count}")
        return count
