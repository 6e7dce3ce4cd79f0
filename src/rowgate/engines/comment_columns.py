"""Columns that a procedure's comment tells of, where its engine cannot: `columns: HostName text, Owner text; …`."""

import re

from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family
from rowgate.rows.procedure_text import parse_columns
from rowgate.rows.procedures import ParameterType

_FAMILIES = {
    **dict.fromkeys((ParameterType.INTEGER, ParameterType.NUMBER), Family.NUMBER),
    **dict.fromkeys((ParameterType.DATE, ParameterType.MOMENT), Family.MOMENT),
    ParameterType.BOOLEAN: Family.BOOLEAN,
    ParameterType.BINARY: Family.BINARY,
}
_COLUMNS = re.compile(r"\s*columns:(?P<columns>[^;]*)(?:;(?P<rest>.*))?", re.IGNORECASE | re.DOTALL)


def read_comment(comment: str) -> tuple[tuple[Column, ...], str]:
    """Give the columns that a comment tells of, if it does, and what else it says.

    >>> read_comment("columns: id integer; All of them.")[1]
    'All of them.'

    Raises:
        ProcedureFault: It tells of columns, and not as they are declared.
    """
    found = _COLUMNS.fullmatch(comment)
    if found is None:
        return (), comment
    columns = tuple(
        Column(
            column.name,
            column.type.value,
            _FAMILIES.get(column.type, Family.TEXT),
            may_be_real=column.type is ParameterType.NUMBER,
            holds=Holds.ANYTHING,
        )
        for column in parse_columns(found["columns"], 1)
    )
    return columns, (found["rest"] or "").strip()
