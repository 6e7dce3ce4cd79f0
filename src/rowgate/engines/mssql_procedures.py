"""What a SQL Server database says of its stored procedures, and the batch that calls one.

Rule: names of the catalog are quoted or of letters alone, values are bound, and a table is bound as one value: the JSON
text of its rows, which the server itself reads into a variable of the table type.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rowgate.engines.comment_columns import read_comment
from rowgate.engines.manners import BUSY_SECONDS, Ask
from rowgate.engines.mssql_types import SqlType, describe_column
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.fold import fold
from rowgate.rows.model import Column, ObjectListing
from rowgate.rows.procedures import PROCEDURE, Argument, Parameter, ParameterType, Piece, Procedure, TableColumn
from rowgate.rows.statement_text import ProcedureFault, list_tokens

TOO_LONG = 2_000_000_000  # and the number of a parameter: an error of the batch itself, about its value
_OF_OURS = (
    "FROM sys.procedures AS p WHERE p.schema_id = SCHEMA_ID() AND p.is_ms_shipped = 0 AND p.type IN ('P', 'PC') "
    "AND HAS_PERMS_BY_NAME(QUOTENAME(SCHEMA_NAME()) + '.' + QUOTENAME(p.name), 'OBJECT', 'EXECUTE') = 1"
)
_LIST = f"SELECT p.name {_OF_OURS}"
_FIND = (
    "SELECT p.name, p.object_id, SCHEMA_NAME(), OBJECT_DEFINITION(p.object_id), "  # noqa: S608 - its own text
    "(SELECT d.compatibility_level FROM sys.databases AS d WHERE d.database_id = DB_ID()), "
    "(SELECT CAST(e.value AS nvarchar(4000)) FROM sys.extended_properties AS e WHERE e.class = 1 "
    f"AND e.major_id = p.object_id AND e.minor_id = 0 AND e.name = 'MS_Description') {_OF_OURS} AND p.name = {{}}"
)
# the name of a base type is that of the type whose number is the system's
_PARAMETERS = (
    "SELECT a.name, TYPE_NAME(a.system_type_id), a.max_length, a.precision, a.scale, a.is_output, a.is_cursor_ref, "
    "a.is_readonly, SCHEMA_NAME(t.schema_id), t.name, t.type_table_object_id, "
    "HAS_PERMS_BY_NAME(QUOTENAME(SCHEMA_NAME(t.schema_id)) + '.' + QUOTENAME(t.name), 'TYPE', 'EXECUTE'), "
    "(SELECT CAST(e.value AS nvarchar(4000)) FROM sys.extended_properties AS e WHERE e.class = 2 "
    "AND e.major_id = a.object_id AND e.minor_id = a.parameter_id AND e.name = 'MS_Description') "
    "FROM sys.parameters AS a LEFT JOIN sys.table_types AS t ON t.user_type_id = a.user_type_id "
    "WHERE a.object_id = {} ORDER BY a.parameter_id"
)
# what the server fills in by itself cannot be given; 189 is the type of a row's version
_COLUMNS = (
    "SELECT c.name, TYPE_NAME(c.system_type_id), c.max_length, c.precision, c.scale FROM sys.columns AS c "
    "WHERE c.object_id = {} AND c.is_computed = 0 AND c.is_identity = 0 AND c.system_type_id <> 189 "
    "ORDER BY c.column_id"
)
_RESULT = (
    "SELECT r.name, r.system_type_name, r.is_nullable, r.error_message "
    "FROM sys.dm_exec_describe_first_result_set_for_object({}, 0) AS r "
    "WHERE COALESCE(r.is_hidden, 0) = 0 ORDER BY r.column_ordinal"
)
_HAS_JSON = 130  # the compatibility level from which OPENJSON is known
_PARAMETER_NAME = re.compile(r"@[\w@#$]+")
# Whatever the procedure does is rolled back. A statement begins a transaction where there is none, this one too; so it
# stands within another, and neither a COMMIT too many nor what follows a ROLLBACK makes anything last.
# A value that does not fit ends the batch, or the procedure would be called without it; what goes on after an error in
# the procedure is its own affair.
_BEFORE = (
    f"SET NOCOUNT ON; SET LOCK_TIMEOUT {BUSY_SECONDS * 1000}; SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS ON; "
    "BEGIN TRANSACTION; "
)
_CALL = "SET XACT_ABORT OFF; EXEC "
_AFTER = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;"


@dataclass(frozen=True, slots=True)
class _Told:
    """A parameter, and how it is passed."""

    parameter: Parameter
    type: SqlType | None  # None: a table
    table: str  # its type, quoted
    columns: tuple[tuple[str, SqlType], ...]  # of the table
    is_output: bool


def list_procedures(ask: Ask) -> Sequence[ObjectListing]:
    """Give the procedures of the account's schema that it may execute."""
    return [ObjectListing(str(name), PROCEDURE) for (name,) in ask(_LIST)]


def describe_procedure(ask: Ask, name: str, dialect: Dialect) -> Procedure | None:
    """Give the procedure of exactly this name, or None."""
    if "\0" in name:
        return None
    found = [row for row in ask(_FIND.format(dialect.place(1)), name) if row[0] == name]
    if not found:
        return None
    try:
        return _describe(ask, found[0], dialect)
    except ProcedureFault as fault:
        return Procedure(name, PROCEDURE, (), fault=str(fault))


def _describe(ask: Ask, row: Sequence[Any], dialect: Dialect) -> Procedure:
    name, number, schema, definition, level, comment = row
    told = list(_describe_parameters(ask, number, definition, dialect))
    if level < _HAS_JSON and any(one.type is None for one in told):
        raise ProcedureFault(f"it takes a table, and the database has a compatibility level below {_HAS_JSON}")
    columns, description = _describe_result(ask(_RESULT.format(dialect.place(1)), number), str(comment or ""))
    return Procedure(
        name,
        PROCEDURE,
        columns,
        path=(str(schema), name),
        parameters=tuple(one.parameter for one in told),
        query=tuple(_write_batch(f"{dialect.quote(schema)}.{dialect.quote(name)}", told, dialect)),
        description=description,
        is_held=True,
    )


def _describe_parameters(ask: Ask, number: int, definition: str | None, dialect: Dialect) -> Iterator[_Told]:
    defaulted = None if definition is None else list_defaulted(definition)
    seen: set[str] = set()
    for row in ask(_PARAMETERS.format(dialect.place(1)), number):
        full, base, most_bytes, digits, scale, is_output, is_cursor, is_table, *of_table, description = row
        name = str(full).removeprefix("@")
        if not _PARAMETER_NAME.fullmatch(f"@{name}") or fold(name) in seen:
            raise ProcedureFault("its parameters need names of letters and digits, each of its own")
        seen.add(fold(name))
        if is_cursor:
            raise ProcedureFault("it hands out a cursor: give the rows themselves")
        if is_table:
            yield _describe_table(ask, name, of_table, str(description or ""), dialect)
            continue
        if not base:
            raise ProcedureFault(f"the parameter {name} has a type made in .NET")
        # without the definition nobody can tell which have a default: the server says which it misses
        has_default = not is_output and (defaulted is None or name.lower() in defaulted)
        taken = SqlType(str(base), int(most_bytes), int(digits), int(scale))
        parameter = Parameter(
            name,
            taken.kind,
            required=not is_output and not has_default,
            description=str(description or ""),
            has_own_default=has_default,
            takes_null=True,
        )
        yield _Told(parameter, taken, "", (), bool(is_output))


def _describe_table(ask: Ask, name: str, told: Sequence[object], description: str, dialect: Dialect) -> _Told:
    schema, own_name, number, may_use = told
    if own_name is None or not may_use:
        table = f"{schema}.{own_name}" if own_name else "its type"
        raise ProcedureFault(
            f"the account may not use the table {name}: GRANT EXECUTE, VIEW DEFINITION ON TYPE::{table}"
        )
    columns = tuple(
        (str(column), SqlType(str(base or ""), int(most_bytes), int(digits), int(scale)))
        for column, base, most_bytes, digits, scale in ask(_COLUMNS.format(dialect.place(1)), number)
    )
    if not columns:
        raise ProcedureFault(
            f"the account sees no columns of the table {name}: GRANT VIEW DEFINITION ON TYPE::{schema}.{own_name}"
        )
    if any(not taken.base or taken.kind is ParameterType.BINARY for _, taken in columns):
        raise ProcedureFault(f"the table {name} has a column of binary data or of a type made in .NET")
    if len({column.lower() for column, _ in columns}) < len(columns):
        raise ProcedureFault(f"only case tells columns of the table {name} apart")
    kind = tuple(TableColumn(column, taken.kind) for column, taken in columns)
    table = f"{dialect.quote(str(schema))}.{dialect.quote(str(own_name))}"
    return _Told(Parameter(name, kind, description=description), None, table, columns, is_output=False)


def _describe_result(told: Sequence[Sequence[object]], comment: str) -> tuple[tuple[Column, ...], str]:
    """Give what the server tells of the result before a call, else what a comment does; and the description."""
    columns, description = read_comment(comment)
    if not told or any(error is not None for *_, error in told):  # it depends on the way that the procedure takes
        return columns, description
    names = [str(name or "") for name, *_ in told]
    if not all(names) or len({fold(name) for name in names}) < len(names):
        raise ProcedureFault("its columns need names, each of its own")
    found = [
        describe_column(name, None if kind is None else str(kind), may_be_null=bool(may_be_null))
        for name, (_, kind, may_be_null, _) in zip(names, told, strict=True)
    ]
    return tuple(found), description


def _write_batch(procedure: str, told: Sequence[_Told], dialect: Dialect) -> Iterator[Piece]:
    text = _BEFORE
    for place, one in enumerate(told):
        before, after = _write_variable(place, one, dialect)
        yield text + before
        yield one.parameter
        text = after
    yield f"{text}{_CALL}{procedure} "
    yield tuple(
        Argument(
            f"@{one.parameter.name} = {_name_variable(place)}{' OUTPUT' if one.is_output else ''}",
            one.parameter,
            is_bound=False,
        )
        for place, one in enumerate(told)
    )
    given = [
        f"{_name_variable(place)} AS {dialect.quote(one.parameter.name)}"
        for place, one in enumerate(told)
        if one.is_output
    ]
    # the first result is the answer: this one, where the procedure gives none
    handed_out = f"SELECT {', '.join(given)}; " if given else ""
    yield f"; {handed_out}{_AFTER}"


def _write_variable(place: int, one: _Told, dialect: Dialect) -> tuple[str, str]:
    """Give what declares a parameter's variable, before its value and after it."""
    variable = _name_variable(place)
    if one.type is None:
        names = ", ".join(dialect.quote(name) for name, _ in one.columns)
        items = ", ".join(kind.write_item(f"given.c{number}") for number, (_, kind) in enumerate(one.columns))
        read = ", ".join(f"c{number} nvarchar(max) '$[{number}]'" for number in range(len(one.columns)))
        return (
            f"DECLARE {variable} {one.table}; INSERT INTO {variable} ({names}) SELECT {items} FROM OPENJSON(",  # noqa: S608 - quoted catalog names
            f") WITH ({read}) AS given; ",
        )
    before, after = one.type.write_value("\0").split("\0")
    after += "; "
    if excess := one.type.write_excess(variable):
        after += f"IF {excess} THROW {TOO_LONG + place}, N'a value is too long', 1; "
    return f"DECLARE {variable} {one.type.variable} = {before}", after


def _name_variable(place: int) -> str:
    return f"@rowgate_{place}"


def list_defaulted(definition: str) -> set[str]:
    """Give the parameters, in small letters, that have a default in the text of a procedure.

    The catalog tells it of no procedure in Transact-SQL. Where this is wrong nothing worse comes of it than a call that
    the server refuses, or a value that must be given.

    >>> sorted(list_defaulted("CREATE PROC p (@a int = 5, @b AS money, @c dbo.T READONLY, @d date = NULL OUT) AS ..."))
    ['a', 'd']
    """
    found: set[str] = set()
    name, before, before_that = "", "", ""
    try:
        for token in list_tokens(definition, 1):
            if token.kind in ("comment", "space"):
                continue
            text = token.text.upper()
            if before == "@":
                name = token.text.lower()
            elif text == "=":
                found.add(name)
            elif text in ("WITH", "FOR") or (text == "AS" and before_that != "@"):
                break
            before_that, before = before, text
    except ProcedureFault:
        return found  # here a text is not closed, which the server reads otherwise
    return found
