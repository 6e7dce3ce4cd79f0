"""What a PostgreSQL database says of its functions and procedures, and how they are called.

Rule: one is served when EXECUTE was granted to the account, or to a role that it has, by name. What everybody
may execute, as PostgreSQL lets everybody by default, was not meant for here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rowgate.engines.call_errors import refuse_values, refuse_writing
from rowgate.engines.postgres_catalog import make_column
from rowgate.engines.postgres_session import Session, ask
from rowgate.rows.dialects.postgres import POSTGRES
from rowgate.rows.errors import EngineFailure, InvalidParameter, RowsError
from rowgate.rows.fold import fold
from rowgate.rows.holds import Collation
from rowgate.rows.model import Column, ObjectListing
from rowgate.rows.procedures import PROCEDURE, Argument, Parameter, ParameterType, Piece, Procedure, TableColumn

_CALLABLE = """
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND EXISTS (
    SELECT FROM aclexplode(p.proacl) g
    WHERE g.grantee <> 0 AND g.privilege_type = 'EXECUTE' AND pg_has_role(g.grantee, 'USAGE')
  )
"""
# visible by the search path: another function of its name and parameters may still stand before it
_NAME = "CASE WHEN n.nspname = ANY (current_schemas(false)) THEN p.proname ELSE n.nspname || '.' || p.proname END"
_LIST = f"SELECT DISTINCT {_NAME} {_CALLABLE}"
_FIND = f"""
SELECT n.nspname, p.proname, p.prorettype, p.provariadic <> 0, p.pronargdefaults,
       to_json(coalesce(p.proallargtypes, CAST(p.proargtypes AS oid[]))), to_json(p.proargmodes),
       to_json(p.proargnames), obj_description(p.oid, 'pg_proc'), p.prokind = 'p'
{_CALLABLE} AND {_NAME} = CAST($1 AS text) COLLATE "C"
"""
_TYPES = """
SELECT t.oid, format_type(t.oid, NULL), base.oid, base.typcategory, base.typelem, base.typrelid,
       CASE WHEN co.collnamespace = 'pg_catalog'::regnamespace THEN co.collname END, co.collisdeterministic
FROM pg_type t
CROSS JOIN LATERAL (
  WITH RECURSIVE b AS (
    SELECT t.oid, t.typtype, t.typbasetype
    UNION ALL SELECT u.oid, u.typtype, u.typbasetype FROM b JOIN pg_type u ON b.typtype = 'd' AND u.oid = b.typbasetype
  ) SELECT u.* FROM b JOIN pg_type u ON u.oid = b.oid WHERE b.typtype <> 'd'
) base
LEFT JOIN pg_collation co ON co.oid = t.typcollation
WHERE t.oid IN (SELECT CAST(value AS oid) FROM json_array_elements_text(CAST($1 AS json)))
"""
_ATTRIBUTES = """
SELECT attname, atttypid FROM pg_attribute
WHERE attrelid = CAST($1 AS oid) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_RECORD, _VOID = 2249, 2278
_CURSOR, _CURSORS = 1790, 2201
_ENDS_TRANSACTION = "2D"
_IN, _OUT = ("i", "b"), ("o", "b", "t")
_KINDS = {
    **dict.fromkeys((20, 21, 23), ParameterType.INTEGER),
    **dict.fromkeys((700, 701, 1700), ParameterType.NUMBER),
    **dict.fromkeys((1114, 1184), ParameterType.MOMENT),
    **dict.fromkeys((114, 3802), ParameterType.JSON),
    16: ParameterType.BOOLEAN,
    17: ParameterType.BINARY,
    1082: ParameterType.DATE,
}
_READ_ONLY = ("25001", "25006")  # a try to leave the read-only transaction, and a try to write in it
_OF_THE_VALUES = ("22", "23", "P0")  # data exceptions, broken constraints, what a function raises itself


@dataclass(frozen=True, slots=True)
class _Type:
    """A type as far as calls must know it."""

    name: str  # as SQL has it, quoted and with its schema where it needs to be
    base: int
    category: str
    element: int
    relation: int
    collation: str | None
    is_deterministic: bool


class _FaultError(Exception):
    """It cannot be called; the text says why."""


def list_functions(session: Session) -> Sequence[ObjectListing]:
    """Give the functions that may be called."""
    return [ObjectListing(str(name), PROCEDURE) for (name,) in ask(session, _LIST)]


def describe_function(session: Session, name: str, default: Collation) -> Procedure | None:
    """Give the function of exactly this name, or None; `default` is the collation of columns that name none."""
    if "\0" in name:
        return None
    found = ask(session, _FIND, (name,))
    if not found:
        return None
    if len(found) > 1:
        return Procedure(
            name, PROCEDURE, (), fault="several functions have this name: let the account have one of them"
        )
    try:
        return _Reader(session, default).describe(name, found[0])
    except _FaultError as fault:
        return Procedure(name, PROCEDURE, (), fault=str(fault))


class _Reader:
    """Describes one function."""

    def __init__(self, session: Session, default: Collation) -> None:
        self._session = session
        self._default = default

    def describe(self, name: str, row: Any) -> Procedure:
        schema, own_name, result, is_variadic, defaults, types, modes, names, comment, is_held = row
        types = [int(number) for number in _read_list(types)]
        modes = _read_list(modes) or ["i"] * len(types)
        names = _read_list(names) or [""] * len(types)
        if is_variadic:
            raise _FaultError("it takes any number of values (VARIADIC)")
        known = self._find_types([*types, int(result)])
        taken = [(n, known[t]) for n, t, mode in zip(names, types, modes, strict=True) if mode in _IN]
        given = [(n, t) for n, t, mode in zip(names, types, modes, strict=True) if mode in _OUT]
        if not all(parameter for parameter, _ in taken) or len({fold(n) for n, _ in taken}) < len(taken):
            raise _FaultError("its parameters need names, each of its own")
        arguments = tuple(
            self._make_argument(parameter, kind, has_default=place >= len(taken) - int(defaults))
            for place, (parameter, kind) in enumerate(taken)
        )
        columns = self._list_columns(str(own_name), int(result), given, known)
        if any(t in (_CURSOR, _CURSORS) for t in types):
            raise _FaultError("it hands out cursors: give the rows themselves")
        if len({fold(column.name) for column in columns}) < len(columns):
            raise _FaultError("its columns need names, each of its own")
        call = f"{_quote(schema)}.{_quote(own_name)}("
        handed_out = [n for n, mode in zip(names, modes, strict=True) if mode == "o"]
        query: tuple[Piece, ...] = (f"SELECT * FROM {call}", arguments, ")")  # noqa: S608 - quoted catalog names
        if is_held:
            if not all(handed_out):
                raise _FaultError("its parameters need names, each of its own")
            if any(isinstance(one.parameter.type, tuple) for one in arguments if one.parameter):
                raise _FaultError("it takes an array, and a call takes none: write a function")
            query = (f"CALL {call}", (*arguments, *[Argument(f"{_quote(n)} => NULL", None) for n in handed_out]), ")")
        return Procedure(
            name,
            PROCEDURE,
            columns,
            path=(str(schema), str(own_name)),
            parameters=tuple([argument.parameter for argument in arguments if argument.parameter is not None]),
            query=query,
            description=str(comment or ""),
            is_held=bool(is_held),
        )

    def _list_columns(
        self, own_name: str, result: int, given: Sequence[tuple[str, int]], known: Mapping[int, _Type]
    ) -> tuple[Column, ...]:
        if given:
            described = [(n or f"column{place}", known[t]) for place, (n, t) in enumerate(given, 1)]
        elif result == _RECORD:
            raise _FaultError("it does not say which columns it gives: write RETURNS TABLE")
        elif result == _VOID:
            raise _FaultError("it gives no rows")
        elif relation := known[result].relation:
            described = self._list_attributes(relation)
        else:
            described = [(own_name, known[result])]
        return tuple(
            make_column((0, n, t.name, t.base, False, t.collation, t.is_deterministic), self._default)
            for n, t in described
        )

    def _make_argument(self, name: str, kind: _Type, *, has_default: bool) -> Argument:
        before, after = f"{_quote(name)} => CAST(", f" AS {kind.name})"
        taken: ParameterType | tuple[TableColumn, ...] = _KINDS.get(kind.base, ParameterType.TEXT)
        if kind.category == "A":  # an array
            element = self._find_types([kind.element])[kind.element]
            members = self._list_attributes(element.relation) if element.relation else [("value", element)]
            taken = tuple(TableColumn(n, _KINDS.get(t.base, ParameterType.TEXT)) for n, t in members)
            if any(column.type is ParameterType.BINARY for column in taken):
                raise _FaultError(f"the parameter {name} is an array of binary data")
            cast = [f"CAST(item ->> {place} AS {t.name})" for place, (_, t) in enumerate(members)]
            made = f"CAST(ROW({', '.join(cast)}) AS {element.name})" if element.relation else cast[0]
            before += f"ARRAY(SELECT {made} FROM jsonb_array_elements(CAST("  # noqa: S608 - made of catalog names
            after = f" AS jsonb)) WITH ORDINALITY AS given(item, place) ORDER BY place){after}"
        elif kind.relation:
            raise _FaultError(f"the parameter {name} is a row")
        parameter = Parameter(
            name, taken, required=not has_default, has_own_default=has_default, takes_null=not isinstance(taken, tuple)
        )
        return Argument(before, parameter, after)

    def _list_attributes(self, relation: int) -> list[tuple[str, _Type]]:
        rows = ask(self._session, _ATTRIBUTES, (relation,))
        known = self._find_types([int(number) for _, number in rows])
        return [(str(name), known[int(number)]) for name, number in rows]

    def _find_types(self, numbers: Sequence[int]) -> Mapping[int, _Type]:
        rows = ask(self._session, _TYPES, (str(list(numbers)),))
        return {
            int(number): _Type(str(name), int(base), str(category), int(element), int(relation), collation, is_exact)
            for number, name, base, category, element, relation, collation, is_exact in rows
        }


def _read_list(told: Any) -> list[Any]:
    return [] if told is None else list(msgspec.json.decode(str(told)))


def _quote(name: Any) -> str:
    return POSTGRES.quote(str(name))


def translate_call_error(error: RowsError, code: str) -> RowsError:
    """Give the refusal of a call for what failed in it; other errors as they are."""
    if not isinstance(error, (EngineFailure, InvalidParameter)):
        return error
    if code in _READ_ONLY:
        return refuse_writing(error.detail)
    if code.startswith(_ENDS_TRANSACTION):
        return EngineFailure("The procedure tried to end its transaction: nothing was changed.", detail=error.detail)
    if code.startswith(_OF_THE_VALUES):
        return refuse_values(error.detail)
    return error
