"""What MySQL and MariaDB say of the columns of a result, as far as it is known before its values are."""

from collections.abc import Iterator, Sequence
from typing import Any

from pymysql.constants import FIELD_TYPE, FLAG

from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family

_BINARY = 63  # the character set of what is no text
_TYPES = {
    FIELD_TYPE.TINY: ("tinyint", Family.NUMBER, Holds.INTEGER),
    FIELD_TYPE.SHORT: ("smallint", Family.NUMBER, Holds.INTEGER),
    FIELD_TYPE.INT24: ("mediumint", Family.NUMBER, Holds.INTEGER),
    FIELD_TYPE.LONG: ("int", Family.NUMBER, Holds.INTEGER),
    FIELD_TYPE.LONGLONG: ("bigint", Family.NUMBER, Holds.INTEGER),
    FIELD_TYPE.YEAR: ("year", Family.NUMBER, Holds.INTEGER),
    FIELD_TYPE.FLOAT: ("float", Family.NUMBER, Holds.SINGLE),
    FIELD_TYPE.DOUBLE: ("double", Family.NUMBER, Holds.REAL),
    FIELD_TYPE.DATE: ("date", Family.MOMENT, Holds.DATE),
    FIELD_TYPE.NEWDATE: ("date", Family.MOMENT, Holds.DATE),
    FIELD_TYPE.TIME: ("time", Family.MOMENT, Holds.TIME),
    FIELD_TYPE.DATETIME: ("datetime", Family.MOMENT, Holds.MOMENT),
    FIELD_TYPE.TIMESTAMP: ("timestamp", Family.MOMENT, Holds.MOMENT),
    FIELD_TYPE.JSON: ("json", Family.TEXT, Holds.TEXT),
}
_DECIMALS = (FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL)
_NO_TEXT = (FIELD_TYPE.BIT, FIELD_TYPE.GEOMETRY)
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)


def describe_fields(fields: Sequence[Any]) -> Sequence[Column]:
    """Give the columns that the driver's description of a result tells of."""
    return list(_describe(fields))


def _describe(fields: Sequence[Any]) -> Iterator[Column]:
    for field in fields:
        declared, family, holds = _find_type(field)
        yield Column(field.name, declared, family, may_be_real=holds in _REALS, holds=holds)


def _find_type(field: Any) -> tuple[str, Family, Holds]:
    code = field.type_code
    if code in _DECIMALS:
        # as it is declared: the length counts the point and, where there may be one, the sign
        digits = field.length - (1 if field.scale else 0) - (0 if field.flags & FLAG.UNSIGNED else 1)
        return f"decimal({digits},{field.scale})", Family.NUMBER, Holds.DECIMAL
    if code == FIELD_TYPE.LONGLONG and field.flags & FLAG.UNSIGNED:
        return "bigint unsigned", Family.NUMBER, Holds.DECIMAL  # more than 63 bits
    if code in _TYPES:
        return _TYPES[code]
    # a value that is NULL, and of no type, is described as binary data without length
    if code in _NO_TEXT or (field.charsetnr == _BINARY and field.length):
        return "binary", Family.BINARY, Holds.BINARY
    return "text", Family.TEXT, Holds.TEXT
