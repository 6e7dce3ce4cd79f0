"""What Trino is given to explain: a statement's text with each value in its place, as a literal of its own."""

import math
import re
from collections.abc import Callable
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from rowgate.engines.trino_plan import tell_plan, write_values_in
from rowgate.rows.dialects.trino import TRINO
from rowgate.rows.model import Statement, Value

values = (
    st.none()
    | st.text()
    | st.text("'\"?\\;-/*`[]")
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=20)
)
# as Trino's grammar has them (SqlBase.g4): STRING, and what the other literals are made of
_LITERAL = re.compile(
    r" (?P<odd>NULL|-?infinity\(\)|nan\(\))| (?P<int>-?\d+)| X'(?P<bytes>(?:[0-9a-f]{2})*)'"
    r"| DOUBLE '(?P<float>-?[0-9.e+-]+)'| DECIMAL '(?P<decimal>-?[0-9.]+)'| '(?P<str>(?:[^']|'')*)'"
)
_READERS: dict[str, Callable[[str], Value]] = {
    "odd": {"infinity()": float("inf"), "-infinity()": float("-inf"), "NULL": None, "nan()": "nan"}.__getitem__,
    "int": int,
    "bytes": bytes.fromhex,
    "float": float,
    "decimal": Decimal,
    "str": lambda text: text.replace("''", "'"),
}


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)


@given(st.lists(st.tuples(st.text("a?'\"\\;é", min_size=1), values), min_size=1, max_size=5))
@example([("a", "it's ?"), ("?", "'"), ('"', "\\' --")])
def test_each_value_stands_at_its_place_and_ends_there(pairs: list[tuple[str, Value]]) -> None:
    named = [(TRINO.quote(name), value) for name, value in pairs]
    text = "SELECT " + " AND ".join(f"{name} = ?" for name, _ in named)
    rest = write_values_in(Statement(text, tuple(value for _, value in named)))
    rest = rest.removeprefix("SELECT ")
    for place, (name, value) in enumerate(named):
        rest = rest.removeprefix(" AND ") if place else rest
        assert rest.startswith(f"{name} =")
        rest = rest[len(f"{name} =") :]
        found = _LITERAL.match(rest)
        assert found is not None
        kind = found.lastgroup or ""
        assert _READERS[kind](found[kind]) == ("nan" if _is_nan(value) else value)
        rest = rest[found.end() :]
    assert rest == ""


def test_of_a_plan_only_names_and_counts_are_told() -> None:
    estimate = '{"outputRowCount": 3.0}'
    scan = f"""{{"name": "ScanFilter", "descriptor": {{"table": "pg:Query[a = 'secret']", "filterPredicate": "secret"}},
        "details": ["secret"], "outputs": [], "estimates": [{estimate}], "children": []}}"""
    steps = f"""{{"name": "Output", "descriptor": {{}}, "estimates": [{{"outputRowCount": "NaN"}}], "details": [],
        "children": [{scan}]}}"""
    tables = f"""{{"inputTableColumnInfos": [{{"table": {{"catalog": "served", "schemaTable": {{"schema": "default",
        "table": "made"}}}}, "constraint": {{"columnConstraints": ["secret"]}}, "estimate": {estimate}}}]}}"""
    assert tell_plan(steps, tables) == ["reads served.default.made ~3 rows", "Output", "  ScanFilter ~3 rows"]
