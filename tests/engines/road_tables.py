"""The tables that every road has, as data: columns by a type of every engine, values as texts that all of them take."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from pyarrow import parquet

OLD, NEW = "2018-11-05T13:15:30", "2018-11-06T13:15:30"


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be made; the first columns, as many as `keys`, tell its rows apart."""

    name: str
    columns: Mapping[str, str]  # an SQL type, or a word of `TYPES`
    keys: int
    rows: Sequence[Sequence[str | None]]
    run_key: str = ""  # the column that keeps runs apart


HOSTS = Table(
    "hosts",
    {"run": "MOMENT", "host": "VARCHAR(20)", "cores": "INTEGER", "note": "VARCHAR(20)"},
    2,
    [
        (OLD, "a", "4", "x"),
        (OLD, "b", "4", None),
        (OLD, "gone", "1", ""),
        (NEW, "a", "8", "x"),
        (NEW, "b", "4", "y"),
        (NEW, "new", "2", "é"),
        (NEW, "B", "3", "other case"),
    ],
    run_key="run",
)
KEYS = ["", " ", "A", "a", "a ", "a!", "b", "B", "é", "É", "ß", "ss", "z", "Z", "😀", "%", "_", "'", "10", "9", "ﬁ"]
KEYED = Table(
    "keyed",
    {"run": "MOMENT", "k": "VARCHAR(20)", "m": "DECIMAL(10, 2)", "r": "DOUBLE", "t": "DATE"},
    2,
    [
        (run, key, *values)
        for place, key in enumerate(KEYS)
        for run, values in {
            OLD: ("1.10", "0.1", None),
            NEW: [("1.10", "0.1", None), ("1.1", "1e-1", None), ("1.11", "0.1", "2020-02-29")][place % 3],
        }.items()
        if (place % 5, run) not in ((0, OLD), (1, NEW))
    ],
    run_key="run",
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A row of the table that has every common type."""

    id: int
    i: int | None
    d: str | None
    r: float | None
    day: str | None
    m: str | None
    b: bool | None
    t: str | None


def _make_typed(n: int) -> Typed:
    """Give a row that differs from those around it; any value but the first may be NULL."""
    row = Typed(
        n,
        (n - 1000) * 3_000_000_007,
        f"{n * 39_999 - 7}.{n % 100:02}",  # their sum has more digits than any of them may have
        (n - 1000) / 8,
        f"20{n % 90 + 10}-0{n % 9 + 1}-1{n % 10}",
        f"2018-11-05T13:{n % 60:02}:{n % 60:02}",
        n % 3 == 0,
        ["a", "é", 'say "x", ', "😀", "", "NaN", "1\n2", "=1+1"][n % 8],
    )
    missing: dict[str, Any] = {name: None for place, name in enumerate(Typed.__slots__) if place and place == n % 11}
    return replace(row, **missing)


def _write(value: Any) -> str | None:
    return value if value is None else str(int(value)) if isinstance(value, bool) else str(value)


TYPED_ROWS = [_make_typed(n) for n in range(2500)]  # some blocks
TYPED = Table(
    "typed",
    {
        "id": "INTEGER",
        "i": "BIGINT",
        "d": "DECIMAL(10, 2)",
        "r": "DOUBLE",
        "day": "DATE",
        "m": "MOMENT",
        "b": "BOOLEAN",
        "t": "VARCHAR(20)",
    },
    1,
    [tuple(map(_write, astuple(row))) for row in TYPED_ROWS],
)

_TEXTS = [
    "",
    " ",
    "a",
    "A",
    "ab",
    "a ",
    "é",
    "É",
    "é",
    "ß",
    "ss",
    "z",
    "😀",
    "ﬁ",
    "￿",
    "'",
    "\\",
    "%",
    "a\nb",
    "10",
    "9",
]
_COMMON: dict[str, tuple[str, Sequence[str | None]]] = {
    "small": ("SMALLINT", ["-32768", "0", "1", "7", "32767", None]),
    "big": (
        "BIGINT",
        ["-9223372036854775807", "9223372036854775807", "9007199254740993", "9007199254740992", "-1", "0", None],
    ),
    "exact": ("DECIMAL(20, 4)", ["1234567890123456.7891", "1234567890123456.7892", "-0.0001", "0", "1.1", None]),
    "wide": ("DECIMAL(38, 0)", ["9" * 38, "9" * 37 + "8", "-" + "9" * 38, "0", "1", None]),
    "fine": ("DECIMAL(30, 20)", ["0.00000000000000000001", "0.00000000000000000002", "-1.5", "1.5", "0", None]),
    "r": ("DOUBLE", ["0.1", "0.30000000000000004", "0.3", "-1e300", "1e-300", "1e300", "-0.1", "0", None]),
    "s": ("SINGLE", ["0.1", "0.2", "16777216", "16777215", "-0.5", None]),
    "t": ("VARCHAR(40)", [*_TEXTS, None, None]),
    "day": ("DATE", ["2020-02-29", "2020-03-01", "1970-01-01", "1999-12-31", None]),
    "since": (
        "MOMENT",
        ["2020-02-29T10:00:00", "2020-02-29T10:00:00.000001", "2020-02-29T10:00:00.5", "1999-12-31T23:59:59", None],
    ),
    "clock": ("TIME", ["10:00:00", "10:00:00.000001", "23:59:59.5", "00:00:00", None]),
    "flag": ("BOOLEAN", ["1", "0", None]),
    "raw": ("BINARY", ["a", "ab", "", "B", None]),
    "mark": (
        "UUID",
        [
            "00000000-0000-0000-0000-000000000001",
            "f0000000-0000-4000-8000-000000000000",
            "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f",
            None,
        ],
    ),
}  # fmt: skip
_INSTANTS = ["2020-02-29 10:00:00+00", "2020-02-29 11:00:00+02", "2020-02-29 10:00:00.000001+00", None]
_ODD_REALS = ["NaN", "Infinity", "-Infinity", "0", "1.5", None]
# What one engine has beside the common types.
_OWN: dict[str, dict[str, tuple[str, Sequence[str | None]]]] = {
    "postgres": {
        "there": ("TIMESTAMPTZ", _INSTANTS),
        "odd": ("DOUBLE", _ODD_REALS),
        "odd_single": ("REAL", _ODD_REALS),
        "free": ("NUMERIC", ["NaN", "1", "1.00", "1e-30", "1e40", "-1e40", None]),
        "far": ("TIMESTAMP", ["infinity", "-infinity", "0044-03-15 00:00:00 BC", "12345-01-01", "2020-01-01", None]),
        "far_day": ("DATE", ["infinity", "-infinity", "0044-03-15 BC", "12345-01-01", "2020-01-01", None]),
        "span": ("INTERVAL", ["1 day", "24 hours", "1 month", "-1 second", None]),
        "padded": ("CHAR(5)", ["a", "b", "é", "", None]),
        "host": ("INET", ["10.0.0.2", "10.0.0.10", "::1", None]),
        "many": ("INTEGER[]", ["{1,2}", "{1}", "{}", "{10}", None]),
        "kind": ("BIT(3)", ["101", "001", "111", None]),
        "pair": ("JSONB", ['{"a": 1}', "[]", "1", '"x"', None]),
        "late": ("TIMETZ", ["10:00:00+00", "11:00:00+02", "12:00:00.5-03", None]),
    },
    "duckdb": {
        "there": ("TIMESTAMPTZ", _INSTANTS),
        "odd": ("DOUBLE", _ODD_REALS),
        "odd_single": ("FLOAT", _ODD_REALS),
        "far": ("TIMESTAMP", ["infinity", "-infinity", "2020-01-01", "0044-03-15 (BC)", "12345-01-01", None]),
        "far_day": ("DATE", ["infinity", "-infinity", "2020-01-01", "12345-01-01", None]),
        "seconds": ("TIMESTAMP_S", ["2020-01-01 00:00:01", "2020-01-01 00:00:00", None]),
        "nanos": ("TIMESTAMP_NS", ["2020-01-01 00:00:00.000000001", "2020-01-01 00:00:00.000000002", None]),
        "huge": ("HUGEINT", ["1" + "0" * 37, "-1" + "0" * 37, "7", None]),
        "unsigned_big": ("UBIGINT", ["18446744073709551615", "18446744073709551614", "0", None]),
        "tiny": ("UTINYINT", ["255", "0", "7", None]),
        "span": ("INTERVAL", ["1 day", "2 days", "1 month", None]),
        "mood": ("ENUM('low', 'high', 'a')", ["low", "high", "a", None]),
        "many": ("INTEGER[]", ["[1, 2]", "[1]", "[]", "[10]", None]),
    },
    "mariadb": {
        "there": ("TIMESTAMP(6) NULL", ["2020-02-29 10:00:00", "2020-02-29 10:00:00.000001", "1999-12-31", None]),
        "unsigned_big": ("BIGINT UNSIGNED", ["18446744073709551615", "18446744073709551614", "0", None]),
        "mood": ("ENUM('low', 'high', 'a')", ["low", "high", "a", None]),
        "moods": ("SET('low', 'high')", ["low", "high", "low,high", "", None]),
        "made_in": ("YEAR", ["2020", "1999", None]),
        "span": ("TIME(3)", ["-838:59:59", "100:00:00.5", "00:00:00", None]),
        "bits": ("BIT(9)", ["a", "b", None]),
        "loose": ("VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", [*_TEXTS, None]),
        "latin": ("VARCHAR(40) CHARACTER SET latin1", ["a", "A", "é", "a ", None]),
        "padded": ("CHAR(5)", ["a", "B", "é", "", None]),
    },
    "trino": {
        "there": ("TIMESTAMP(6) WITH TIME ZONE", [
            "2020-02-29 10:00:00 UTC", "2020-02-29 11:00:00 +02:00", "1999-12-31 00:00:00 UTC", None
        ]),
        "odd": ("DOUBLE", _ODD_REALS),
        "odd_single": ("REAL", _ODD_REALS),
        "tiny": ("TINYINT", ["-128", "127", "0", None]),
        "padded": ("CHAR(5)", ["a", "B", "é", "", None]),
    },
    "clickhouse": {
        "there": (
            "Nullable(DateTime64(6, 'Europe/Berlin'))", ["2020-02-29 10:00:00", "2020-02-29 10:00:00.000001", None]
        ),
        "odd": ("DOUBLE", ["nan", "inf", "-inf", "0", "1.5", None]),
        "odd_single": ("SINGLE", ["nan", "inf", "-inf", "0", "1.5", None]),
        "unsigned_big": ("Nullable(UInt64)", ["18446744073709551615", "18446744073709551614", "0", None]),
        "mood": ("Nullable(Enum8('low' = 1, 'high' = 2, 'a' = 3))", ["low", "high", "a", None]),
        "few": ("LowCardinality(Nullable(String))", [*_TEXTS, None]),
    },
}  # fmt: skip
_OWN["mysql"] = _OWN["mariadb"]
PLACED_ROWS = 29


def make_placed(engine: str, lacks: Sequence[str]) -> Table:
    """Give a table with a column of every type that an engine has; some rows are alike in each, and some NULL."""
    told = {name: found for name, found in {**_COMMON, **_OWN.get(engine, {})}.items() if found[0] not in lacks}
    columns = [_spread(name, values) for name, (_, values) in told.items()]
    rows = [(str(n), *values) for n, values in enumerate(zip(*columns, strict=True))]
    return Table("placed", {"n": "INTEGER", **{name: kind for name, (kind, _) in told.items()}}, 1, rows)


def _spread(name: str, values: Sequence[str | None]) -> list[str | None]:
    """Give a value for each row, every one at least once."""
    many = [values[n % len(values)] for n in range(PLACED_ROWS)]
    random.Random(name).shuffle(many)
    return many


_RUNS: dict[str, tuple[str, Sequence[str]]] = {  # by kind, from the first to the newest
    "day": ("DATE", ["1999-12-31", "2020-02-29", "2020-03-01"]),
    "moment": ("MOMENT", ["2018-11-05T13:15:30", "2018-11-05T13:15:30.000001", "2018-11-06T00:00:00"]),
    "number": ("BIGINT", ["-5", "9007199254740992", "9007199254740993"]),
    "exact": ("DECIMAL(12, 3)", ["9.5", "10", "10.001"]),
    "real": ("DOUBLE", ["-0.1", "0.3", "0.30000000000000004"]),
    "text": ("VARCHAR(20)", ["10", "9", "a"]),
}
_INSTANT_RUNS = ["2020-02-29 11:00:00+02", "2020-02-29 10:00:00.000001+00", "2021-01-01 00:00:00+00"]
_OWN_RUNS: dict[str, dict[str, tuple[str, Sequence[str]]]] = {
    "postgres": {"there": ("TIMESTAMPTZ", _INSTANT_RUNS)},
    "duckdb": {
        "there": ("TIMESTAMPTZ", _INSTANT_RUNS),
        "nanos": ("TIMESTAMP_NS", ["2020-01-01", "2020-01-01 00:00:00.000000001", "2020-01-01 00:00:00.000000002"]),
        "seconds": ("TIMESTAMP_S", ["2020-01-01 00:00:00", "2020-01-01 00:00:01", "2020-01-02 00:00:00"]),
        "huge": ("HUGEINT", ["-7", "9223372036854775807", "1" + "0" * 37]),
    },
    "mariadb": {"unsigned": ("BIGINT UNSIGNED", ["7", "9223372036854775808", "18446744073709551615"])},
}
_OWN_RUNS["mysql"] = _OWN_RUNS["mariadb"]
RUN_ROWS: Sequence[Mapping[str, str | None]] = [  # of each run: a value by key
    {"a": "1", "b": "2", "c": None},
    {"a": "1", "b": "5", "d": "4"},
    {"a": None, "d": "4", "é": "1", "B": "2"},
]
LOOSE_KINDS = ("moment", "number", "text")  # of which there are rows of no run, too
WITHOUT_RUN: Mapping[str, str | None] = {"a": "9", "y": None}


def list_run_kinds(engine: str) -> Mapping[str, tuple[str, Sequence[str]]]:
    """Give the types of run keys that an engine has, each with its runs."""
    return {**_RUNS, **_OWN_RUNS.get(engine, {})}


def make_runs(engine: str) -> Iterator[Table]:
    """Give a table for each type of run key, and for some another where rows belong to no run."""
    for kind, (declared, runs) in list_run_kinds(engine).items():
        rows = [(run, k, v) for run, held in zip(runs, RUN_ROWS, strict=True) for k, v in held.items()]
        columns = {"run": declared, "k": "VARCHAR(20)", "v": "INTEGER"}
        yield Table(f"run_{kind}", columns, 2, rows, run_key="run")
        if kind in LOOSE_KINDS:
            without = [(None, *pair) for pair in WITHOUT_RUN.items()]
            yield Table(f"loose_{kind}", columns, 0, [*without, *rows], run_key="run")


# A view that gives 10 MB, enough for a beginning in any format, and fails in its last row: by engine a long text, and
# what fails there.
_LATE = {
    "sqlite": ("printf('%.4000c', 'x')", "abs(-9223372036854775807 - 1)"),
    "postgres": ("repeat('x', 4000)", "1 / (id - {last})"),
    "duckdb": ("repeat('x', 1000)", "error('late')"),
    "mariadb": ("repeat('x', 4000)", "9223372036854775807 + id"),
    "mysql": ("repeat('x', 4000)", "9223372036854775807 + id"),
    "trino": ("lpad('x', 4000, 'x')", "1 / (id - {last})"),
    "clickhouse": ("repeat('x', 4000)", "throwIf(id = {last})"),
}
# DuckDB computes 2048 rows at once. The same of files, whose last part is damaged.
_MANY, LATE_PART = 20_480, 2048
_MANY_IDS = f"(SELECT CAST(range AS INTEGER) AS id FROM range({_MANY}))"
LATE_FILES = f"SELECT id, repeat('x', 1000) || hash(id) AS filler FROM {_MANY_IDS}"


def render_late(engine: str) -> str:
    """Give the statement that makes the view."""
    source, last = (_MANY_IDS, _MANY - 1) if engine == "duckdb" else ("typed", len(TYPED_ROWS) - 1)
    filler, fails = (part.format(last=last) for part in _LATE[engine])
    broken = f"CASE WHEN id = {last} THEN {fails} ELSE 0 END AS broken"
    return f"CREATE VIEW late AS SELECT id, {filler} AS filler, {broken} FROM {source}"


# Procedures that every engine can have which takes declared ones.
PROCEDURES = {
    "echo": """-- parameter: i integer required
-- parameter: t text
-- parameter: n number
-- parameter: b boolean
-- parameter: d date
-- parameter: l table(w integer, v text)
SELECT :i AS i, :t AS t, :n AS n, :b AS b, :d AS d, l.w, l.v FROM :l AS l
"""
}


def damage(path: Path) -> None:
    """Spoil the rows at the end of a Parquet file, and nothing that says where they are."""
    told = parquet.read_metadata(path)
    group = told.row_group(told.num_row_groups - 1)
    columns = [group.column(place) for place in range(group.num_columns)]
    with path.open("r+b") as file:
        for column in columns:
            start = column.dictionary_page_offset or column.data_page_offset
            file.seek(start)
            file.write(b"\xff" * column.total_compressed_size)
