"""What a PostgreSQL database says of its own tables and views.

An object of the search path goes by its name alone, one of another schema by `schema.table`. What the account may not
read does not exist.
"""

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rowgate.engines.postgres_session import Session, ask
from rowgate.engines.postgres_values import BOOL, BYTEA, FLOAT4, FLOAT8, INT2, INT4, INT8, NUMERIC
from rowgate.rows.dialects.postgres import POSTGRES, PostgresDialect
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing, Statement

_KINDS = {"r": "table", "p": "table", "f": "table", "v": "view", "m": "view"}
_TYPES = {
    INT2: (Family.NUMBER, Holds.INTEGER),
    INT4: (Family.NUMBER, Holds.INTEGER),
    INT8: (Family.NUMBER, Holds.INTEGER),
    NUMERIC: (Family.NUMBER, Holds.DECIMAL),
    FLOAT8: (Family.NUMBER, Holds.REAL),
    FLOAT4: (Family.NUMBER, Holds.SINGLE),
    BOOL: (Family.BOOLEAN, Holds.BOOLEAN),
    BYTEA: (Family.BINARY, Holds.BINARY),
    25: (Family.TEXT, Holds.TEXT),  # text
    1043: (Family.TEXT, Holds.TEXT),  # varchar
    1082: (Family.MOMENT, Holds.DATE),
    1083: (Family.MOMENT, Holds.TIME),
    1114: (Family.MOMENT, Holds.MOMENT),  # timestamp
    1184: (Family.MOMENT, Holds.INSTANT),  # timestamptz
    2950: (Family.TEXT, Holds.UUID),
}
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)
_BY_CODE_POINT = re.compile(r"(C|POSIX|ucs_basic|pg_c_utf8)(\.utf-?8)?", re.IGNORECASE)
_DEFAULT_COLLATION = "default"

# the server's own schemas are no data; a relation counts when some column of it may be read
_READABLE = (
    "c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' "
    "AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')"
)
_RELATIONS = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE"
# the search path comes last, and so wins the name: there is one object of each
_LIST = (
    "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END, c.relkind "
    f"{_RELATIONS} {_READABLE} ORDER BY pg_table_is_visible(c.oid)"
)
_FOUND = f"SELECT c.oid, n.nspname, c.relname, c.relkind, c.relhassubclass {_RELATIONS} {_READABLE} AND "
_FIND = _FOUND + "c.relname = CAST($1 AS text) AND pg_table_is_visible(c.oid)"
_FIND_QUALIFIED = (
    _FOUND + "n.nspname || '.' || c.relname = CAST($1 AS text) COLLATE \"C\" AND NOT pg_table_is_visible(c.oid)"
)
_COLUMNS = """
SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), base.oid, a.attnotnull,
       CASE WHEN co.collnamespace = 'pg_catalog'::regnamespace THEN co.collname END, co.collisdeterministic
FROM pg_attribute a
CROSS JOIN LATERAL (
  WITH RECURSIVE b AS (
    SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
    UNION ALL SELECT t.oid, t.typtype, t.typbasetype FROM b JOIN pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
  ) SELECT b.oid FROM b WHERE b.typtype <> 'd'
) base
LEFT JOIN pg_collation co ON co.oid = a.attcollation
WHERE a.attrelid = CAST($1 AS oid) AND a.attnum > 0 AND NOT a.attisdropped
  AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attnum
"""
_KEYS = """
SELECT CAST(i.indkey AS text), i.indnkeyatts, i.indisprimary
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = CAST($1 AS oid) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY NOT i.indisprimary, i.indnkeyatts, c.relname
"""
_DATABASE = """
SELECT current_setting('server_encoding'), coalesce(to_json(d)->>'datlocprovider', 'c'), d.datcollate
FROM pg_database d WHERE d.datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Traits:
    """What holds for a whole database."""

    dialect: PostgresDialect
    collation: Collation  # of columns that name none


def read_traits(session: Session) -> Traits:
    """Give what statements must know of the database."""
    [(encoding, provider, collate)] = ask(session, _DATABASE)
    is_by_code_point = provider == "b" or (provider == "c" and bool(_BY_CODE_POINT.fullmatch(str(collate))))
    collation = Collation.CODE_POINT if is_by_code_point else Collation.LINGUISTIC
    if encoding == "UTF8":
        return Traits(POSTGRES, collation)
    dialect = replace(POSTGRES, codec=_find_codec(str(encoding)), orders_by_code_point=False)
    return Traits(dialect, collation)


def _find_codec(encoding: str) -> str:
    """Give Python's name for an encoding of the server; ASCII where there is none, as for SQL_ASCII."""
    name = re.sub(r"^WIN", "cp", encoding).replace("KOI8", "KOI8_")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"


def list_catalog(session: Session) -> Sequence[ObjectListing]:
    """Give the tables and views in order of name."""
    found = {str(name): ObjectListing(str(name), _KINDS[str(kind)]) for name, kind in ask(session, _LIST)}
    return sorted(found.values(), key=lambda listed: listed.name)


def describe(session: Session, name: str, default: Collation) -> ObjectDescription | None:
    """Give the table or view of exactly this name, or None; `default` is the collation of columns that name none."""
    if "\0" in name:
        return None
    found = ask(session, _FIND, (name,))
    if not found and "." in name:
        found = ask(session, _FIND_QUALIFIED, (name,))
    if len(found) != 1:  # several: their schemas' names hold dots, and nobody can tell which is meant
        return None
    number, schema, relation, kind, has_children = found[0]
    columns = {int(str(row[0])): make_column(row, default) for row in ask(session, _COLUMNS, (number,))}
    # the children of a table by inheritance have rows that its indexes do not know
    keys = () if kind == "r" and has_children else ask(session, _KEYS, (number,))
    return ObjectDescription(
        name, _KINDS[str(kind)], tuple(columns.values()), _choose_key(columns, keys), path=(str(schema), str(relation))
    )


def _choose_key(columns: Mapping[int, Column], keys: Sequence[Any]) -> tuple[Column, ...]:
    """Give the columns of the primary key, else of the shortest unique index of columns that are never NULL."""
    for numbers, length, _ in keys:
        key = [columns.get(int(number)) for number in str(numbers).split()[:length]]
        if all(column is not None and column.never_null for column in key):
            return tuple([column for column in key if column is not None])
    return ()


def make_column(row: Any, default: Collation) -> Column:
    """Give a column: its number, name, declared type, base type, whether it is never NULL, its collation.

    `default` is the collation of columns that name none.
    """
    _, name, declared, base, is_not_null, collation, is_deterministic = row
    family, holds = _TYPES.get(int(base), (Family.TEXT, Holds.OTHER))
    return Column(
        name=name,
        declared_type=declared,
        family=family,
        may_be_real=holds in _REALS,
        never_null=is_not_null,
        holds=holds,
        collation=_find_collation(collation, default, is_deterministic=is_deterministic is not False),
    )


def _find_collation(name: str | None, default: Collation, *, is_deterministic: bool) -> Collation:
    if not is_deterministic:
        return Collation.UNKNOWN
    if name == _DEFAULT_COLLATION:
        return default
    return Collation.CODE_POINT if name and _BY_CODE_POINT.fullmatch(name) else Collation.LINGUISTIC


def find_estimate(session: Session, statement: Statement) -> int:
    """Give about how many rows a statement has, as the planner thinks."""
    [(told,)] = ask(session, "EXPLAIN (FORMAT JSON) " + statement.text, statement.parameters)
    return int(json.loads(str(told))[0]["Plan"]["Plan Rows"])
