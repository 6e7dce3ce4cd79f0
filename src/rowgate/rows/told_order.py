"""Orders the rows of an answer by what its reader may know, wherever something of the object is hidden or masked.

An engine gives rows in the order in which it finds them. With an index on (department, salary) that is the order of
the salaries, and would tell who earns more without ever showing one.
"""

from collections.abc import Sequence

from rowgate.rows.holds import Holds
from rowgate.rows.model import Aggregate, Column, ObjectDescription, Order
from rowgate.rows.paging import break_ties
from rowgate.rows.procedures import PROCEDURE


def complete_order(
    order_by: tuple[Order, ...],
    complete: ObjectDescription,
    known: ObjectDescription,
    *,
    row_key: Sequence[Column],
    answered: Sequence[Column],
    computed: Sequence[Aggregate],
    distinct: bool,
) -> tuple[Order, ...]:
    """Give what to sort by so that nothing but what is known decides on the order, or on what a limit leaves.

    Rows that are alike in all that is known stay as the engine gives them. Where nothing masked is shown they cannot be
    told apart; where it is, only a key in sight keeps their order from telling.

    Args:
        order_by: What was asked for.
        complete: The object with all its columns.
        known: The object as the reader may know it.
        row_key: The columns that tell all rows apart, if all of them are granted; a narrower token need not know them.
        answered: The columns of the answer, its groups first.
        computed: What is computed of them.
        distinct: Whether rows are made one by what is answered.
    """
    is_whole = known.columns == complete.columns
    if is_whole or complete.kind == PROCEDURE:
        return order_by
    if computed or distinct:
        further: Sequence[Column] = answered
    elif row_key:
        further = row_key
    else:
        shows_masked = any(column.mask is not None for column in answered)
        further = [
            column
            for column in (known.columns if shows_masked else answered)
            if column.mask is None and column.holds is not Holds.OTHER  # of such some engines sort nothing
        ]
    return break_ties(order_by, further)
