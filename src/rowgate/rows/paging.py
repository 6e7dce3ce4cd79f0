"""Pages by cursor: each begins after the place where the one before ended, whatever was inserted meanwhile.

Rows are put in an order in which no two stand at the same place: the one asked for, and then the object's row key.
The newest run is chosen for the first page; the others stay with it.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import (
    AnyCondition,
    Column,
    Condition,
    ConditionGroup,
    Family,
    Function,
    LatestRun,
    Order,
    Page,
    Plan,
    Row,
    RowsRequest,
    Value,
)

DEFAULT_PAGE_ROWS = 1000
MAX_PAGE_ROWS = 10_000
MAX_PAGE_ORDER = 16  # columns of orderby: a page's place binds as many values as the square of it

# What is shown of these need not be all of it: a moment that never comes, digits that JSON's readers do not have.
_READ_APART = frozenset({Holds.DECIMAL, Holds.DATE, Holds.MOMENT, Holds.INSTANT})
_encode = msgspec.json.Encoder().encode


def plan_page(
    request: RowsRequest, row_key: Sequence[Column], order_by: Sequence[Order], latest_run: LatestRun | None
) -> Page:
    """Give the first page of a request.

    Args:
        request: What was asked.
        row_key: The columns that tell all rows apart and are never NULL; the reader need not see them.
        order_by: What the reader sorts by.
        latest_run: The run that is read if it is the newest.

    Raises:
        InvalidParameter: The request cannot be divided into pages.
    """
    stands_against = (
        ("groupby", bool(request.group_by)),
        ("aggregates", bool(request.aggregates)),
        ("distinct", request.distinct),
        ("offset", bool(request.offset)),
    )
    for name, is_there in stands_against:
        if is_there:
            raise InvalidParameter(f"There are no pages by cursor with {name}.", field=name, expected="no cursor")
    size = DEFAULT_PAGE_ROWS if request.limit is None else request.limit
    if not 1 <= size <= MAX_PAGE_ROWS:
        raise InvalidParameter(
            "A page has fewer rows.", field="limit", expected=f"1 to {MAX_PAGE_ROWS} together with a cursor"
        )
    if len(order_by) > MAX_PAGE_ORDER:
        raise InvalidParameter(
            "So many columns have no pages by cursor.", field="orderby", expected=f"at most {MAX_PAGE_ORDER} of them"
        )
    if not row_key:
        raise InvalidParameter(
            "The object has no key that tells its rows apart; an administrator can name one.",
            field="cursor",
            expected="limit and offset, with an orderby that tells all rows apart",
        )
    order = break_ties(order_by, row_key)
    noted = tuple(item.column for item in order)
    return Page(size, order, noted if latest_run is None else (*noted, latest_run.column))


def break_ties(order_by: Sequence[Order], columns: Sequence[Column]) -> tuple[Order, ...]:
    """Give an order in which rows that are alike in what was asked for stand by these columns."""
    named = {order.by for order in order_by}
    descending = order_by[-1].descending if order_by else False  # one direction throughout, so that an index serves
    rest = [Order(column, descending, not descending, is_key=True) for column in columns if column not in named]
    return (*order_by, *rest)


def list_unseen(plan: Plan) -> tuple[Column, ...]:
    """Give the columns that are read for the sake of the next page alone; they stand behind the result's own."""
    if plan.page is None:
        return ()
    return tuple([c for c in plan.page.noted if c not in plan.result_columns or c.holds in _READ_APART])


def note_place(plan: Plan, row: Row) -> tuple[Value, ...]:
    """Give the place of a row, as it was read with the columns of `list_unseen`."""
    assert plan.page is not None, "internal error: a place without pages"
    values = dict(zip((*plan.result_columns, *list_unseen(plan)), row, strict=True))  # what is read apart counts
    return tuple([values[column] for column in plan.page.noted])


def go_on_after(plan: Plan, place: Sequence[Value]) -> Plan | None:
    """Give the plan of the page after that place; None when it is not a place of this plan."""
    page = plan.page
    assert page is not None, "internal error: a cursor without pages"
    if len(place) != len(page.noted):
        return None
    after = tuple(place[: len(page.order)])
    going_on = replace(plan, page=replace(page, after=after))
    if plan.latest_run is None:
        return going_on
    # compared as it is spelled, and its plan stays that of the first page
    run = replace(plan.latest_run.column, family=Family.MOMENT)
    same_run = Condition(run, Function.EQUALS, (place[-1],), any_of=False)
    return replace(going_on, latest_run=None, conditions=(*plan.conditions, same_run))


def identify_query(plan: Plan) -> bytes:
    """Give what a cursor of this plan is good for: the object, its conditions and the order, whatever the page."""
    page = plan.page
    assert page is not None, "internal error: a cursor without pages"
    return _encode(
        [
            plan.object.name,
            [_identify(condition) for condition in plan.conditions],
            [_identify(condition) for condition in plan.rule],
            plan.latest_run is not None,
            [[order.column.name, order.descending, order.nulls_first] for order in page.order],
        ]
    )


def _identify(condition: AnyCondition) -> list[object]:
    if isinstance(condition, ConditionGroup):
        return [condition.connective.value, [_identify(member) for member in condition.members]]
    return [condition.column.name, condition.function.value, condition.values, condition.match_case]
