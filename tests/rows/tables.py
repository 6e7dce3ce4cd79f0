"""Tables that no tidy database has: every kind of value, hostile names, results at the edges of a block."""

import sqlite3
from typing import NamedTuple


class Stored(NamedTuple):
    """A value as SQLite is given it, in a column of a declared type, and the JSON text that a reader gets."""

    declared: str
    sql: str
    json: str


# docs/reference/types.md shows this table; a test holds the two together.
STORED = [
    Stored("INTEGER", "9223372036854775807", "9223372036854775807"),
    Stored("INTEGER", "-9223372036854775808", "-9223372036854775808"),
    Stored("BIGINT", "9007199254740993", "9007199254740993"),
    Stored("INTEGER", "1.5", "1.5"),
    Stored("INTEGER", "'12'", "12"),
    Stored("INTEGER", "'a dozen'", '"a dozen"'),
    Stored("INTEGER", "9e999", "null"),
    Stored("REAL", "0.1", "0.1"),
    Stored("REAL", "1.0 / 3", "0.3333333333333333"),
    Stored("REAL", "100", "100.0"),
    Stored("REAL", "1e300", "1e300"),
    Stored("REAL", "5e-324", "5e-324"),
    Stored("REAL", "1.7976931348623157e308", "1.7976931348623157e308"),
    Stored("REAL", "-0.0", "0.0"),
    Stored("REAL", "9e999", '"Infinity"'),
    Stored("DOUBLE", "-9e999", '"-Infinity"'),
    Stored("REAL", "9e999 - 9e999", "null"),
    Stored("DECIMAL(12,2)", "10.50", "10.5"),
    Stored("DECIMAL(12,2)", "7", "7"),
    Stored("DECIMAL(38,2)", "'12345678901234567890.12'", "1.2345678901234567e19"),
    Stored("TEXT", "'12345678901234567890.12'", '"12345678901234567890.12"'),
    Stored("DATE", "'2018-11-05'", '"2018-11-05"'),
    Stored("DATETIME", "'2018-11-05T13:15:30'", '"2018-11-05T13:15:30"'),
    Stored("TIMESTAMP", "'2018-11-05 13:15:30.123456+01:00'", '"2018-11-05 13:15:30.123456+01:00"'),
    Stored("DATETIME", "1541423730", "1541423730"),
    Stored("BOOLEAN", "TRUE", "1"),
    Stored("BOOLEAN", "FALSE", "0"),
    Stored("BOOLEAN", "'true'", '"true"'),
    Stored("BLOB", "x'00ff10'", '"AP8Q"'),
    Stored("BLOB", "x''", '""'),
    Stored("BLOB", "'text'", '"text"'),
    Stored("TEXT", "NULL", "null"),
    Stored("TEXT", "''", '""'),
    Stored("TEXT", "'Zoë 山田 😀'", '"Zoë 山田 😀"'),
    Stored("TEXT", "'say \"a\\b\"'", '"say \\"a\\\\b\\""'),
    Stored("TEXT", "CAST(x'610a09010062' AS TEXT)", '"a\\n\\t\\u0001\\u0000b"'),
    Stored("TEXT", "CAST(x'41ff42' AS TEXT)", '"A\ufffdB"'),
    Stored("TEXT", "CAST(x'eda080' AS TEXT)", '"\ufffd\ufffd\ufffd"'),
    Stored("JSON", "'{\"a\": 1}'", '"{\\"a\\": 1}"'),
    Stored("", "1", "1"),
    Stored("", "'1'", '"1"'),
    Stored("", "x'01'", '"AQ=="'),
]


def make_types(database: sqlite3.Connection) -> None:
    """Make a table with one row for each kind of value, and tables whose unreadable text comes late."""
    for place, stored in enumerate(STORED):
        database.execute(f"CREATE TABLE type_{place} (value {stored.declared})")
        database.execute(f"INSERT INTO type_{place} VALUES ({stored.sql})")
    database.execute("CREATE TABLE unreadable (n INTEGER, value TEXT, other REAL)")
    database.execute(
        "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 3499) INSERT INTO unreadable "
        "SELECT n, CASE WHEN n % 1250 = 1249 THEN CAST(x'c3a9ff' AS TEXT) || n ELSE 'É' || n END, n / 2.0 FROM c"
    )
    database.execute("CREATE VIEW doubled AS SELECT n, n, value AS n FROM unreadable WHERE n < 2")


# Each is the name of a column and of a table.
HOSTILE = [
    *('a"b', '"', '""', "a'b", "a\\b", "a]b", "[a]", "`a`", "a;b--", "new\nline", "tab\tstop", "\x01", "\x7f", " "),
    *("ünï", "山田", "😀", "É", "é", "select", "a/b", "a%2Fb", "%41", "a_b%", "?", "?1", ":a", "$a", "@a", "{0}"),
    *('x"||(select sql from sqlite_schema)||"y', "x' OR 1=1 --", "name desc", "rowid2", "groupItems", "main", "null"),
    *("rowgate_rows", "rowgate_fold(", "typeof(c0)", "a,b", "a b", "a.b", "plain\n"),
]  # fmt: skip


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def make_names(database: sqlite3.Connection) -> None:
    """Make a table with all hostile columns, and a table of each hostile name; `plain` stands beside `plain\\n`."""
    database.execute(f"CREATE TABLE hostile ({', '.join(quoted(name) + ' TEXT' for name in HOSTILE)})")
    for number in range(3):
        values = [f"{place}é{number}" for place in range(len(HOSTILE))]
        database.execute(f"INSERT INTO hostile VALUES ({', '.join('?' * len(HOSTILE))})", values)
    for place, name in enumerate([*HOSTILE, "plain"]):
        database.execute(f"CREATE TABLE {quoted(name)} ({quoted(name)} TEXT)")
        database.execute(f"INSERT INTO {quoted(name)} VALUES (?)", (f"in table {place}",))


def make_block_tables(database: sqlite3.Connection) -> None:
    """Make results whose groups and ends fall on, before and after the edges of a block."""
    numbers = "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {last})"
    database.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    database.execute(f"{numbers.format(last=3999)} INSERT INTO numbers SELECT n FROM c")
    database.execute("CREATE TABLE spans (k TEXT, n INTEGER, even INTEGER)")
    # 'a' ends with the first block, 'b' fills the second, 'c' reaches over three, then keys of one row, NULLs last in
    database.execute(
        f"{numbers.format(last=6999)} INSERT INTO spans SELECT CASE WHEN n < 1000 THEN 'a' WHEN n < 2000 THEN 'b' "
        "WHEN n < 4500 THEN 'c' WHEN n < 6000 THEN 'd' || n ELSE NULL END, n, n % 2 FROM c"
    )
    database.execute("CREATE TABLE folded (k TEXT COLLATE NOCASE, n INTEGER)")
    keys = ("a", "A", "é", "É", "a", "A", None, "a", None)
    database.executemany("INSERT INTO folded VALUES (?, ?)", [(key, n) for n, key in enumerate(keys)])
    database.execute("CREATE TABLE mixed (k, n INTEGER)")
    mixed = (1, 1.0, "1", None, b"1", 2.5, "", b"", 1)
    database.executemany("INSERT INTO mixed VALUES (?, ?)", [(key, n) for n, key in enumerate(mixed)])
