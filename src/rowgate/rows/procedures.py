"""Procedures: objects that are called with parameters and answer with rows. Data only.

A client's values are never text of a statement: each stands where a piece of the query says, and is bound.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from rowgate.rows.model import ObjectDescription, Value

PROCEDURE = "procedure"  # the kind of these objects


class ParameterType(StrEnum):
    """What a parameter takes."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    BINARY = "binary"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table that is passed as a parameter."""

    name: str
    type: ParameterType


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, by name."""

    name: str
    type: ParameterType | tuple[TableColumn, ...]  # the columns of a table
    required: bool = False
    default: Value = None  # what stands for it when it is not given; of a table: no rows
    description: str = ""
    has_own_default: bool = False  # the engine has one, where it is not given at all
    takes_null: bool = False  # though it is required


@dataclass(frozen=True, slots=True)
class Argument:
    """How a parameter stands in the call of an engine's own function."""

    before: str
    parameter: Parameter | None  # None: it only hands something out, and `before` is all that stands for it
    after: str = ""
    is_bound: bool = True  # else the parameter's value stands in an earlier piece, and what names it is in `before`


Arguments: TypeAlias = tuple[Argument, ...]  # with commas between those that there is a value for
Piece: TypeAlias = str | Parameter | Arguments  # text of a statement, or where values are bound


@dataclass(frozen=True, slots=True)
class Procedure(ObjectDescription):
    """A procedure with its parameters and the columns of its result; without columns only the result tells them."""

    parameters: tuple[Parameter, ...] = ()
    query: tuple[Piece, ...] = ()
    title: str = ""
    description: str = ""
    fault: str = ""  # why it cannot be called, for those who can mend it
    is_held: bool = False  # it cannot stand in a query: its result is held, and read from; see `ports.calls`
    preparing: tuple[Piece, ...] = ()  # a statement that goes before its call
    outcome: str = ""  # a statement whose row is the answer where the call gives none


@dataclass(frozen=True, slots=True)
class Call:
    """A procedure with a value for each of its parameters."""

    procedure: Procedure
    values: tuple[Value, ...]  # by parameter; a table is the JSON text of its rows, each a list
    given: tuple[tuple[str, object], ...]  # the parameters that the client gave, for the record


def render_default(parameter: Parameter) -> str | int | float | None:
    """Give what stands for a parameter that is not given, as JSON has it: binary data as base64."""
    default = parameter.default
    if isinstance(default, bytes):
        return base64.b64encode(default).decode()
    return str(default) if isinstance(default, Decimal) else default


def describe_type(kind: ParameterType | Sequence[TableColumn]) -> str:
    """Give a type as it is declared.

    >>> describe_type([TableColumn("name", ParameterType.TEXT)])
    'table(name text)'
    """
    if isinstance(kind, ParameterType):
        return kind.value
    return f"table({', '.join(f'{column.name} {column.type.value}' for column in kind)})"
