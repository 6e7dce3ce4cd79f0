"""What DuckDB says of the tables and views that are served."""

from collections.abc import Sequence

from rowgate.engines.manners import Ask
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing

_KINDS = {"BASE TABLE": "table", "VIEW": "view"}
_TYPES = {
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
        (Family.NUMBER, Holds.INTEGER),
    ),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), (Family.NUMBER, Holds.DECIMAL)),
    "DECIMAL": (Family.NUMBER, Holds.DECIMAL),
    "DOUBLE": (Family.NUMBER, Holds.REAL),
    "FLOAT": (Family.NUMBER, Holds.SINGLE),
    "BOOLEAN": (Family.BOOLEAN, Holds.BOOLEAN),
    "VARCHAR": (Family.TEXT, Holds.TEXT),
    "UUID": (Family.TEXT, Holds.UUID),
    "BLOB": (Family.BINARY, Holds.BINARY),
    "DATE": (Family.MOMENT, Holds.DATE),
    "TIME": (Family.MOMENT, Holds.TIME),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), (Family.MOMENT, Holds.MOMENT)),
    "TIMESTAMP WITH TIME ZONE": (Family.MOMENT, Holds.INSTANT),
}
_OTHER = (Family.TEXT, Holds.OTHER)  # lists, structures, spans of time: read as their text
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)

_HERE = "table_catalog = current_database() AND table_schema = current_schema()"
_LIST = f"SELECT table_name, table_type FROM information_schema.tables WHERE {_HERE} ORDER BY table_name"  # noqa: S608 - our own text
_FIND = f"SELECT table_type FROM information_schema.tables WHERE {_HERE} AND table_name = $1"  # noqa: S608 - as above
_COLUMNS = (
    f"SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE {_HERE} AND table_name = $1 "  # noqa: S608 - as above
    "ORDER BY ordinal_position"
)
_KEY = (
    "SELECT unnest(constraint_column_names) FROM duckdb_constraints() WHERE database_name = current_database() "
    "AND schema_name = current_schema() AND table_name = $1 AND constraint_type = 'PRIMARY KEY'"
)


def list_catalog(ask: Ask) -> Sequence[ObjectListing]:
    """Give the tables and views in order of name."""
    return [ObjectListing(name, _KINDS[kind]) for name, kind in ask(_LIST) if kind in _KINDS]


def describe(ask: Ask, name: str) -> ObjectDescription | None:
    """Give the table or view of exactly this name, or None."""
    kinds = [kind for (kind,) in ask(_FIND, name) if kind in _KINDS]
    if not kinds:
        return None
    columns = tuple(
        describe_column(column, declared, never_null=is_nullable == "NO")
        for column, declared, is_nullable in ask(_COLUMNS, name)
    )
    by_name = {column.name: column for column in columns}
    key = tuple(by_name[column] for (column,) in ask(_KEY, name))
    return ObjectDescription(name, _KINDS[kinds[0]], columns, key)


def describe_column(name: str, declared: str, *, never_null: bool) -> Column:
    """Give a column by its declared type."""
    plain = declared if declared in _TYPES else declared.partition("(")[0]
    family, holds = _TYPES.get(plain, _OTHER) if not declared.endswith("]") else _OTHER
    collation = Collation.UNKNOWN if holds in (Holds.TEXT, Holds.OTHER) else Collation.CODE_POINT
    return Column(name, declared, family, holds in _REALS, never_null, holds, collation)
