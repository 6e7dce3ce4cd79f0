"""What DuckDB says of the tables and views that are served."""

from collections.abc import Mapping

from rowgate.engines.manners import Ask
from rowgate.rows.dialects.duckdb import DUCKDB
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Column, Family, ObjectDescription

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
_COLUMNS = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY cid'
_KEY = (
    "SELECT unnest(constraint_column_names) FROM duckdb_constraints() WHERE database_name = current_database() "
    "AND schema_name = current_schema() AND table_name = $1 AND constraint_type = 'PRIMARY KEY'"
)


def list_kinds(ask: Ask) -> Mapping[str, str]:
    """Give the kind of each table and view by its name, in order of name."""
    return {name: _KINDS[kind] for name, kind in ask(_LIST) if kind in _KINDS}


def describe(ask: Ask, name: str, kind: str) -> ObjectDescription:
    """Give a table or view that there is, of exactly this name."""
    columns: list[Column] = []
    key: list[str] = []
    # by the pragma, for the views of columns and constraints look at every object, of which there may be thousands
    for column, declared, never_null, is_in_key in ask(_COLUMNS, DUCKDB.quote(name)):
        columns.append(describe_column(column, declared, never_null=never_null))
        if is_in_key:
            key.append(column)
    if len(key) > 1:  # only these say in which order they are
        key = [column for (column,) in ask(_KEY, name)]
    by_name = {column.name: column for column in columns}
    return ObjectDescription(name, kind, tuple(columns), tuple(by_name[column] for column in key))


def describe_column(name: str, declared: str, *, never_null: bool) -> Column:
    """Give a column by its declared type."""
    plain = declared if declared in _TYPES else declared.partition("(")[0]
    family, holds = _TYPES.get(plain, _OTHER) if not declared.endswith("]") else _OTHER
    collation = Collation.UNKNOWN if holds in (Holds.TEXT, Holds.OTHER) else Collation.CODE_POINT
    return Column(name, declared, family, holds in _REALS, never_null, holds, collation)
