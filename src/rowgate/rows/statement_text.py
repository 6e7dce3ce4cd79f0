"""Cuts an administrator's statement where parameters stand in it as `:name`.

What comes out can be put in parentheses and not reach beyond them: it is one statement, and its parentheses, quoted
texts and comments are closed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rowgate.rows.procedures import Parameter, Piece

# As SQL has it. What opens a quoted text or a comment and is matched by none of these is not closed.
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<space>\s+)
    |(?P<cast>::)
    |(?P<parameter>:[\w$]+)
    |(?P<word>[^\W\d][\w$]*|\d[\w.]*)
    |(?P<sign>/\*|.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENINGS = ("'", '"', "`", "[", "/*")
_OTHER_PARAMETERS = ("?", "@", "$")
_DEPTH = {"(": 1, ")": -1}
_END = ";"


class ProcedureFault(Exception):
    """The text declares no procedure; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a statement."""

    kind: str
    text: str
    line: int


def list_tokens(statement: str, first_line: int) -> Iterator[Token]:
    """Give the parts of a statement in order; together they are the statement.

    >>> [token.text for token in list_tokens("SELECT ':a', :b", 1) if token.kind in ("quoted", "parameter")]
    ["':a'", ':b']

    Raises:
        ProcedureFault: A quoted text or a comment is not closed.
    """
    line = first_line
    for found in _TOKEN.finditer(statement):
        token = Token(str(found.lastgroup), found[0], line)
        if token.kind == "sign" and (token.text in _OPENINGS or token.text == "\0"):
            raise ProcedureFault(f"line {line}: {token.text!r} is not closed")
        yield token
        line += token.text.count("\n")


def cut_statement(statement: str, first_line: int, parameters: Mapping[str, Parameter]) -> Iterator[Piece]:
    """Give the pieces of a statement, without the semicolon at its end.

    Args:
        statement: Its text.
        first_line: Of the text, for messages.
        parameters: By their names in lower case.

    Raises:
        ProcedureFault: It is not one whole statement, or has a parameter that is not declared.
    """
    text: list[str] = []
    depth = 0
    is_ended = False
    for token in list_tokens(statement, first_line):
        if token.kind == "sign":
            _refuse_other_parameter(token)
            depth += _DEPTH.get(token.text, 0)
            if depth < 0:
                raise ProcedureFault(f"line {token.line}: a parenthesis is closed that is not open")
            if token.text == _END:
                is_ended = True
                continue
        if is_ended and token.kind not in ("comment", "space"):
            raise ProcedureFault(f"line {token.line}: there is more than one statement")
        if token.kind == "parameter":
            yield "".join(text)
            yield _find_parameter(token, parameters)
            text = []
        else:
            text.append(token.text)
    if depth:
        raise ProcedureFault("a parenthesis is not closed")
    yield "".join(text)


def _refuse_other_parameter(token: Token) -> None:
    if token.text in _OTHER_PARAMETERS:
        raise ProcedureFault(f"line {token.line}: a parameter is written :name, not {token.text}")


def _find_parameter(token: Token, parameters: Mapping[str, Parameter]) -> Parameter:
    found = parameters.get(token.text[1:].lower())
    if found is None:
        raise ProcedureFault(f"line {token.line}: {token.text} is not declared")
    return found
