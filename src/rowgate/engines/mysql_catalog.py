"""What a MySQL or MariaDB database says of its own tables and views. One database is served, the address names it."""

import re
from collections.abc import Sequence

from rowgate.engines.manners import Ask
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing

_KINDS = {"BASE TABLE": "table", "SYSTEM VERSIONED": "table", "VIEW": "view"}
_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), (Family.NUMBER, Holds.INTEGER)),
    "decimal": (Family.NUMBER, Holds.DECIMAL),
    "float": (Family.NUMBER, Holds.SINGLE),
    "double": (Family.NUMBER, Holds.REAL),
    **dict.fromkeys(
        ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json"),
        (Family.TEXT, Holds.TEXT),
    ),
    **dict.fromkeys(("uuid", "inet4", "inet6"), (Family.TEXT, Holds.OTHER)),
    "date": (Family.MOMENT, Holds.DATE),
    "time": (Family.MOMENT, Holds.TIME),
    "datetime": (Family.MOMENT, Holds.MOMENT),
    "timestamp": (Family.MOMENT, Holds.MOMENT),  # the session's zone is UTC
}
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)
# of no language: those of some take two letters for one, in one case and not in another
CASELESS = re.compile(
    r"utf8(mb[34])?_(general|unicode|unicode_520|uca1400|0900)(_nopad)?(_a[is])?_ci|latin1_(swedish|general)_ci|ascii_general_ci"
)
_OTHER = (Family.BINARY, Holds.BINARY)  # binary data, bits, geometry

_LIST = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE()"
_FIND = _LIST + " AND table_name = %s"
_COLUMNS = (
    "SELECT table_name, column_name, data_type, column_type, is_nullable, character_set_name, collation_name "
    "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position"
)
_KEY = (
    "SELECT table_name, column_name FROM information_schema.statistics "
    "WHERE table_schema = DATABASE() AND table_name = %s AND index_name = 'PRIMARY' ORDER BY seq_in_index"
)


def list_catalog(ask: Ask) -> Sequence[ObjectListing]:
    """Give the tables and views in order of name."""
    return sorted(
        (ObjectListing(name, _KINDS[kind]) for name, kind in ask(_LIST) if kind in _KINDS), key=lambda found: found.name
    )


def describe(ask: Ask, name: str, collation: str) -> ObjectDescription | None:
    """Give the table or view of exactly this name, or None; `collation` is the one that compares by code point."""
    # the catalog compares as its collation does, or as the file system
    kinds = [kind for found, kind in ask(_FIND, name) if found == name and kind in _KINDS]
    if not kinds:
        return None
    columns = tuple(
        _describe_column(
            column,
            data_type,
            declared,
            never_null=is_nullable == "NO",
            collation=_find_collation(
                data_type, charset, collated, by_code_point=collation, is_view=kinds[0] == "VIEW"
            ),
        )
        for found, column, data_type, declared, is_nullable, charset, collated in ask(_COLUMNS, name)
        if found == name
    )
    by_name = {column.name: column for column in columns}
    key = tuple(by_name[column] for found, column in ask(_KEY, name) if found == name)
    return ObjectDescription(name, _KINDS[kinds[0]], columns, key)


def _find_collation(
    data_type: str, charset: str | None, collated: str | None, *, by_code_point: str, is_view: bool
) -> Collation:
    if charset is None or collated is None or data_type.lower() in ("enum", "set"):  # these compare by their number
        return Collation.UNKNOWN
    if charset == "utf8mb4" and collated == by_code_point:
        return Collation.CODE_POINT
    if is_view:  # what it shows may be a literal, which has no more right to its collation than a value
        return Collation.UNKNOWN
    is_caseless = CASELESS.fullmatch(collated) is not None
    if charset == "utf8mb4":
        return Collation.CASELESS if is_caseless else Collation.LOOSE
    # to compare with a character that the column's set does not have is an error
    return Collation.CASELESS_OF_FEW if is_caseless else Collation.UNKNOWN


def _describe_column(name: str, data_type: str, declared: str, *, never_null: bool, collation: Collation) -> Column:
    family, holds = _TYPES.get(data_type.lower(), _OTHER)
    if holds is Holds.INTEGER and "bigint" in declared and "unsigned" in declared:
        holds = Holds.DECIMAL  # more than 63 bits
    return Column(
        name,
        declared,
        family,
        may_be_real=holds in _REALS,
        never_null=never_null,
        holds=holds,
        collation=collation,
    )
