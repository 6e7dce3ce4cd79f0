"""What PostgreSQL says of a declared query, and how values and tables stand in one."""

import json
from collections.abc import Sequence
from itertools import pairwise

from rowgate.engines.postgres_catalog import make_column
from rowgate.engines.postgres_session import Session, ask
from rowgate.rows.dialects.postgres import POSTGRES
from rowgate.rows.holds import Collation
from rowgate.rows.model import Column
from rowgate.rows.procedures import ParameterType, TableColumn
from rowgate.rows.statement_text import ProcedureFault, list_tokens

_TYPES = {
    ParameterType.TEXT: "text",
    ParameterType.INTEGER: "bigint",
    ParameterType.NUMBER: "numeric",
    ParameterType.BOOLEAN: "boolean",
    ParameterType.DATE: "date",
    ParameterType.MOMENT: "timestamptz",  # the session's zone is UTC
    ParameterType.BINARY: "bytea",
    ParameterType.JSON: "jsonb",
}
_NAMES = (
    "SELECT format_type(CAST(item ->> 0 AS oid), CAST(item ->> 1 AS int)) "
    "FROM json_array_elements(CAST($1 AS json)) AS given(item)"
)


def describe_query(session: Session, text: str) -> Sequence[Column]:
    """Give the columns of a query; see `ports.QuerySource`. Within parentheses nothing stands but a query."""
    found = session.describe(f"SELECT * FROM (\n{text}\n) AS rowgate_described")  # noqa: S608 - an administrator's query
    names = ask(session, _NAMES, (json.dumps([(number, modifier) for _, number, modifier in found]),))
    return [
        # which collation its texts have nobody tells
        make_column((0, name, str(declared), number, False, None, False), Collation.UNKNOWN)
        for (name, number, _), (declared,) in zip(found, names, strict=True)
    ]


def write_value(kind: ParameterType) -> tuple[str, str]:
    """Give what stands before and after a value; see `ports.QuerySource`."""
    return "CAST(", f" AS {_TYPES[kind]})"


def write_table(columns: Sequence[TableColumn]) -> tuple[str, str]:
    """Give what stands before and after a value so that it is a table; see `ports.QuerySource`."""
    members = ", ".join(
        f"CAST(item ->> {place} AS {_TYPES[column.type]}) AS {POSTGRES.quote(column.name)}"
        for place, column in enumerate(columns)
    )
    return f"(SELECT {members} FROM jsonb_array_elements(CAST(", " AS jsonb)) AS given(item))"  # noqa: S608 - quoted names


def write_text(text: str) -> str:
    """Give a part of a declared query; see `ports.QuerySource`.

    Raises:
        ProcedureFault: PostgreSQL reads a text within it otherwise than it was cut.
    """
    tokens = list(list_tokens(text, 1))
    for before, token in pairwise(tokens):
        if token.text.startswith("'") and before.text.lower() == "e":
            raise ProcedureFault("a text E'...' has another end here: write '' for '")
    return text
