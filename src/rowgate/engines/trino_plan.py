"""What Trino's plan of a statement is asked with, and what is told of it.

Trino takes no places in what it is to explain, so the values are written into a copy that is explained and never run.
Rule: of the plan only the names of steps and tables are told, and counts of rows; all else may hold the values.
"""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, assert_never

from rowgate.rows.model import Statement, Value

TELLS_STEPS = "EXPLAIN (TYPE LOGICAL, FORMAT JSON) "
TELLS_TABLES = "EXPLAIN (TYPE IO, FORMAT JSON) "  # by their names, where the steps have a connector's own words
_ENDLESS = {"inf": "infinity()", "-inf": "-infinity()", "nan": "nan()"}
_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|\?""")  # a doubled quote ends one token and begins the next


def write_values_in(statement: Statement) -> str:
    """Give the statement's text with its values at their places.

    >>> print(write_values_in(Statement('SELECT "a?" FROM t WHERE a = ? AND b = ?', ("it's ?", 2))))
    SELECT "a?" FROM t WHERE a = 'it''s ?' AND b = 2
    """
    values = iter(statement.parameters)
    text = _TOKEN.sub(lambda found: _write(next(values)) if found[0] == "?" else found[0], statement.text)
    assert next(values, values) is values, "internal error: more values than places"
    return text


def _write(value: Value) -> str:
    """Give a literal, as the driver writes those that it sends beside a statement."""
    match value:
        case str():
            return "'" + value.replace("'", "''") + "'"  # to Trino a backslash is a sign like any other
        case bytes():
            return f"X'{value.hex()}'"
        case float():
            return f"DOUBLE '{value}'" if math.isfinite(value) else _ENDLESS[str(value)]
        case Decimal():
            return f"DECIMAL '{value:f}'"
        case int():
            return f"{value:d}"
        case None:
            return "NULL"
        case _:
            assert_never(value)


def tell_plan(steps: str, tables: str) -> list[str]:
    """Give a line for each table that is read, and one for each step; both are told as JSON."""
    read = [_name_table(item) for item in json.loads(tables)["inputTableColumnInfos"]]
    return [*read, *_list_steps(json.loads(steps), 0)]


def _name_table(read: dict[str, Any]) -> str:
    named = read["table"]
    parts = (named["catalog"], named["schemaTable"]["schema"], named["schemaTable"]["table"])
    return f"reads {'.'.join(parts)} {_tell_rows(read['estimate'])}".strip()


def _list_steps(step: dict[str, Any], depth: int) -> Iterator[str]:
    rows = _tell_rows(step["estimates"][0]) if step["estimates"] else ""
    yield "  " * depth + f"{step['name']} {rows}".strip()
    for inner in step["children"]:
        yield from _list_steps(inner, depth + 1)


def _tell_rows(estimate: dict[str, Any]) -> str:
    """Give how many rows Trino reckons with; where it does not know it says NaN, as a text."""
    rows = estimate["outputRowCount"]
    return f"~{rows:.0f} rows" if isinstance(rows, float) else ""
