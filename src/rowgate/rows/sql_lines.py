"""The statements that have PostgreSQL itself write rows: as lines of CSV, or in its binary form for Arrow's arrays.

A COPY takes no bound values, so they stand in its text, and no character of theirs reaches it but ASCII letters and
digits: every other is written by its number. Nothing of a value can so end the text that it stands in.
"""

import re

from rowgate.rows.copied_order import order_copied
from rowgate.rows.dialects.postgres import BARE_POSTGRES, PostgresDialect, write_moment
from rowgate.rows.encode_lines import ARRAY_FORMATS, MARK, may_be_long
from rowgate.rows.holds import NUMERIC, Holds
from rowgate.rows.model import Column, Format, Plan, Statement, Value
from rowgate.rows.sql import render_select
from rowgate.rows.sql_conditions import Binder

_HARMLESS = re.compile(r"[^0-9A-Za-z]")
_SCALE = re.compile(r"numeric\(\d+,([0-6])\)")
_FOUR_DIGITS = 0xFFFF  # write so much
# Between them PostgreSQL writes a real as JSON's writer does, but for the point of a whole one. Beyond, one of them has
# an exponent and the other has not, or PostgreSQL has a digit more than it takes.
_ALIKE_FROM, _ALIKE_TO = "CAST('1e-4' AS float8)", "CAST('1e15' AS float8)"
_EXPONENT_FROM = "0.000001"  # a decimal that is smaller and has more digits has an exponent


class LiteralBinder(Binder):
    """Writes each value where it stands, and so leaves none to be bound."""

    def bind(self, value: Value) -> str:
        r"""Give the value as a literal of no type yet, which becomes what a bound one would.

        >>> print(LiteralBinder(PostgresDialect()).bind("O'Hara"))
        U&'O\0027Hara'
        """
        if value is None:
            return "NULL"
        text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
        return f"U&'{_HARMLESS.sub(_number, text)}'"


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\{code:04x}" if code <= _FOUR_DIGITS else f"\\+{code:06x}"


def render_lines(plan: Plan, form: Format, dialect: PostgresDialect) -> Statement | None:
    """Give the statement that copies what a plan says, each value as the format has it; None: only rows give that.

    CSV is byte for byte what `encode_csv` writes but for what `encode_lines` puts right. Arrow and Parquet are made
    of the binary form, in which numbers and moments are numbers: `copied_arrays` does the rest for less.
    """
    columns = plan.result_columns
    is_written = (form is Format.CSV or form in ARRAY_FORMATS) and all(map(_has_form, columns))
    if not may_be_long(plan) or not is_written or plan.page or plan.aggregates or dialect.codec:
        return None
    names = [f"c{place}" for place in range(len(columns))]
    write = _write_text if form is Format.CSV else _write_binary
    order = range(len(columns)) if form is Format.CSV else order_copied(columns)
    shown = ", ".join(f"{write(names[place], columns[place])} AS {names[place]}" for place in order)
    # An order within holds without: there is nothing there that could change it.
    read = _render_rows(plan)
    rows = f"SELECT {shown} FROM ({read.text}) AS r ({', '.join(names)})"  # noqa: S608 - made here
    if form is not Format.CSV:
        return Statement(f"COPY ({rows}) TO STDOUT (FORMAT binary)", (), plan.limit, runs_code=read.runs_code)
    quoted = [name for name, column in zip(names, columns, strict=True) if column.holds not in NUMERIC]
    force = f", FORCE_QUOTE ({', '.join(quoted)})" if quoted else ""
    return Statement(f"COPY ({rows}) TO STDOUT (FORMAT csv{force})", (), plan.limit, runs_code=read.runs_code)


def _render_rows(plan: Plan) -> Statement:
    statement = render_select(plan, BARE_POSTGRES, LiteralBinder(BARE_POSTGRES))
    assert not statement.parameters, "internal error: a value that a COPY cannot take"
    return statement


def _has_form(column: Column) -> bool:
    """Tell whether the server can write the column as the formats have it."""
    return column.mask is None and column.holds is not Holds.ANYTHING


def _write_binary(name: str, column: Column) -> str:
    """Give what the binary form has as a number of 8 bytes, one of moments, a boolean, bytes, or else a text."""
    match column.holds:
        case Holds.INTEGER:
            return f"CAST({name} AS bigint)"
        case Holds.SINGLE:
            return _widen(name)
        case Holds.DECIMAL:
            return _write_digits(name, column)
        case Holds.TIME | Holds.UUID:
            return f"CAST({name} AS text)"
        case _:
            return name


def _write_text(name: str, column: Column) -> str:
    match column.holds:
        case Holds.BOOLEAN:
            return f"CAST({name} AS text)"
        case Holds.BINARY:
            return f"replace(encode({name}, 'base64'), chr(10), '')"
        case Holds.DECIMAL:
            return _write_digits(name, column)
        case Holds.MOMENT | Holds.INSTANT:
            return write_moment(name, column.holds)
        case Holds.REAL | Holds.SINGLE:
            return _write_real(name if column.holds is Holds.REAL else _widen(name))
        case _:
            return name


def _write_digits(name: str, column: Column) -> str:
    """Give a decimal as its text; one of few places has no exponent."""
    return f"CAST({name} AS text)" if _SCALE.fullmatch(column.declared_type) else _write_decimal(name)


def _widen(single: str) -> str:
    """Give a single as a double with the same digits, and no more."""
    return f"CAST(CAST({single} AS text) AS float8)"


def _write_real(real: str) -> str:
    """Give a real as JSON's writer has it, or marked, so that the encoder writes it."""
    text = f"CAST({real} AS text)"
    return (
        f"CASE WHEN {real} = trunc({real}) AND abs({real}) < {_ALIKE_TO} THEN {text} || '.0' "
        f"WHEN abs({real}) >= {_ALIKE_FROM} AND abs({real}) < {_ALIKE_TO} THEN {text} "
        f"WHEN {real} IS NOT NULL THEN chr({ord(MARK)}) || {text} END"
    )


def _write_decimal(decimal: str) -> str:
    """Give a decimal as Python has it: what begins with many zeros has an exponent."""
    digits = f"ltrim(substr(CAST(abs({decimal}) AS text), 3), '0')"
    sign = f"CASE WHEN {decimal} < 0 THEN '-' ELSE '' END"
    rest = f"CASE WHEN length({digits}) > 1 THEN '.' || substr({digits}, 2) ELSE '' END"
    exponent = f"CAST(length({digits}) - 1 - scale({decimal}) AS text)"
    return (
        f"CASE WHEN abs({decimal}) >= {_EXPONENT_FROM} OR scale({decimal}) <= 6 THEN CAST({decimal} AS text) "
        f"WHEN {decimal} = 0 THEN '0E-' || CAST(scale({decimal}) AS text) "
        f"ELSE {sign} || left({digits}, 1) || {rest} || 'E' || {exponent} END"
    )
