"""What a MySQL or MariaDB database says of its stored procedures, and how they are called.

Nothing there tells what a procedure gives. A comment may: `COMMENT 'columns: HostName text, LastLogon moment'`; grants
can hold columns, masks and rules of what says so, and of nothing else.
"""

from collections.abc import Sequence
from typing import Any

from rowgate.engines.comment_columns import read_comment
from rowgate.engines.manners import Ask
from rowgate.rows.dialects.mysql import MARIADB
from rowgate.rows.fold import fold
from rowgate.rows.model import ObjectListing
from rowgate.rows.procedures import PROCEDURE, Parameter, ParameterType, Piece, Procedure
from rowgate.rows.statement_text import ProcedureFault

_LIST = (
    "SELECT routine_name FROM information_schema.routines "
    "WHERE routine_schema = DATABASE() AND routine_type = 'PROCEDURE'"
)
_FIND = (
    "SELECT routine_name, routine_comment FROM information_schema.routines "
    "WHERE routine_schema = DATABASE() AND routine_type = 'PROCEDURE' AND routine_name = %s"
)
_PARAMETERS = (
    "SELECT specific_name, parameter_mode, parameter_name, data_type FROM information_schema.parameters "
    "WHERE specific_schema = DATABASE() AND routine_type = 'PROCEDURE' AND specific_name = %s ORDER BY ordinal_position"
)
_CLUSTER = "SHOW VARIABLES LIKE 'wsrep_on'"
_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), ParameterType.INTEGER),
    **dict.fromkeys(("decimal", "float", "double"), ParameterType.NUMBER),
    **dict.fromkeys(("datetime", "timestamp"), ParameterType.MOMENT),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit"), ParameterType.BINARY),
    "date": ParameterType.DATE,
    "json": ParameterType.JSON,
}
_IN, _OUT, _BOTH = "IN", "OUT", "INOUT"


def list_procedures(ask: Ask) -> Sequence[ObjectListing]:
    """Give the procedures that the account sees."""
    return [ObjectListing(str(name), PROCEDURE) for (name,) in ask(_LIST)]


def describe_procedure(ask: Ask, name: str) -> Procedure | None:
    """Give the procedure of exactly this name, or None."""
    comments = [comment for found, comment in ask(_FIND, name) if found == name]
    if not comments:
        return None
    if any(value == "ON" for _, value in ask(_CLUSTER)):
        fault = "a Galera cluster has no XA transactions, and without one nothing keeps a procedure from writing"
        return Procedure(name, PROCEDURE, (), fault=fault)
    told = [row[1:] for row in ask(_PARAMETERS, name) if row[0] == name]
    try:
        columns, description = read_comment(str(comments[0] or ""))
    except ProcedureFault as fault:
        return Procedure(name, PROCEDURE, (), fault=f"its comment: {fault}")
    if len({fold(parameter) for _, parameter, _ in told}) < len(told):
        return Procedure(name, PROCEDURE, (), fault="its parameters need names, each of its own")
    parameters = tuple(
        Parameter(parameter, _KINDS.get(kind.lower(), ParameterType.TEXT), required=True, takes_null=True)
        for mode, parameter, kind in told
        if mode in (_IN, _BOTH)
    )
    return Procedure(
        name,
        PROCEDURE,
        columns,
        parameters=parameters,
        query=_write_call(name, told, parameters),
        preparing=_write_preparing(told, parameters),
        outcome=_write_outcome(told),
        description=description,
        is_held=True,
    )


def _write_call(name: str, told: Sequence[Any], parameters: Sequence[Parameter]) -> tuple[Piece, ...]:
    by_name = {parameter.name: parameter for parameter in parameters}
    pieces: list[Piece] = [f"CALL {MARIADB.quote(name)}("]
    for place, (mode, parameter, _) in enumerate(told):
        pieces += [", "] if place else []
        pieces.append(by_name[parameter] if mode == _IN else _name_variable(place))
    return (*pieces, ")")


def _write_preparing(told: Sequence[Any], parameters: Sequence[Parameter]) -> tuple[Piece, ...]:
    by_name = {parameter.name: parameter for parameter in parameters}
    pieces: list[Piece] = []
    for place, (mode, parameter, _) in enumerate(told):
        if mode == _BOTH:
            pieces += [f"{', ' if pieces else 'SET '}{_name_variable(place)} = ", by_name[parameter]]
    return tuple(pieces)


def _write_outcome(told: Sequence[Any]) -> str:
    given = [
        f"{_name_variable(place)} AS {MARIADB.quote(parameter)}"
        for place, (mode, parameter, _) in enumerate(told)
        if mode in (_OUT, _BOTH)
    ]
    return f"SELECT {', '.join(given)}" if given else ""


def _name_variable(place: int) -> str:
    return f"@rowgate_{place}"
