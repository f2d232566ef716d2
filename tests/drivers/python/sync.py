"""The blocking drivers: `sync.py mysqlclient|pymysql|mysql-connector`."""

import sys

from place import BIG, CA, PASSWORD, SCHEMA, UNICODE, check, login
from scenario import Scenario

NAME = sys.argv[1]


def mysqlclient():
    import MySQLdb

    def connect(port, tls=False, password=PASSWORD, schema=SCHEMA):
        ssl = {"ssl": {"ca": CA}} if tls else {}
        return MySQLdb.connect(charset="utf8mb4", **login(port, password, schema, **ssl))

    Scenario(NAME, connect, MySQLdb.Error, lambda connection: connection.thread_id(), big=BIG // 2).run()


def pymysql():
    import pymysql

    def connect(port, tls=False, password=PASSWORD, schema=SCHEMA):
        ssl = {"ssl": {"ca": CA}} if tls else {"ssl_disabled": True}
        return pymysql.connect(
            charset="utf8mb4",
            max_allowed_packet=64 << 20,
            connect_timeout=30,
            **login(port, password, schema, **ssl),
        )

    Scenario(NAME, connect, pymysql.Error, lambda connection: connection.thread_id()).run()


def connector():
    import mysql.connector

    def connect(port, tls=False, password=PASSWORD, schema=SCHEMA):
        ssl = {"ssl_ca": CA, "ssl_verify_cert": True} if tls else {"ssl_disabled": True}
        return mysql.connector.connect(
            use_pure=True,
            collation="utf8mb4_general_ci",
            **login(port, password, schema, **ssl),
        )

    def prepared(scenario):
        for value in (1, 2**40, UNICODE, b"\x00\xff", None, 0.5, "x" * 70000):
            cursor = scenario.connection.cursor(prepared=True)
            cursor.execute("SELECT %s", (value,))
            found = cursor.fetchall()[0][0]
            if isinstance(found, (bytearray, bytes)):
                found = bytes(found)
                value = value.encode() if isinstance(value, str) else value
            check(found == value, f"a parameter: {found!r} for {value!r}")
            cursor.close()
        cursor = scenario.connection.cursor(prepared=True)
        # Rows of NULLs alone, and of all columns, are more than the driver reads.
        cursor.execute("SELECT id, c_bigint, c_double, c_varchar, c_longblob FROM types WHERE id >= %s", (0,))
        check(len(cursor.fetchall()) == 3, "rows in binary")
        cursor.close()
        scenario.connection.commit()

    own_id = lambda connection: connection.connection_id  # noqa: E731
    Scenario(NAME, connect, mysql.connector.Error, own_id, prepared=prepared).run()


{
    "mysqlclient": mysqlclient,
    "pymysql": pymysql,
    "mysql-connector": connector,
}[NAME]()
