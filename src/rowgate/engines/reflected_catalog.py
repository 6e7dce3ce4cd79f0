"""What SQLAlchemy's inspector says of a database's tables and views, for engines of which nothing is known here."""

from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy
from sqlalchemy import types
from sqlalchemy.exc import NoSuchTableError

from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing

_KINDS: Sequence[tuple[type[object], Family, Holds]] = (  # the first that fits
    (types.Boolean, Family.BOOLEAN, Holds.BOOLEAN),
    (types.Uuid, Family.TEXT, Holds.UUID),
    (types.Integer, Family.NUMBER, Holds.INTEGER),
    (types.REAL, Family.NUMBER, Holds.SINGLE),
    (types.Float, Family.NUMBER, Holds.REAL),
    (types.Numeric, Family.NUMBER, Holds.DECIMAL),
    (types.Enum, Family.TEXT, Holds.OTHER),
    (types.String, Family.TEXT, Holds.TEXT),
    (types.DateTime, Family.MOMENT, Holds.MOMENT),
    (types.Date, Family.MOMENT, Holds.DATE),
    (types.Time, Family.MOMENT, Holds.TIME),
    (types.LargeBinary, Family.BINARY, Holds.BINARY),
    (types._Binary, Family.BINARY, Holds.BINARY),  # noqa: SLF001 - BINARY and VARBINARY have no other base
)
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)


def list_catalog(connection: sqlalchemy.Connection) -> Sequence[ObjectListing]:
    """Give the tables and views of the default schema in order of name, as the database itself spells them."""
    inspector = sqlalchemy.inspect(connection)
    views: set[str] = set()
    with suppress(NotImplementedError):
        views.update(inspector.get_view_names())
    names = {*inspector.get_table_names(), *views}
    listed = [ObjectListing(_spell(connection, name), "view" if name in views else "table") for name in names]
    return sorted(listed, key=lambda found: found.name)


def describe(connection: sqlalchemy.Connection, name: str, kind: str) -> ObjectDescription | None:
    """Give the table or view that was listed under this name as of this kind, or None: it is gone since."""
    inspector = sqlalchemy.inspect(connection)
    asked = connection.dialect.normalize_name(name) if connection.dialect.requires_name_normalize else name
    try:
        found = inspector.get_columns(asked)
        key = inspector.get_pk_constraint(asked)["constrained_columns"] if kind == "table" else []
    except (NoSuchTableError, NotImplementedError):
        return None
    columns = tuple(
        describe_column(
            _spell(connection, column["name"]),
            column["type"],
            declared=_declare(connection, column["type"]),
            never_null=column.get("nullable") is False,
        )
        for column in found
    )
    by_name = {column.name: column for column in columns}
    return ObjectDescription(name, kind, columns, tuple(by_name[_spell(connection, part)] for part in key))


def describe_column(name: str, kind: object, *, declared: str, never_null: bool) -> Column:
    """Give a column by SQLAlchemy's type."""
    family, holds = next(((f, h) for base, f, h in _KINDS if isinstance(kind, base)), (Family.TEXT, Holds.OTHER))
    if holds in (Holds.MOMENT, Holds.TIME) and getattr(kind, "timezone", False):
        holds = Holds.INSTANT if holds is Holds.MOMENT else Holds.OTHER
    if holds is Holds.OTHER:
        family = Family.TEXT
    return Column(name, declared, family, holds in _REALS, never_null, holds)


def _declare(connection: sqlalchemy.Connection, kind: types.TypeEngine[object]) -> str:
    try:
        return str(kind.compile(dialect=connection.dialect))
    except sqlalchemy.exc.CompileError:
        return type(kind).__name__


def _spell(connection: sqlalchemy.Connection, name: str) -> str:
    dialect = connection.dialect
    return str(dialect.denormalize_name(name)) if dialect.requires_name_normalize else str(name)
