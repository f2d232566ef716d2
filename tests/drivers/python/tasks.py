"""The asyncio drivers: `tasks.py aiomysql|asyncmy`."""

import asyncio
import sys

from place import BIG, CA, DIRECT_PORT, HOST, PASSWORD, PORT, SCHEMA, UNICODE, USER, check, done, ready, step, told_to_stop

NAME = sys.argv[1]
TABLE = "d_" + NAME
if NAME == "aiomysql":
    import aiomysql as driver
    from pymysql.err import MySQLError
else:
    import asyncmy as driver
    from asyncmy.errors import MySQLError


def connect(port, tls=False, password=PASSWORD):
    import ssl

    context = ssl.create_default_context(cafile=CA) if tls else None
    if context:
        context.check_hostname = False
    return driver.connect(
        host=HOST, port=port, user=USER, password=password, db=SCHEMA, charset="utf8mb4", ssl=context
    )


async def execute(connection, sql, parameters=None):
    async with connection.cursor() as cursor:
        await cursor.execute(sql, parameters)
        return [tuple(row) for row in await cursor.fetchall()] if cursor.description else []


async def code(awaitable):
    try:
        await awaitable
    except MySQLError as error:
        return error.args[0]
    raise AssertionError("it was not refused")


async def functions(connection):
    step("types")
    direct = await connect(DIRECT_PORT)
    sql = "SELECT * FROM types ORDER BY id"
    check(repr(await execute(connection, sql)) == repr(await execute(direct, sql)), "rows differ")
    direct.close()
    step("transactions and long values")
    await execute(connection, f"DROP TABLE IF EXISTS {TABLE}")
    await execute(connection, f"CREATE TABLE {TABLE} (id INT PRIMARY KEY, t LONGTEXT) CHARSET utf8mb4")
    big = "ü" * (BIG // 4)
    await execute(connection, f"INSERT INTO {TABLE} VALUES (1, %s), (2, %s)", (UNICODE, big))
    await connection.commit()
    await execute(connection, f"DELETE FROM {TABLE}")
    await connection.rollback()
    rows = await execute(connection, f"SELECT t FROM {TABLE} ORDER BY id")
    check(rows == [(UNICODE,), (big,)], "values")
    step("errors and cancel")
    check(await code(execute(connection, "SELEC 1")) == 1064, "syntax")
    check(await code(execute(connection, f"INSERT INTO {TABLE} VALUES (1, '')")) == 1062, "a duplicate")
    number = connection.thread_id()
    sleeper = asyncio.ensure_future(execute(connection, "SELECT SLEEP(30)"))
    await asyncio.sleep(0.3)
    other = await connect(PORT)
    await execute(other, f"KILL QUERY {number}")
    other.close()
    try:
        check(await asyncio.wait_for(sleeper, 20) == [(1,)], "an interrupted SLEEP says 1")
    except MySQLError as error:
        check(error.args[0] == 1317, repr(error))


async def load(connection):
    step("load")
    await execute(connection, f"DROP TABLE IF EXISTS {TABLE}_l")
    await execute(connection, f"CREATE TABLE {TABLE}_l (id INT PRIMARY KEY, n INT NOT NULL)")
    await execute(connection, "SET @round=0")
    count = 0
    while not told_to_stop():
        count += 1
        await execute(connection, f"INSERT INTO {TABLE}_l VALUES (%s, 0)", (count,))
        await execute(connection, "SET @round=%s", (count,))
        await execute(connection, f"UPDATE {TABLE}_l SET n=n+1 WHERE id=%s", (count,))
        await connection.commit()
        check(await execute(connection, "SELECT @round") == [(count,)], "a variable")
        await connection.commit()
        await asyncio.sleep(0.002)
    found = (await execute(connection, f"SELECT COUNT(*), SUM(n), MAX(id) FROM {TABLE}_l"))[0]
    check(tuple(int(n) for n in found) == (count, count, count), f"{found!r} of {count}")
    done(count)


async def main():
    step("login")
    for tls in (True, False):
        connection = await connect(PORT, tls=tls)
        check(await execute(connection, "SELECT DATABASE()") == [(SCHEMA,)], "schema")
        connection.close()
    check(await code(connect(PORT, password="wrong")) == 1045, "a wrong password")
    connection = await connect(PORT)
    await functions(connection)
    ready()
    await load(connection)
    connection.close()


asyncio.run(main())
