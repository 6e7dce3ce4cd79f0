"""Finds the columns that a request names, among those that it may know of and use so."""

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.model import Column, ObjectDescription

_MOST_NAMES_TOLD = 60


def find_column(described: ObjectDescription, name: str) -> Column | None:
    """Give the column: exactly so spelled, else the only one that is so but for case (O-45); None: there is none."""
    return described.by_name.get(name) or described.by_folded_name.get(fold(name))


def require_column(described: ObjectDescription, name: str, field: str, *, may_follow: str = "") -> Column:
    """Give the column as `find_column` does; a refusal says what `may_follow` the name, too.

    Raises:
        InvalidParameter: There is none, or several; told with the names that there are.
    """
    found = find_column(described, name)
    if found is not None:
        return found
    names = [column.name for column in described.columns]
    told = ", ".join(names[:_MOST_NAMES_TOLD]) + (", …" if len(names) > _MOST_NAMES_TOLD else "")
    if fold(name) in described.by_folded_name:
        raise InvalidParameter("Several columns differ from this name in case only.", field=field, expected=told)
    raise InvalidParameter("The object has no such column.", field=field, expected=f"one of {told}{may_follow}")


def require_bare_column(described: ObjectDescription, name: str, field: str, *, may_follow: str = "") -> Column:
    """Give the column as `require_column` does, for a use that would tell of its values.

    Raises:
        InvalidParameter: As there; or it is masked.
    """
    column = require_column(described, name, field, may_follow=may_follow)
    if column.mask is not None:
        raise refuse_masked(column, field)
    return column


def refuse_masked(column: Column, field: str) -> InvalidParameter:
    """Give the refusal of any use of a masked column but reading it."""
    return InvalidParameter(
        f"The column {column.name} is masked: it can be read, and nothing else.",
        field=field,
        expected="a column that is not masked",
    )
