"""The shapes on the road from a rows request to a statement. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from rowgate.rows.fold import fold
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.masks import Mask

Value = str | int | float | Decimal | bytes | None
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


class Connective(StrEnum):
    """How conditions make one."""

    AND = "and"
    OR = "or"
    NOT = "not"


class Aggregation(StrEnum):
    """What is computed of the rows of a group, or of all rows."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


class Counting(StrEnum):
    """Whether the rows that a request matches are counted, beyond its limit."""

    NONE = "none"
    ESTIMATED = "estimated"
    EXACT = "exact"


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an object, spelled as the database spells it."""

    name: str
    declared_type: str
    family: Family
    may_be_real: bool  # holds floating-point numbers, so infinities may occur
    never_null: bool = False  # the database says so
    holds: Holds = Holds.ANYTHING
    collation: Collation = Collation.UNKNOWN  # of text
    mask: Mask | None = None  # then its values can be read, and nothing else


@dataclass(frozen=True, slots=True)
class ObjectListing:
    """A table, view or procedure, by name."""

    name: str
    kind: str  # table, view, procedure
    title: str = ""  # what it calls itself


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """A table or view with its columns."""

    name: str
    kind: str
    columns: tuple[Column, ...]
    row_key: tuple[Column, ...] = ()  # tell all rows apart and are never NULL; need not be among `columns`
    natural_key: tuple[Column, ...] = ()  # declared, where `row_key` is a number that means nothing; may hold NULL
    path: tuple[str, ...] = ()  # how its own database names it, part by part; empty becomes its name alone
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)
    by_folded_name: Mapping[str, Column | None] = field(init=False, repr=False, compare=False)  # None: several

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.path or (self.name,))
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
    match_case: bool = False


@dataclass(frozen=True, slots=True)
class RequestedGroup:
    """Filters that are one: all of them, any of them, or the only one denied."""

    field: str
    connective: Connective
    members: tuple["RequestedCondition", ...]


RequestedCondition: TypeAlias = RequestedFilter | RequestedGroup


@dataclass(frozen=True, slots=True)
class RequestedOrder:
    """One column, or one aggregate by its name, to sort by."""

    field: str
    column: str
    descending: bool
    nulls_first: bool | None = None  # None: NULL is the least


@dataclass(frozen=True, slots=True)
class RequestedAggregate:
    """One value to compute."""

    field: str
    function: Aggregation
    column: str | None  # None: of whole rows
    name: str  # empty: made of the function and the column


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """A request for rows, well-formed but not yet held against an object."""

    filters: tuple[RequestedCondition, ...] = ()
    columns: tuple[str, ...] | None = None  # None: all of them
    group_by: tuple[str, ...] = ()
    aggregates: tuple[RequestedAggregate, ...] = ()
    distinct: bool = False
    order_by: tuple[RequestedOrder, ...] = ()
    limit: int | None = None
    offset: int = 0
    cursor: str | None = None  # None: no pages by cursor; empty: the first page
    count: Counting = Counting.NONE
    job_runtime_key: Scalar | None = None
    compare: Scalar | None = None  # another run, to be told what differs from it; see rows/comparison.py
    format: Format | None = None
    dry_run: bool = False  # what would be run is asked for, not its rows
    lists_runs: bool = False  # the runs are asked for, not what is in them; see rows/runs.py


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter on a column of the object, its values ready to be bound."""

    column: Column
    function: Function
    values: tuple[Value, ...]
    any_of: bool  # the request gave a list
    match_case: bool = False


@dataclass(frozen=True, slots=True)
class ConditionGroup:
    """Conditions that are one."""

    connective: Connective
    members: tuple["AnyCondition", ...]


AnyCondition: TypeAlias = Condition | ConditionGroup


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A value to compute, and the column of the result that holds it."""

    function: Aggregation
    column: Column | None  # None: of whole rows
    result: Column


@dataclass(frozen=True, slots=True)
class Order:
    """What to sort by."""

    by: Column | Aggregate
    descending: bool
    nulls_first: bool
    is_key: bool = False  # not asked for, for rows to have one order: any order will do that an index has
    is_exact: bool = False  # only equal values stand together

    @property
    def column(self) -> Column:
        """The column, where it can be nothing else."""
        assert isinstance(self.by, Column), "internal error: an aggregate where only columns are sorted by"
        return self.by


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows that are in an order of their own: no two of them stand at the same place."""

    size: int  # rows, at most
    order: tuple[Order, ...]  # by columns only
    noted: tuple[Column, ...]  # a row's values in these say where the page after it begins: the order's, and the run's
    after: tuple[Value, ...] | None = None  # where the page before ended, by the order; None: the first page


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
    conditions: tuple[AnyCondition, ...]
    latest_run: LatestRun | None
    order_by: tuple[Order, ...]
    limit: int | None
    offset: int
    aggregates: tuple[Aggregate, ...] = ()  # then there are no columns
    distinct: bool = False
    page: Page | None = None  # then limit and offset say nothing
    count: Counting = Counting.NONE
    rule: tuple[AnyCondition, ...] = ()  # which rows there are at all, for this reader

    @property
    def result_columns(self) -> tuple[Column, ...]:
        """The columns of the result, in order."""
        computed = tuple(aggregate.result for aggregate in self.aggregates)
        return (*self.group_by, *self.columns, *computed)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its values apart."""

    text: str
    parameters: tuple[Value, ...]
    most_rows: int | None = None  # it gives no more
    runs_code: bool = True  # of whoever made the object, which may set something of the session
    is_call: bool = False  # of a procedure: what it was given may make it fail, and it may leave a session changed
