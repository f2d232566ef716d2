"""Where the proxy and the primary behind it are, and the talk with the test that runs this program (see ../main.rs)."""

import os
import select
import sys

HOST = os.environ["TIDEOVER_HOST"]
PORT = int(os.environ["TIDEOVER_PORT"])
DIRECT_PORT = int(os.environ["TIDEOVER_DIRECT_PORT"])
USER = os.environ["TIDEOVER_USER"]
PASSWORD = os.environ["TIDEOVER_PASSWORD"]
SCHEMA = os.environ["TIDEOVER_SCHEMA"]
CA = os.environ["TIDEOVER_CA"]
MYSQL = os.environ["TIDEOVER_FAMILY"] == "mysql"

UNICODE = "Grüße, 世界, \U0001f600, e\u0301, \u202e, '\"\\`%_;"
# Bytes of a long value.
BIG = int(os.environ["TIDEOVER_LONG"])


def login(port, password, schema, **more):
    """What all drivers take alike to connect; those of another password or schema are for refusals."""
    return {"host": HOST, "port": port, "user": USER, "password": password, "database": schema, **more}


def check(condition, what):
    """Ends the program with an error that says what was wrong."""
    if not condition:
        raise AssertionError(what)


def step(name):
    """Says what comes next, so that a failure can be placed."""
    print("step", name, flush=True)


def ready():
    """All was well so far; from here on the test switches primaries."""
    print("ready", flush=True)


def told_to_stop():
    """Whether the test has closed our input."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def done(count):
    """All was well to the end."""
    print("done", count, flush=True)
