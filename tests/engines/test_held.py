"""What a call gave, held: as it came, within bounds, and gone with whoever read it."""

import gc
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from engines.test_sqlite_version import list_open_files
from rowgate.engines import held
from rowgate.engines.held import HeldResult
from rowgate.ports.calls import HELD
from rowgate.rows.errors import EngineFailure, EngineUnavailable, InvalidParameter, StatementCancelled
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Row, Statement
from rowgate.rows.procedures import Call, Procedure

CALL = Call(Procedure("p", "procedure", (), is_held=True), (), ())


class Blocks:
    """See `CalledBlocks`."""

    def __init__(self, columns: list[Column], rows: list[Row], *, times: int = 1) -> None:
        self.columns = columns
        self.is_exhausted = False
        self.is_closed = False
        self.is_cancelled = False
        self._rows = rows
        self._times = times

    def read_block(self) -> list[Row]:
        if self.is_cancelled:
            raise StatementCancelled("The read was cancelled.")
        self._times -= 1
        self.is_exhausted = self._times <= 0
        return self._rows

    def cancel(self) -> None:
        self.is_cancelled = True

    def close(self) -> None:
        self.is_closed = True


def column(name: str, holds: Holds, family: Family = Family.NUMBER) -> Column:
    return Column(name, "", family, may_be_real=True, holds=holds)


COLUMNS = [
    column("d", Holds.DECIMAL),
    column("b", Holds.BOOLEAN, Family.BOOLEAN),
    column("m", Holds.MOMENT, Family.MOMENT),
    column("x", Holds.BINARY, Family.BINARY),
    column('q"uo`te', Holds.TEXT, Family.TEXT),
]
ROWS: list[Row] = [
    (Decimal("1.10"), True, "2020-01-01T00:00:00.5", b"\0\xff", "é\0x"),
    (2**64 - 1, False, "2020-01-01T00:00:00", b"", ""),
    (None, None, None, None, None),
    (Decimal("1E+3"), True, "infinity", b"x", "y"),
]


def read(result: HeldResult, text: str) -> list[Row]:
    with closing(result.open_rows(Statement(text, ()), statement_seconds=5)) as rows:
        return list(rows.read_block())


def test_values_come_out_as_they_went_in() -> None:
    blocks = Blocks(COLUMNS, ROWS)
    result = HeldResult(CALL, blocks)
    result.hold()
    shown = ", ".join(result.dialect.show(result.dialect.plain(c), c) for c in COLUMNS)
    found = read(result, f"SELECT {shown} FROM {HELD}")
    assert found == [ROWS[0], (Decimal(2**64 - 1), *ROWS[1][1:]), *ROWS[2:]]
    assert [type(row[1]) for row in found] == [bool, bool, type(None), bool]
    assert blocks.is_closed
    assert read(result, f"SELECT count(*) FROM {HELD}") == [(4,)], "one statement after the other"


@pytest.mark.parametrize(
    "text", [f"DELETE FROM {HELD}", "ATTACH 'x' AS y", "PRAGMA query_only = 0", "CREATE TABLE a (b)"]
)
def test_what_is_held_is_read_and_nothing_else(text: str) -> None:
    result = HeldResult(CALL, Blocks(COLUMNS, ROWS))
    result.hold()
    with pytest.raises(EngineFailure):
        read(result, text)
    assert read(result, f"SELECT count(*) FROM {HELD}") == [(4,)]


def test_more_than_is_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_RESULT_BYTES", 1_000_000)
    blocks = Blocks([column("t", Holds.TEXT, Family.TEXT)], [("x" * 1000,)] * 100, times=20)
    with pytest.raises(InvalidParameter) as raised:
        HeldResult(CALL, blocks).hold()
    assert raised.value.field == "parameters"
    assert blocks.is_closed


def test_a_cancelled_call_is_not_read_on() -> None:
    blocks = Blocks(COLUMNS, ROWS, times=1000)
    result = HeldResult(CALL, blocks)
    result.cancel()
    with pytest.raises(StatementCancelled):
        result.hold()
    assert blocks.is_closed
    late = HeldResult(CALL, Blocks(COLUMNS, ROWS))
    late.hold()
    late.cancel()
    with pytest.raises(StatementCancelled):
        read(late, f"SELECT count(*) FROM {HELD}")


@pytest.mark.parametrize("names", [["a", "A"], [""], ["a\0"], ["a\x1fexact"]])
def test_columns_that_nobody_can_tell_apart_are_refused(names: list[str]) -> None:
    blocks = Blocks([column(name, Holds.INTEGER) for name in names], [(1,) * len(names)])
    with pytest.raises(EngineUnavailable):
        HeldResult(CALL, blocks).hold()
    assert blocks.is_closed


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are told elsewhere in another way")
def test_what_is_held_goes_with_whoever_read_it() -> None:
    gc.collect()
    before = list_open_files()
    result = HeldResult(CALL, Blocks([column("t", Holds.TEXT, Family.TEXT)], [("x" * 1000,)] * 1000, times=40))
    result.hold()
    rows = result.open_rows(Statement(f"SELECT t FROM {HELD}", ()), statement_seconds=5)
    del result
    assert rows.read_block()
    assert not rows.is_exhausted
    opened = list_open_files() - before
    assert opened, "it is in a file by now"
    rows.close()
    del rows
    assert list_open_files().isdisjoint(opened)
