"""The shapes on the road from a rows request to a statement. Data only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rowgate.rows.fold import fold

Value = str | int | float | bytes | None
Row = tuple[Value, ...]
Scalar = str | int | float | bool


class Family(StrEnum):
    """How the values of a column compare."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    MOMENT = "moment"  # a date, a time or both; compared as its text
    BINARY = "binary"
    ANY = "any"  # no declared type: the value's own type decides


class Function(StrEnum):
    """What a filter asks of a column (O-31)."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    GREATER = "greater"
    GREATER_EQUAL = "greater_equal"
    LESS = "less"
    LESS_EQUAL = "less_equal"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    BETWEEN = "between"
    IS_NULL = "is_null"
    IS_NOT_NULL = "is_not_null"


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an object, spelled as the database spells it."""

    name: str
    declared_type: str
    family: Family
    may_be_real: bool  # holds floating-point numbers, so infinities may occur


@dataclass(frozen=True, slots=True)
class ObjectListing:
    """A table or view, by name."""

    name: str
    kind: str  # table, view


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """A table or view with its columns."""

    name: str
    kind: str
    columns: tuple[Column, ...]
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)
    by_folded_name: Mapping[str, Column | None] = field(init=False, repr=False, compare=False)  # None: several

    def __post_init__(self) -> None:
        folded: dict[str, Column | None] = {}
        for column in self.columns:
            name = fold(column.name)
            folded[name] = None if name in folded else column
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        object.__setattr__(self, "by_folded_name", folded)


@dataclass(frozen=True, slots=True)
class RequestedFilter:
    """A filter as it was asked for; `field` says where it stood, for messages."""

    field: str
    column: str
    function: Function
    value: Scalar | Sequence[Scalar] | None


@dataclass(frozen=True, slots=True)
class RequestedOrder:
    """One column to sort by."""

    field: str
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """A request for rows, well-formed but not yet held against an object."""

    filters: tuple[RequestedFilter, ...] = ()
    columns: tuple[str, ...] | None = None  # None: all of them
    group_by: tuple[str, ...] = ()
    order_by: tuple[RequestedOrder, ...] = ()
    limit: int | None = None
    offset: int = 0
    job_runtime_key: Scalar | None = None
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter on a column of the object, its values ready to be bound."""

    column: Column
    function: Function
    values: tuple[Value, ...]
    any_of: bool  # the request gave a list


@dataclass(frozen=True, slots=True)
class Order:
    """A column to sort by."""

    column: Column
    descending: bool


@dataclass(frozen=True, slots=True)
class LatestRun:
    """Only the rows of the newest run."""

    column: Column


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be read, every name checked against the object."""

    object: ObjectDescription
    columns: tuple[Column, ...]  # what an item holds, without the group keys
    group_by: tuple[Column, ...]
    conditions: tuple[Condition, ...]
    latest_run: LatestRun | None
    order_by: tuple[Order, ...]
    limit: int | None
    offset: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its values apart."""

    text: str
    parameters: tuple[Value, ...]
    most_rows: int | None = None  # it gives no more


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine writes what differs between engines."""

    quote: Callable[[str], str]
    ignore_ascii_case: str  # appended to an expression: compares it without regard to ASCII case
    fold_ascii: str  # function: lower-cases ASCII only
    fold_text: Callable[[str], str]  # of an expression, as text: folded as rows/fold.py does
    fold_value: Callable[[str], str]  # the same where it is text; numbers, binary data and NULL as they are
    exact_order: str  # appended to a column: sorts so that only equal values stand together
    no_limit: str  # what LIMIT takes for "all"
