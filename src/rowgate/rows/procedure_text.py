"""Reads a declared procedure: a comment that names its parameters, and one statement in which they stand as `:name`.

    -- title: Computers of one department
    -- parameter: department text required -- as the directory spells it
    -- parameter: since moment default 2018-01-01
    -- parameter: hosts table(name text)
    SELECT ... WHERE Department = :department AND HostName IN (SELECT name FROM :hosts)

The statement is cut into pieces, text and parameters; nothing is put together here.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Value
from rowgate.rows.parameters import check_scalar
from rowgate.rows.procedures import Parameter, ParameterType, Piece, TableColumn
from rowgate.rows.statement_text import ProcedureFault, cut_statement, list_tokens

MAX_TEXT_BYTES = 262_144  # 256 KiB
MAX_PARAMETERS = 100
MAX_TABLE_COLUMNS = 100
MAX_TITLE = 200  # characters

_DIRECTIVE = re.compile(r"--\s*(title|description|parameter)\s*:\s*(.*)", re.IGNORECASE)
_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_DECLARATION = re.compile(
    rf"""(?P<name>{_NAME})\s+
    (?:(?P<type>[A-Za-z]+)|table\s*\((?P<columns>[^()]*)\))
    (?:\s+(?:(?P<required>required)|default\s+(?P<default>'(?:[^']|'')*'|[^\s']+)))?
    (?:\s+--\s*(?P<description>.*))?""",
    re.VERBOSE | re.IGNORECASE,
)
_COLUMN = re.compile(rf"\s*({_NAME})\s+([A-Za-z]+)\s*")
_TRUTH = {"true": True, "false": False}
_EXPECTED = "name type [required | default value] [-- description]"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a text declares."""

    title: str
    description: str
    parameters: tuple[Parameter, ...]
    pieces: tuple[Piece, ...]


def parse_procedure(text: str) -> Declaration:
    r"""Give what the text declares.

    >>> parse_procedure("-- parameter: least integer required\nSELECT 1 WHERE 1 > :least").pieces[0]
    'SELECT 1 WHERE 1 > '
    >>> parse_procedure("SELECT :least")
    Traceback (most recent call last):
    rowgate.rows.statement_text.ProcedureFault: line 1: :least is not declared

    Raises:
        ProcedureFault: A declaration that cannot be read, a parameter that is not declared or not used, or not
            exactly one statement.
    """
    head, statement, first_line = _split_head(text)
    title = ""
    descriptions: list[str] = []
    parameters: dict[str, Parameter] = {}
    for line, directive, value in head:
        if directive == "title":
            title = value[:MAX_TITLE]
        elif directive == "description":
            descriptions.append(value)
        else:
            parameter = _parse_parameter(value, line)
            if parameter.name.lower() in parameters:
                raise ProcedureFault(f"line {line}: {parameter.name} is declared more than once")
            parameters[parameter.name.lower()] = parameter
    if len(parameters) > MAX_PARAMETERS:
        raise ProcedureFault(f"it has more than {MAX_PARAMETERS} parameters")
    pieces = tuple(cut_statement(statement, first_line, parameters))
    for token in list_tokens(statement, first_line):
        if token.kind == "comment" and _DIRECTIVE.fullmatch(token.text.strip()):
            raise ProcedureFault(f"line {token.line}: title, description and parameters stand before the statement")
    for parameter in parameters.values():
        if parameter not in pieces:
            raise ProcedureFault(f"the parameter {parameter.name} is declared and not used")
    return Declaration(title, "\n".join(descriptions), tuple(parameters.values()), pieces)


def _split_head(text: str) -> tuple[list[tuple[int, str, str]], str, int]:
    """Give what the comment lines before the statement say, by line, then the statement and the line it begins on."""
    head: list[tuple[int, str, str]] = []
    lines = text.split("\n")
    for place, line in enumerate(lines):
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            return head, "\n".join(lines[place:]), place + 1
        if found := _DIRECTIVE.fullmatch(stripped):
            head.append((place + 1, found[1].lower(), found[2].strip()))
    raise ProcedureFault("there is no statement")


def _parse_parameter(text: str, line: int) -> Parameter:
    found = _DECLARATION.fullmatch(text)
    if found is None:
        raise ProcedureFault(f"line {line}: a parameter is declared as {_EXPECTED}")
    name, required = found["name"], bool(found["required"])
    description = (found["description"] or "").strip()
    if found["columns"] is not None:
        if found["default"] is not None:
            raise ProcedureFault(f"line {line}: a table has no default; without one it has no rows")
        return Parameter(name, parse_columns(found["columns"], line), required, None, description)
    kind = _parse_type(found["type"], line)
    default = None if found["default"] is None else _parse_default(found["default"], kind, line)
    return Parameter(name, kind, required, default, description)


def parse_columns(text: str, line: int) -> tuple[TableColumn, ...]:
    """Give columns as they are declared: `name type, …`.

    Raises:
        ProcedureFault: They are not.
    """
    columns = []
    for item in text.split(","):
        found = _COLUMN.fullmatch(item)
        if found is None:
            raise ProcedureFault(f"line {line}: a table is declared as table(name type, ...)")
        columns.append(TableColumn(found[1], _parse_type(found[2], line)))
    names = {column.name.lower() for column in columns}
    if len(names) < len(columns) or len(columns) > MAX_TABLE_COLUMNS:
        raise ProcedureFault(f"line {line}: a table has up to {MAX_TABLE_COLUMNS} columns, each of another name")
    if any(column.type is ParameterType.BINARY for column in columns):
        raise ProcedureFault(f"line {line}: a table has no binary columns")
    return tuple(columns)


def _parse_type(text: str, line: int) -> ParameterType:
    try:
        return ParameterType(text.lower())
    except ValueError:
        raise ProcedureFault(f"line {line}: {text} is none of {', '.join(ParameterType)}, table(...)") from None


def _parse_default(text: str, kind: ParameterType, line: int) -> Value:
    if text.lower() == "null":
        return None
    given: Any = text
    if text.startswith("'"):
        given = text[1:-1].replace("''", "'")
    if kind is ParameterType.JSON:
        given = _read_json(given, line)
    elif kind is ParameterType.BOOLEAN:
        given = _TRUTH.get(text.lower(), text)
    elif kind in (ParameterType.INTEGER, ParameterType.NUMBER):
        given = _read_number(text)
    try:
        return check_scalar(given, kind, "default")
    except InvalidParameter as error:
        raise ProcedureFault(f"line {line}: the default is not {error.expected}") from None


def _read_json(text: str, line: int) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ProcedureFault(f"line {line}: the default is not JSON") from None


def _read_number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
