"""What differs between two runs of an object: rows that were added, removed and changed, told apart by its key.

Both runs are read by one statement, the rows of a key one after the other, so that a comparison takes the memory of a
block whatever the size of the runs. What is read is a plan like any other: filters, hidden columns and all that a
policy says stand in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rowgate.rows.columns import require_bare_column
from rowgate.rows.conditions import plan_values
from rowgate.rows.encode_json import name_number
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.holds import Holds
from rowgate.rows.model import (
    Aggregation,
    Column,
    Condition,
    Counting,
    Family,
    Format,
    Function,
    ObjectDescription,
    Plan,
    RequestedAggregate,
    RequestedOrder,
    Row,
    RowsRequest,
    Scalar,
    Value,
)
from rowgate.rows.request_values import ALL_RUNS
from rowgate.rows.runs import require_run_key

FIELD = "compare"
RUN_FIELD = "jobRuntimeKey"
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
CHANGE_NAME, OLD_NAME = "change", "old"

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Comparison:
    """A planned comparison."""

    read: Plan  # of both runs: the key, what is compared, the run
    shown: Plan  # the same, with the columns of the answer and its limit
    key_size: int  # columns
    new: frozenset[Value]  # the run keys of the one run, as they are read
    old: frozenset[Value]  # and of the other


def ask_for_both(
    request: RowsRequest, described: ObjectDescription, row_key: Sequence[Column], run_key: Column | None
) -> RowsRequest:
    """Give the request for the rows of all runs, those of a key one after the other; the run key stands last.

    Args:
        request: What was asked.
        described: The object, as the reader may know it.
        row_key: The columns that tell all rows apart.
        run_key: The object's run-key column, if it has one.

    Raises:
        InvalidParameter: It cannot be compared.
    """
    run = require_run_key(described, run_key, FIELD)
    key = [column for column in row_key if column != run]
    if run not in row_key or not key or not all(column in described.columns for column in key):
        raise InvalidParameter(
            "The object has no key by which a row of one run is found in another; an administrator can name one with "
            "`rowgate object key`: the run key, and what tells the rows of a run apart.",
            field=FIELD,
            expected=f"no {FIELD}",
        )
    _refuse_what_stands_against(request)
    asked = tuple(column for column in described.columns if column.mask is None)  # that one has changed is told
    if request.columns is not None:
        asked = tuple(require_bare_column(described, name, f"columns[{n}]") for n, name in enumerate(request.columns))
    columns = dict.fromkeys([*key, *(column for column in asked if column != run), run])
    return replace(
        request,
        columns=tuple(column.name for column in columns),
        order_by=tuple(RequestedOrder(FIELD, column.name, descending=False) for column in key),
        job_runtime_key=ALL_RUNS,
        compare=None,
        limit=None,
        offset=0,
    )


def _refuse_what_stands_against(request: RowsRequest) -> None:
    stands_against = (
        ("groupby", bool(request.group_by)),
        ("aggregates", bool(request.aggregates)),
        ("distinct", request.distinct),
        ("orderby", bool(request.order_by)),
        ("cursor", request.cursor is not None),
        ("count", request.count is not Counting.NONE),
    )
    for name, is_there in stands_against:
        if is_there:
            raise InvalidParameter(f"Runs are not compared with {name}.", field=name, expected=f"no {FIELD}")
    for name, run in ((RUN_FIELD, request.job_runtime_key), (FIELD, request.compare)):
        if isinstance(run, str) and run.lower() == ALL_RUNS:
            raise InvalidParameter("One run is compared with another.", field=name, expected="the key of one run")


def ask_for_run(run: Scalar | None, run_key: str) -> RowsRequest:
    """Give the request that finds the run keys which a request means by one; None: the newest run's."""
    ends = (Aggregation.MIN, Aggregation.MAX)
    return RowsRequest(
        aggregates=tuple(RequestedAggregate(FIELD, end, run_key, end.value) for end in ends), job_runtime_key=run
    )


def read_run(rows: Sequence[Row], field: str) -> frozenset[Value]:
    """Give the run keys that a request for one run found.

    Raises:
        InvalidParameter: There is no such run, as far as the reader may know.
    """
    found = frozenset(value for row in rows for value in row if value is not None)
    if not found:
        raise InvalidParameter("There is no such run.", field=field, expected="one of those that `…/runs` lists")
    return found


def require_two_runs(new: frozenset[Value], old: frozenset[Value]) -> None:
    """Refuse to compare a run with itself.

    Raises:
        InvalidParameter: Both are the same run.
    """
    if new & old:
        raise InvalidParameter("A run does not differ from itself.", field=FIELD, expected="the key of another run")


def plan_run(plan: Plan, run: Scalar, field: str) -> frozenset[Value]:
    """Give a run key as it was asked for, which stands for those of a run that nobody looks for; `field` asked.

    Raises:
        InvalidParameter: The run-key column cannot be compared with it.
    """
    return frozenset(plan_values(plan.columns[-1], Function.EQUALS, (run,), (field,)))


def plan_comparison(plan: Plan, request: RowsRequest, *, new: frozenset[Value], old: frozenset[Value]) -> Comparison:
    """Give the comparison.

    Args:
        plan: Of what `ask_for_both` gave.
        request: What was asked.
        new: The run keys of the run that is looked at.
        old: The run keys of the run that it is compared with.
    """
    *columns, run = plan.columns
    # compared as they are spelled, so that an index serves
    is_one_of_them = Condition(
        replace(run, family=Family.MOMENT), Function.EQUALS, (*sorted_values(new), *sorted_values(old)), any_of=True
    )
    order = tuple(replace(item, is_exact=True) for item in plan.order_by)
    read = replace(plan, conditions=(is_one_of_them, *plan.conditions), order_by=order)
    taken = {fold(column.name) for column in columns}
    answer = (_name_apart(CHANGE_NAME, taken, never_null=True), *columns, _name_apart(OLD_NAME, taken))
    shown = replace(read, columns=answer, limit=request.limit, offset=request.offset)
    return Comparison(read, shown, key_size=len(plan.order_by), new=new, old=old)


def sorted_values(values: frozenset[Value]) -> Sequence[Value]:
    """Give the values in an order that is always the same."""
    return sorted(values, key=repr)


def _name_apart(name: str, taken: set[str], *, never_null: bool = False) -> Column:
    while name in taken:
        name += "_"
    return Column(name, "TEXT", Family.TEXT, may_be_real=False, never_null=never_null, holds=Holds.TEXT)


class Comparer:
    """Takes the rows of both runs, those of a key one after the other, and gives what differs."""

    def __init__(self, comparison: Comparison, form: Format) -> None:
        """Take what is compared; JSON nests the old values, other formats hold them as a JSON text."""
        self._size = comparison.key_size
        self._new = comparison.new
        self._names = [column.name for column in comparison.read.columns[:-1]]
        self._nests = form in (Format.JSON, Format.NDJSON)
        self._skipped = comparison.shown.offset
        self._left = comparison.shown.limit
        self._waiting: Row | None = None  # the row before, while its key's other one may come
        self._last_key: Row | None = None

    @property
    def is_full(self) -> bool:
        """Whether the answer has as many rows as were asked for."""
        return self._left == 0

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """Give what differs in these rows and those before, as far as that is known.

        Raises:
            InvalidParameter: The key does not tell the rows of a run apart.
        """
        return self._cut([change for row in rows for change in self._take(row)])

    def end(self) -> list[Row]:
        """Give what differs in the last row, after which no other comes."""
        return self._cut(list(self._give_alone()))

    def _take(self, row: Row) -> Iterator[Row]:
        key, waiting = row[: self._size], self._waiting
        if waiting is None or waiting[: self._size] != key:
            if key == self._last_key:
                raise _refuse_key()
            yield from self._give_alone()
            self._waiting = row
            return
        is_new = row[-1] in self._new
        if is_new == (waiting[-1] in self._new):
            raise _refuse_key()
        self._waiting, self._last_key = None, key
        new, old = (row, waiting) if is_new else (waiting, row)
        if new[self._size : -1] != old[self._size : -1]:
            differing = [place for place in range(self._size, len(row) - 1) if _differ(new[place], old[place])]
            if differing:
                yield (CHANGED, *new[:-1], self._write_old({self._names[place]: old[place] for place in differing}))

    def _give_alone(self) -> Iterator[Row]:
        row, self._waiting = self._waiting, None
        if row is not None:
            self._last_key = row[: self._size]
            yield (ADDED if row[-1] in self._new else REMOVED, *row[:-1], None)

    def _write_old(self, values: dict[str, Value]) -> Any:
        named = {name: name_number(value) for name, value in values.items()}
        encoded = _encode(named)
        return msgspec.Raw(encoded) if self._nests else encoded.decode()

    def _cut(self, changes: list[Row]) -> list[Row]:
        skipped = min(self._skipped, len(changes))
        self._skipped -= skipped
        changes = changes[skipped:]
        if self._left is not None:
            changes = changes[: self._left]
            self._left -= len(changes)
        return changes


def _differ(new: Value, old: Value) -> bool:
    """Tell whether two values differ; NULL is like NULL, and no number like no number."""
    return new != old and (new == new or old == old)  # noqa: PLR0124 - not a number differs from itself


def _refuse_key() -> InvalidParameter:
    return InvalidParameter(
        "The key does not tell the rows of a run apart; an administrator can name another.",
        field=FIELD,
        expected=f"no {FIELD}",
    )
