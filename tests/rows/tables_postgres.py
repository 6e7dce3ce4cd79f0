"""Every kind of value that PostgreSQL stores, and tables with every hostile name."""

import psycopg

from rows.tables import HOSTILE, Stored, quoted

# docs/reference/types.md shows this table; a test holds the two together.
STORED = [
    Stored("bigint", "9223372036854775807", "9223372036854775807"),
    Stored("smallint", "-32768", "-32768"),
    Stored("numeric(12,2)", "10.5", "10.50"),
    Stored("numeric", "12345678901234567890.123456789", "12345678901234567890.123456789"),
    Stored("numeric", "1e20", "100000000000000000000"),
    Stored("numeric", "'NaN'", '"NaN"'),
    Stored("numeric", "'-Infinity'", '"-Infinity"'),
    Stored("double precision", "0.1", "0.1"),
    Stored("double precision", "100", "100.0"),
    Stored("double precision", "5e-324", "5e-324"),
    Stored("double precision", "'Infinity'", '"Infinity"'),
    Stored("double precision", "'NaN'", '"NaN"'),
    Stored("real", "0.1", "0.1"),
    Stored("real", "3.4028235e38", "3.4028235e38"),
    Stored("boolean", "true", "true"),
    Stored("boolean", "false", "false"),
    Stored("text", "'Zoë 山田 😀'", '"Zoë 山田 😀"'),
    Stored("text", "''", '""'),
    Stored("text", "NULL", "null"),
    Stored("varchar(5)", "'abc'", '"abc"'),
    Stored("char(5)", "'abc'", '"abc"'),
    Stored("bytea", "'\\x00ff10'", '"AP8Q"'),
    Stored("bytea", "''", '""'),
    Stored("date", "'2018-11-05'", '"2018-11-05"'),
    Stored("date", "'infinity'", '"infinity"'),
    Stored("time", "'13:15:30.5'", '"13:15:30.5"'),
    Stored("timestamp", "'2018-11-05 13:15:30'", '"2018-11-05T13:15:30"'),
    Stored("timestamp", "'2018-11-05 13:15:30.123456'", '"2018-11-05T13:15:30.123456"'),
    Stored("timestamp", "'0044-03-15 00:00:00 BC'", '"0044-03-15T00:00:00 BC"'),
    Stored("timestamptz", "'2018-11-05 13:15:30+01'", '"2018-11-05T12:15:30+00:00"'),
    Stored("timestamptz", "'-infinity'", '"-infinity"'),
    Stored("timetz", "'13:15:30+01'", '"13:15:30+01"'),
    Stored("interval", "'1 year 2 days 03:04:05'", '"P1Y2DT3H4M5S"'),
    Stored("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    Stored("json", "'{\"a\": 1.0}'", '"{\\"a\\": 1.0}"'),
    Stored("jsonb", '\'{"b":1, "a":null}\'', '"{\\"a\\": null, \\"b\\": 1}"'),
    Stored("integer[]", "'{1,NULL,3}'", '"{1,NULL,3}"'),
    Stored("text[]", "ARRAY['a,b', 'c']", '"{\\"a,b\\",c}"'),
    Stored("mood", "'happy'", '"happy"'),
    Stored("positive", "7", "7"),
    Stored("inet", "'192.168.0.1/24'", '"192.168.0.1/24"'),
    Stored("cidr", "'10.0.0.0/8'", '"10.0.0.0/8"'),
    Stored("int4range", "'[1,5]'", '"[1,6)"'),
    Stored("bit(4)", "B'1010'", '"1010"'),
    Stored("money", "12.50", '"$12.50"'),
    Stored("point", "'(1,2)'", '"(1,2)"'),
    Stored("pair", "ROW(1, 'x')", '"(1,x)"'),
]


def make_types(database: psycopg.Connection) -> None:
    """Make a table with one row for each kind of value."""
    database.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
    database.execute("CREATE DOMAIN positive AS integer CHECK (VALUE > 0)")
    database.execute("CREATE TYPE pair AS (a integer, b text)")
    for place, stored in enumerate(STORED):
        database.execute(f"CREATE TABLE type_{place} (value {stored.declared})".encode())
        database.execute(f"INSERT INTO type_{place} VALUES ({stored.sql})".encode())


def make_names(database: psycopg.Connection) -> None:
    """Make a table with all hostile columns, and a table of each hostile name; `plain` stands beside `plain\\n`."""
    database.execute(f"CREATE TABLE hostile ({', '.join(quoted(name) + ' TEXT' for name in HOSTILE)})".encode())
    for number in range(3):
        values = ", ".join(f"'{place}é{number}'" for place in range(len(HOSTILE)))
        database.execute(f"INSERT INTO hostile VALUES ({values})".encode())
    for place, name in enumerate([*HOSTILE, "plain"]):
        database.execute(f"CREATE TABLE {quoted(name)} ({quoted(name)} TEXT)".encode())
        database.execute(f"INSERT INTO {quoted(name)} VALUES ('in table {place}')".encode())
