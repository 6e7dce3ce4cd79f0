"""In which order columns are copied out in PostgreSQL's binary form; what reads them has to know. Data only."""

from collections.abc import Sequence

from rowgate.rows.holds import Holds
from rowgate.rows.model import Column

NUMBERS = frozenset(
    {Holds.INTEGER, Holds.REAL, Holds.SINGLE, Holds.BOOLEAN} | {Holds.DATE, Holds.MOMENT, Holds.INSTANT}
)  # come as numbers, all of a column's of one length


def order_copied(columns: Sequence[Column]) -> list[int]:
    """Give the places of the columns in the order in which they come.

    Numbers first, and those that are never NULL before the others: as long as no NULL comes they stand at the same
    places of each row.
    """
    return sorted(range(len(columns)), key=lambda place: _rank(columns[place]))


def _rank(column: Column) -> int:
    return (1 if column.never_null else 2) if column.holds in NUMBERS else 3
