"""A driver of SQL Server's, without one: it knows the few statements that it should be asked, and how procedures run.

It takes a batch apart as the grammar of T-SQL has it, binds each value in its place, and refuses whatever it does not
know. What a server makes of the same text nothing here can tell.
"""

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sqlalchemy.dialects.mssql.pymssql import MSDialect_pymssql

SYNTAX = 102
STRING, BINARY, NUMBER, DATETIME, DECIMAL = 1, 2, 3, 4, 5  # as pymssql numbers them

Result = tuple[Sequence[tuple[str, int]], Sequence[Sequence[Any]]]  # names and kinds, then rows


class Error(Exception):
    """An error of the server's: its number, its words."""


@dataclass
class Parameter:
    """A row of sys.parameters, as far as it is read."""

    name: str
    type: str | None
    most_bytes: int = -1
    digits: int = 0
    scale: int = 0
    is_output: bool = False
    is_cursor: bool = False
    table: Sequence[tuple[str, str, int, int, int]] | None = None  # the columns of a table type
    may_use: bool = True
    description: str | None = None


@dataclass
class Procedure:
    """A procedure: what the catalog says of it, and what it does with its values."""

    run: Callable[..., Sequence[Result | Error]]
    parameters: Sequence[Parameter] = ()
    definition: str | None = None
    defaults: Collection[str] = ()  # the parameters that have one
    comment: str | None = None
    told: Sequence[tuple[str | None, str | None, bool, str | None]] = ()  # of its first result, before a call


@dataclass
class Server:
    """What connections share."""

    procedures: dict[str, Procedure] = field(default_factory=dict)
    level: int = 160
    asked: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    open_transactions: int = 0  # of the connection that was asked last
    closed: int = 0  # connections


class Connection:
    """See PEP 249."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def cursor(self) -> "Cursor":
        return Cursor(self.server)

    def commit(self) -> None:
        raise AssertionError("nothing is ever committed")

    def rollback(self) -> None:
        self.server.open_transactions = 0

    def close(self) -> None:
        self.server.closed += 1


class Cursor:
    """See PEP 249."""

    arraysize = 1
    rowcount = -1

    def __init__(self, server: Server) -> None:
        self.server = server
        self.description: Sequence[Any] | None = None
        self._results: list[Result | Error] = []
        self._rows: list[Sequence[Any]] = []

    def execute(self, text: str, values: Sequence[Any] = ()) -> None:
        self.server.asked.append((text, tuple(values)))
        if text.count("%(" if isinstance(values, dict) else "%s") != len(values):
            raise Error(SYNTAX, "places and values differ in number")
        is_batch = text.startswith("SET NOCOUNT ON; ")
        self._results = [*(run_batch(self.server, text, values) if is_batch else answer(self.server, text, values))]
        self._go_on()

    def nextset(self) -> bool | None:
        return self._go_on()

    def fetchmany(self, size: int) -> list[Sequence[Any]]:
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def fetchone(self) -> Sequence[Any] | None:
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[Sequence[Any]]:
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        self._results = []

    def _go_on(self) -> bool | None:
        if not self._results:
            return None
        result = self._results.pop(0)
        if isinstance(result, Error):
            raise result
        columns, rows = result
        self.description = [(name, kind, None, None, None, None, None) for name, kind in columns] or None
        self._rows = list(rows)
        return True


_ALIKE = [(("information_schema", "sys.views", "[sys].["), []), (("dm_exec_sessions", "system_views"), [("any",)])]
_EXACT = {
    "select @@version": ("Microsoft SQL Server 2022 - 16.0.4085.2 (X64)",),
    "select schema_name()": ("dbo",),
    "select 1": (1,),
}


def answer(server: Server, text: str, values: Sequence[Any]) -> list[Result]:
    """Answer a question about the catalog, in which there are neither tables nor views."""
    for start, tell in _QUESTIONS.items():
        if start in text:
            rows = tell(server, *values)
            return [([("", STRING)] * len(rows[0]) if rows else [("", STRING)], rows)]
    lowered = text.lower()
    for parts, rows in _ALIKE:
        if any(part in lowered for part in parts):
            return [([("name", STRING)], rows)]
    if lowered in _EXACT or lowered.startswith("select cast("):
        return [([("", STRING)], [_EXACT.get(lowered, (1,))])]
    raise Error(SYNTAX, f"unknown: {text}")


def _tell_procedures(server: Server, name: str | None = None) -> Sequence[Sequence[Any]]:
    names = list(server.procedures)
    if name is None:
        return [(found,) for found in names]
    return [
        (found, 1000 + names.index(found), "dbo", one.definition, server.level, one.comment)
        for found, one in server.procedures.items()
        if found.lower() == name.lower()  # as its collations compare
    ]


def _find(server: Server, number: int) -> Procedure:
    return list(server.procedures.values())[number - 1000]


def _tell_parameters(server: Server, number: int) -> Sequence[Sequence[Any]]:
    return [_tell_parameter(number, place, told) for place, told in enumerate(_find(server, number).parameters)]


def _tell_columns(server: Server, number: int) -> Sequence[Sequence[Any]]:
    return _find(server, number // 100).parameters[number % 100].table or ()


def _tell_result(server: Server, number: int) -> Sequence[Sequence[Any]]:
    return _find(server, number).told


_QUESTIONS: dict[str, Callable[..., Sequence[Sequence[Any]]]] = {
    " FROM sys.procedures AS p WHERE p.schema_id = SCHEMA_ID() ": _tell_procedures,
    " FROM sys.parameters AS a ": _tell_parameters,
    " FROM sys.columns AS c WHERE c.object_id = %s ": _tell_columns,
    " FROM sys.dm_exec_describe_first_result_set_for_object(%s, 0) AS r ": _tell_result,
}


def _tell_parameter(number: int, place: int, told: Parameter) -> tuple[Any, ...]:
    is_table = told.table is not None
    of_table = ("dbo", f"T{place}", number * 100 + place, int(told.may_use)) if is_table else (None,) * 4
    return (
        *(f"@{told.name}", told.type, told.most_bytes, told.digits, told.scale),
        *(told.is_output, told.is_cursor, is_table, *of_table, told.description),
    )


_STATEMENTS = [
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("set", r"SET (NOCOUNT ON|LOCK_TIMEOUT \d+|XACT_ABORT (ON|OFF)|IMPLICIT_TRANSACTIONS ON)"),
        ("begin", r"BEGIN TRANSACTION"),
        ("value", r"DECLARE (@\w+) ([a-z_0-9]+(?:\((?:max|\d+(?:, \d+)?)\))?) = ((?:CAST\()+)%s((?: AS [\w(), ]+\))+)"),
        ("table", r"DECLARE (@\w+) (\[dbo\]\.\[T\d+\])"),
        ("fill", r"INSERT INTO (@\w+) \((.+)\) SELECT (.+) FROM OPENJSON\(%s\) WITH \((.+)\) AS given"),
        (
            "limit",
            r"IF DATALENGTH\((?:CAST\()?(@\w+)( AS varchar\(max\)\))?\) > (\d+) THROW (\d+), N'a value is too long', 1",
        ),
        ("call", r"EXEC \[dbo\]\.\[((?:[^\]]|\]\])+)\] (.*)"),
        ("show", r"SELECT (.+)"),
        ("end", r"IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"),
    )
]


def run_batch(server: Server, text: str, values: Sequence[Any]) -> list[Result | Error]:
    """Run what calls a procedure, statement by statement."""
    unbound = list(values)
    variables: dict[str, Any] = {}
    results: list[Result | Error] = []
    order = ""
    assert text.endswith(";")
    for statement in re.split(r"; (?=[A-Z])", text.removesuffix(";")):
        kind, found = _match(statement)
        order += kind[0]
        if kind == "begin":
            server.open_transactions += 1
        elif kind == "value":
            assert found[3].count("CAST(") == found[4].count(" AS ")
            variables[found[1]] = unbound.pop(0)
        elif kind == "table":
            variables[found[1]] = None
        elif kind == "fill":
            assert variables[found[1]] is None
            variables[found[1]] = _fill(found, unbound.pop(0))
        elif kind == "limit" and (excess := _find_excess(found, variables[found[1]])):
            return [excess]
        elif kind == "call":
            assert server.open_transactions > 0
            results += _call(server, found, variables)
        elif kind == "show":
            shown = [re.fullmatch(r"(@\w+) AS \[(\w+)\]", item) for item in found[1].split(", ")]
            assert all(shown)
            row = [variables[item[1]] for item in shown if item]
            results.append(([(item[2], NUMBER) for item in shown if item], [row]))
        elif kind == "end":
            server.open_transactions = 0
    assert re.fullmatch("ssssb(?:vl?|tf)*scs?e", order), order
    return results or [([], [])]


def _match(statement: str) -> tuple[str, re.Match[str]]:
    for kind, pattern in _STATEMENTS:
        if found := pattern.fullmatch(statement):
            return kind, found
    raise Error(SYNTAX, f"near: {statement}")


def _fill(found: re.Match[str], value: str) -> list[tuple[Any, ...]]:
    names, read = found[2].split(", "), found[4].split(", ")
    assert read == [f"c{place} nvarchar(max) '$[{place}]'" for place in range(len(names))]
    items = re.split(r", (?=CAST\((?:CAST\()?given\.c\d+ AS (?!float)|COALESCE)", found[3])
    assert [{*re.findall(r"given\.c(\d+)", item)} for item in items] == [{str(n)} for n in range(len(names))]
    rows = json.loads(value)
    assert all(len(row) == len(names) for row in rows)
    return [tuple(row) for row in rows]


def _find_excess(found: re.Match[str], value: Any) -> Error | None:
    if value is None:
        return None
    size = (
        len(value) if isinstance(value, bytes) else len(value.encode("cp1252" if found[2] else "utf-16-le", "replace"))
    )
    return Error(int(found[4]), "a value is too long") if size > int(found[3]) else None


def _call(server: Server, found: re.Match[str], variables: dict[str, Any]) -> list[Result | Error]:
    one = server.procedures[found[1].replace("]]", "]")]
    given: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    for argument in filter(None, found[2].split(", ")):
        passed = re.fullmatch(r"@(\w+) = (@\w+)( OUTPUT)?", argument)
        assert passed, argument
        given[passed[1]] = variables[passed[2]]
        if passed[3]:
            outputs[passed[1]] = passed[2]
    assert given.keys() <= {parameter.name for parameter in one.parameters}
    for parameter in one.parameters:
        if parameter.name not in given and parameter.name not in one.defaults:
            words = f"Procedure or function 'p' expects parameter '@{parameter.name}', which was not supplied."
            return [Error(201, words)]
    variables.update({outputs[name]: 42 for name in outputs})
    return list(one.run(**given))


class Dialect(MSDialect_pymssql):
    """SQLAlchemy's own, over this driver; `server` is set by the test."""

    supports_statement_cache = True
    server: Server

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Give this module, as the driver."""
        driver: Any = ModuleType("driver")
        driver.__version__ = "2.4.6"
        driver.paramstyle = "pyformat"
        for name in ("Error", "STRING", "BINARY", "NUMBER", "DATETIME", "DECIMAL"):
            setattr(driver, name, globals()[name])
        driver.connect = lambda **_: Connection(cls.server)
        return driver  # type: ignore[no-any-return]
