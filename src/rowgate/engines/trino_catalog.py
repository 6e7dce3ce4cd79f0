"""What Trino says of the tables and views of a schema. It knows no keys, and all its names are in small letters."""

from collections.abc import Sequence

from rowgate.engines.manners import Ask
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing

_KINDS = {"BASE TABLE": "table", "VIEW": "view", "MATERIALIZED VIEW": "view"}
_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), (Family.NUMBER, Holds.INTEGER)),
    "decimal": (Family.NUMBER, Holds.DECIMAL),
    "double": (Family.NUMBER, Holds.REAL),
    "real": (Family.NUMBER, Holds.SINGLE),
    "boolean": (Family.BOOLEAN, Holds.BOOLEAN),
    "varchar": (Family.TEXT, Holds.TEXT),
    "uuid": (Family.TEXT, Holds.UUID),
    "varbinary": (Family.BINARY, Holds.BINARY),
    "date": (Family.MOMENT, Holds.DATE),
    "time": (Family.MOMENT, Holds.TIME),
    "timestamp": (Family.MOMENT, Holds.MOMENT),
    "timestamp with time zone": (Family.MOMENT, Holds.INSTANT),
}
_OTHER = (Family.TEXT, Holds.OTHER)  # fixed-length text, arrays, rows, JSON: read as their text
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)

_LIST = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name"
_FIND = "SELECT table_type FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
_COLUMNS = (
    "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position"
)
_SCHEMA = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?"


def list_catalog(ask: Ask, schema: str) -> Sequence[ObjectListing]:
    """Give the tables and views in order of name."""
    return [ObjectListing(name, _KINDS[kind]) for name, kind in ask(_LIST, schema) if kind in _KINDS]


def has_schema(ask: Ask, schema: str) -> bool:
    """Tell whether the schema is there."""
    return bool(ask(_SCHEMA, schema))


def describe(ask: Ask, schema: str, name: str) -> ObjectDescription | None:
    """Give the table or view of exactly this name, or None."""
    kinds = [kind for (kind,) in ask(_FIND, schema, name) if kind in _KINDS]
    if not kinds:
        return None
    columns = tuple(
        describe_column(column, declared, never_null=is_nullable == "NO")
        for column, declared, is_nullable in ask(_COLUMNS, schema, name)
    )
    return ObjectDescription(name, _KINDS[kinds[0]], columns, ())


def describe_column(name: str, declared: str, *, never_null: bool) -> Column:
    """Give a column by its declared type, such as `timestamp(3) with time zone`."""
    base, opened, rest = declared.partition("(")
    family, holds = _TYPES.get(base + (rest.partition(")")[2] if opened else ""), _OTHER)
    collation = Collation.CODE_POINT if holds is Holds.TEXT else Collation.UNKNOWN
    return Column(name, declared, family, holds in _REALS, never_null, holds, collation)
