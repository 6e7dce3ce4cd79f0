"""What a grant hides of a procedure's result is not there: read from its query, and held (engines/held.py)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.engines.declared import DeclaredProcedures
from rowgate.engines.held import HeldResult
from rowgate.ports.calls import HELD, HeldCall
from rowgate.ports.rows import RowSource
from rowgate.rows.encode import open_encoder
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, Family, Format, ObjectDescription
from rowgate.rows.parameters import plan_call
from rowgate.rows.plan import plan_rows
from rowgate.rows.policy import RowsPolicy
from rowgate.rows.procedures import Call, Procedure
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select
from rowgate.rows.sql_call import render_read
from rows.generated import Bench
from rows.oracle import Row, matches, read
from rows.test_oracle import filters, tables
from rows.test_policy import KEY, change_what_is_hidden, in_sight, law, make_policy, masks, requests, rules, shown

COLUMNS = (
    Column("n", "int", Family.NUMBER, may_be_real=False, holds=Holds.INTEGER),
    Column("t", "text", Family.TEXT, may_be_real=False, holds=Holds.TEXT),
    Column("i", "bigint", Family.NUMBER, may_be_real=False, holds=Holds.INTEGER),
    Column("r", "double", Family.NUMBER, may_be_real=True, holds=Holds.REAL),
)
Answer = tuple[object, ...]
Ask = Callable[[Bench, Row, RowsPolicy, Format], Answer]


class Blocks:
    """See `CalledBlocks`: rows that a call gave."""

    columns: Sequence[Column] = COLUMNS

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.is_exhausted = False

    def read_block(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[:2], self._rows[2:]
        self.is_exhausted = not self._rows
        return rows

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def answer(
    described: ObjectDescription,
    body: Row,
    policy: RowsPolicy,
    form: Format,
    *,
    source: RowSource | HeldCall,
    query: Call | None,
) -> Answer:
    """Give all that a reader learns: the bytes and the count, or the refusal whole."""
    try:
        planned = plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="", policy=policy)
    except InvalidParameter as refusal:
        return refusal.field, refusal.description, refusal.expected
    encoder = open_encoder(planned, form, mask_key=KEY)
    statement = render_read(render_select, planned, query, source.dialect)
    with closing(source.open_rows(statement, statement_seconds=10)) as blocks:
        encoded = encoder.encode_block(blocks.read_block()) + encoder.encode_end()
    counting = render_read(render_count, planned, query, source.dialect)
    with closing(source.open_rows(counting, statement_seconds=10)) as blocks:
        return encoded, blocks.read_block()


def ask_held(bench: Bench, body: Row, policy: RowsPolicy, form: Format) -> Answer:
    with closing(bench.source.open_rows(_every_row(bench), statement_seconds=10)) as blocks:
        rows = blocks.read_block()
    procedure = Procedure("p", "procedure", (), is_held=True)
    held = HeldResult(Call(procedure, (), ()), Blocks(rows))
    held.hold()
    described = ObjectDescription("p", "procedure", tuple(held.columns), path=(HELD,))
    return answer(described, body, policy, form, source=held, query=None)


def _every_row(bench: Bench) -> Any:
    return render_select(bench.plan({"orderby": ["n"]}), bench.source.dialect)


@pytest.fixture
def declared(sqlite_bench: Bench, tmp_path: Path) -> DeclaredProcedures:
    (tmp_path / "p.sql").write_text("SELECT n, t, i, r FROM generated ORDER BY n")
    return DeclaredProcedures(sqlite_bench.source, tmp_path)  # type: ignore[arg-type]


@pytest.fixture(params=["held", "declared"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    if request.param == "held":
        yield ask_held
        return
    source: DeclaredProcedures = request.getfixturevalue("declared")

    def ask_declared(_: Bench, body: Row, policy: RowsPolicy, form: Format) -> Answer:
        described = source.find_object("p")
        assert described is not None
        return answer(described, body, policy, form, source=source, query=plan_call(described, {}))

    yield ask_declared


@law
@given(tables, shown, masks, rules, requests, st.sampled_from(Format), st.data())
def test_two_databases_that_differ_in_what_is_hidden_alone_answer_alike(  # noqa: PLR0917 - one per strategy
    sqlite_bench: Bench,
    ask: Ask,
    stored: list[tuple[Any, ...]],
    columns: frozenset[str] | None,
    masked: dict[str, Mask],
    rule: list[Row],
    body: Row,
    form: Format,
    data: st.DataObject,
) -> None:
    """Byte by byte, and every refusal word by word."""
    rows = sqlite_bench.fill(stored)
    policy = make_policy(columns, masked, rule)
    first = ask(sqlite_bench, body, policy, form)
    let_through, _ = ask(sqlite_bench, {"columns": ["n"]}, make_policy(None, {}, rule), Format.JSON)
    change_what_is_hidden(sqlite_bench, rows, let_through, columns=columns, masked=masked, rule=rule, data=data)
    assert ask(sqlite_bench, body, policy, form) == first


@law
@given(tables, rules, st.lists(filters, max_size=2), st.integers(0, 5))
def test_a_result_is_read_as_plain_python_would(  # noqa: PLR0917 - one per strategy
    sqlite_bench: Bench, ask: Ask, stored: list[tuple[Any, ...]], rule: list[Row], asked: list[Row], limit: int
) -> None:
    if "ends_with" in str((rule, asked)) and any("\0" in str(row[0]) for row in stored):
        return  # docs/reference/types.md
    rows = in_sight(sqlite_bench.fill(stored), rule)
    body: Row = {"filters": asked, "orderby": ["n"], "limit": limit}
    found, counted = ask(sqlite_bench, body, make_policy(None, {}, rule), Format.JSON)
    assert isinstance(found, bytes)
    assert msgspec.json.decode(found) == read(rows, body)
    assert counted == [(sum(all(matches(row, item) for item in asked) for row in rows),)]
