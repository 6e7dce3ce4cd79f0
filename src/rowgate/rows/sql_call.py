"""Writes the call of a procedure: its query as a table that the statement reads, its values bound.

The query is an administrator's text, or made from a catalog; nothing of a client's stands in it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.model import Column, Plan, Statement
from rowgate.rows.procedures import Call, Parameter, Piece
from rowgate.rows.sql_conditions import Binder

_RESULT = "rowgate_result"

Render = Callable[[Plan, Dialect, Binder], Statement]  # as `render_select` does


def render_query(pieces: Sequence[Piece], bind: Callable[[Parameter], str], left_out: Collection[str] = ()) -> str:
    """Give a query.

    Args:
        pieces: What it is made of.
        bind: Gives the place of a parameter's value.
        left_out: Names of parameters that the engine has a value for.
    """
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        elif isinstance(piece, Parameter):
            text += bind(piece)
        else:
            text += ", ".join(
                argument.before
                + (bind(argument.parameter) if argument.parameter and argument.is_bound else "")
                + argument.after
                for argument in piece
                if argument.parameter is None or argument.parameter.name not in left_out
            )
    return text


def render_read(render: Render, plan: Plan, call: Call | None, dialect: Dialect) -> Statement:
    """Give a statement that reads what the plan says, of the object itself or of what a call gives.

    Args:
        render: Gives the statement.
        plan: Its object is the procedure, where there is a call.
        call: The procedure and its values.
        dialect: The engine's.
    """
    binder = Binder(dialect)
    if call is None:
        return render(plan, dialect, binder)
    procedure = call.procedure
    query = _render_pieces(procedure.query, call, binder)
    statement = render(replace(plan, object=replace(plan.object, path=(_name_result(query),))), dialect, binder)
    return replace(statement, text=_put_before(statement.text, query, procedure.columns, dialect), is_call=True)


def render_call(call: Call, dialect: Dialect) -> tuple[Statement | None, Statement]:
    """Give what goes before a call that cannot stand in a query, if something does, and the call."""
    preparing, query = (
        _render_alone(pieces, call, dialect) for pieces in (call.procedure.preparing, call.procedure.query)
    )
    return preparing if preparing.text else None, query


def _render_alone(pieces: Sequence[Piece], call: Call, dialect: Dialect) -> Statement:
    binder = Binder(dialect)
    text = _render_pieces(pieces, call, binder)
    return Statement(text, tuple(binder.values), is_call=True)


def _render_pieces(pieces: Sequence[Piece], call: Call, binder: Binder) -> str:
    parameters = call.procedure.parameters
    values = dict(zip([parameter.name for parameter in parameters], call.values, strict=True))
    given = {name for name, _ in call.given}
    left_out = [p.name for p in parameters if p.has_own_default and p.name not in given]
    return render_query(pieces, lambda parameter: binder.bind(values[parameter.name]), left_out)


def render_probe(query: str, columns: Sequence[Column], dialect: Dialect) -> str:
    """Give a statement that reads a query as a call of it does."""
    names = ", ".join(dialect.quote(column.name) for column in columns)
    text = f"SELECT {names} FROM {dialect.quote(_name_result(query))}"  # noqa: S608 - quoted names
    return _put_before(text, query, columns, dialect)


def _put_before(text: str, query: str, columns: Sequence[Column], dialect: Dialect) -> str:
    names = ", ".join(dialect.quote(column.name) for column in columns)
    # a line of its own closes it: the query may end in a comment
    return f"WITH {dialect.quote(_name_result(query))} ({names}) AS (\n{query}\n)\n{text}"


def _name_result(query: str) -> str:
    """Give a name that stands for nothing in the query."""
    name = _RESULT
    while name in query.lower():
        name += "_"
    return name
