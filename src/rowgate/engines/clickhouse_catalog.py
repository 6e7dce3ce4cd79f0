"""What ClickHouse says of the tables and views of the database. Its primary keys tell no row from another."""

import re
from collections.abc import Sequence

from rowgate.engines.manners import Ask
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing

_VIEWS = ("View", "MaterializedView", "LiveView", "WindowView")
_TYPES = {
    **{f"{sign}Int{bits}": (Family.NUMBER, Holds.INTEGER) for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)},
    "Float64": (Family.NUMBER, Holds.REAL),
    "Float32": (Family.NUMBER, Holds.SINGLE),
    "Decimal": (Family.NUMBER, Holds.DECIMAL),
    "Bool": (Family.BOOLEAN, Holds.BOOLEAN),
    "String": (Family.TEXT, Holds.TEXT),
    "UUID": (Family.TEXT, Holds.UUID),
    "Date": (Family.MOMENT, Holds.DATE),
    "Date32": (Family.MOMENT, Holds.DATE),
    "DateTime": (Family.MOMENT, Holds.MOMENT),  # an instant, whatever zone it is declared with: given in UTC
    "DateTime64": (Family.MOMENT, Holds.MOMENT),
}
_OTHER = (Family.TEXT, Holds.OTHER)  # enumerations, addresses, arrays, maps, fixed-length text: read as their text
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)
_WRAPPED = re.compile(r"(Nullable|LowCardinality)\((.*)\)", re.DOTALL)

# what a materialized view keeps its rows in has a name that begins with `.inner`
_LIST = (
    "SELECT name, engine FROM system.tables WHERE database = currentDatabase() "
    "AND NOT startsWith(name, '.inner') ORDER BY name"
)
_FIND = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = %s"
_COLUMNS = (
    "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = %s "
    "AND default_kind <> 'EPHEMERAL' ORDER BY position"
)
_DATABASE = "SELECT 1 FROM system.databases WHERE name = currentDatabase()"


def list_catalog(ask: Ask) -> Sequence[ObjectListing]:
    """Give the tables and views in order of name."""
    return [ObjectListing(name, _name_kind(engine)) for name, engine in ask(_LIST)]


def has_database(ask: Ask) -> bool:
    """Tell whether the database is there."""
    return bool(ask(_DATABASE))


def describe(ask: Ask, name: str) -> ObjectDescription | None:
    """Give the table or view of exactly this name, or None."""
    found = ask(_FIND, name)
    if not found or name.startswith(".inner"):
        return None
    columns = tuple(describe_column(column, declared) for column, declared in ask(_COLUMNS, name))
    return ObjectDescription(name, _name_kind(found[0][0]), columns, ())


def describe_column(name: str, declared: str) -> Column:
    """Give a column by its declared type, such as `LowCardinality(Nullable(String))`."""
    never_null, base = True, declared
    while wrapped := _WRAPPED.fullmatch(base):
        never_null = never_null and wrapped[1] != "Nullable"
        base = wrapped[2]
    family, holds = _TYPES.get(base.partition("(")[0], _OTHER)
    collation = Collation.CODE_POINT if holds is Holds.TEXT else Collation.UNKNOWN
    return Column(name, declared, family, holds in _REALS, never_null, holds, collation)


def _name_kind(engine: str) -> str:
    return "view" if engine in _VIEWS else "table"
