"""Which filters an ordinary index serves, as docs/reference/http.md says (the engine's own plan tells)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteSource]:
    path = tmp_path_factory.mktemp("indexes") / "indexed.sqlite"
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("CREATE TABLE t (number INTEGER, day DATETIME, text TEXT, folded TEXT, other TEXT)")
        for column in ("number", "day", "text", "folded COLLATE NOCASE"):
            writer.execute(f"CREATE INDEX {column.partition(' ')[0]}_index ON t ({column})")
        writer.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?)", [(n, str(n), str(n), str(n), "x" * 50) for n in range(999)]
        )
    with closing(SqliteSource(path)) as made:
        yield made


def _explain(source: SqliteSource, **given: Any) -> str:
    described = source.find_object("t")
    assert described is not None
    body = {"filters": [{"matchCase": False, **given}]}
    plan = plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="")
    return " ".join(source.explain(render_select(plan, source.dialect)))


SERVED: dict[str, dict[str, Any]] = {
    "number-equals": {"column": "number", "function": "equals", "value": 7},
    "number-equals-any": {"column": "number", "function": "equals", "value": [7, 8]},
    "number-greater": {"column": "number", "function": "greater", "value": 990},
    "number-between": {"column": "number", "function": "between", "value": [7, 9]},
    "day-less": {"column": "day", "function": "less", "value": "2018"},
    "text-equals-in-case": {"column": "text", "function": "equals", "value": "é", "matchCase": True},
    "text-between-in-case": {"column": "text", "function": "between", "value": ["a", "b"], "matchCase": True},
    "text-starts-in-case": {"column": "text", "function": "starts_with", "value": "9", "matchCase": True},
    "folded-equals": {"column": "folded", "function": "equals", "value": "seven"},
    "folded-less": {"column": "folded", "function": "less", "value": "b"},
    "text-is-null": {"column": "text", "function": "is_null"},
}
NOT_SERVED: dict[str, dict[str, Any]] = {
    "text-equals": {"column": "text", "function": "equals", "value": "seven"},
    "folded-equals-other-letters": {"column": "folded", "function": "equals", "value": "é"},
    "text-starts": {"column": "text", "function": "starts_with", "value": "9"},
    "text-contains-in-case": {"column": "text", "function": "contains", "value": "9", "matchCase": True},
    "text-ends-in-case": {"column": "text", "function": "ends_with", "value": "9", "matchCase": True},
    "number-not-equals": {"column": "number", "function": "not_equals", "value": 7},
}


@pytest.mark.parametrize("given", SERVED.values(), ids=SERVED.keys())
def test_an_index_serves(source: SqliteSource, given: dict[str, Any]) -> None:
    assert "USING INDEX" in _explain(source, **given)


@pytest.mark.parametrize("given", NOT_SERVED.values(), ids=NOT_SERVED.keys())
def test_every_row_is_looked_at(source: SqliteSource, given: dict[str, Any]) -> None:
    assert _explain(source, **given).startswith("SCAN t")
