"""What is put on record of a read."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from rowgate.audit.events import RowsEnded, RowsOpened
from rowgate.rows.coding import Coding
from rowgate.rows.comparison import sorted_values
from rowgate.rows.model import Aggregate, AnyCondition, Column, ConditionGroup, Counting, Order
from rowgate.rows.procedures import Call
from rowgate.service.reading import Reading

MAX_VALUE_ON_RECORD = 200  # characters of a filter's value, or a parameter's
MAX_VALUES_ON_RECORD = 20  # of one filter or parameter
COMPLETE, CUT, FAILED = "complete", "cut", "failed"  # how a read ends


def tell_opened(reading: Reading, now: float, event: type[RowsOpened] = RowsOpened) -> RowsOpened:
    """Give the event of a read that is about to send rows, or of another that tells the same of it."""
    plan, access, page = reading.plan, reading.access, reading.plan.page
    comparison = reading.comparison
    return event(
        at=now,
        request_id=reading.origin.request_id,
        source=reading.origin.source,
        client_id=access.client_id,
        application=access.application_name,
        token_id=access.token_id,
        object=plan.object.name,
        columns=tuple(column.name for column in (comparison.read if comparison else plan).columns),
        filters=tuple(_render_condition(condition) for condition in plan.conditions),
        group_by=tuple(column.name for column in plan.group_by),
        order_by=tuple(_render_order(order) for order in plan.order_by if not order.is_key),
        run="latest" if plan.latest_run else "",
        limit=plan.limit if page is None else page.size,
        offset=plan.offset,
        format=reading.format.value,
        actors=access.actors,
        aggregates=tuple(_render_aggregate(aggregate) for aggregate in plan.aggregates),
        distinct=plan.distinct,
        page="" if page is None else "first" if page.after is None else "next",
        count=plan.count.value if plan.count is not Counting.NONE else "",
        compared_with=tuple(sorted_values(comparison.old)) if comparison else (),
        procedure=reading.call is not None,
        parameters=() if reading.call is None else render_parameters(reading.call),
        masks=tuple(f"{column.name}={column.mask.value}" for column in plan.columns if column.mask),
        rule=tuple(_render_condition(condition) for condition in plan.rule),
    )


def render_parameters(call: Call) -> tuple[object, ...]:
    """Give what a procedure was called with: the name of each parameter, then its value or rows, each cut."""
    return tuple(_render_given(*given) for given in call.given)


def _render_order(order: Order) -> str:
    name = order.by.name if isinstance(order.by, Column) else order.by.result.name
    nulls = "" if order.nulls_first is not order.descending else " nulls first" if order.nulls_first else " nulls last"
    return name + (" desc" if order.descending else "") + nulls


def _render_aggregate(aggregate: Aggregate) -> str:
    return aggregate.function.value + (f"({aggregate.column.name})" if aggregate.column else "")


def _render_condition(condition: AnyCondition) -> tuple[object, ...]:
    if isinstance(condition, ConditionGroup):
        return (condition.connective.value, *(_render_condition(member) for member in condition.members))
    function = condition.function.value + (" in case" if condition.match_case else "")
    return (condition.column.name, function, *_render_values(condition.values))


def _render_given(name: str, value: object) -> tuple[object, ...]:
    return (name, *_render_values(value if isinstance(value, (list, tuple)) else (value,)))


def _render_values(values: Sequence[object]) -> Iterator[object]:
    """Give the first values, each cut; a row of a table as what it holds."""
    for value in values[:MAX_VALUES_ON_RECORD]:
        if isinstance(value, dict):
            members = islice(value.items(), MAX_VALUES_ON_RECORD)
            yield {str(name)[:MAX_VALUE_ON_RECORD]: _cut(member) for name, member in members}
        else:
            yield _cut(value)
    if len(values) > MAX_VALUES_ON_RECORD:
        yield f"… and {len(values) - MAX_VALUES_ON_RECORD} more"


def _cut(value: object) -> object:
    if isinstance(value, (dict, list)):  # within JSON
        value = msgspec.json.encode(value).decode()
    return value[:MAX_VALUE_ON_RECORD] if isinstance(value, (str, bytes)) else value


def tell_ended(reading: Reading, now: float, outcome: str, reason: str) -> RowsEnded:
    """Give the event of a read that is over."""
    return RowsEnded(
        at=now,
        request_id=reading.origin.request_id,
        source=reading.origin.source,
        client_id=reading.access.client_id,
        application=reading.access.application_name,
        token_id=reading.access.token_id,
        object=reading.plan.object.name,
        rows=reading.rows,
        bytes=reading.body.bytes,
        seconds=round(time.monotonic() - reading.begun, 6),
        outcome=outcome,
        reason=reason,
        sha256=reading.body.digest.hex() if outcome == COMPLETE and not reason else "",
        coding=reading.body.coding.value if reading.body.coding is not Coding.IDENTITY else "",
        sent_bytes=reading.body.sent_bytes if reading.body.coding is not Coding.IDENTITY else 0,
        format=reading.format.value,
    )
