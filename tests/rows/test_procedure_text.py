"""A declared procedure is read as SQL reads it: a parameter stands outside of quoted texts and comments."""

import contextlib

import apsw
import apsw.ext
import pytest
from hypothesis import assume, example, given, reject, settings
from hypothesis import strategies as st

from rowgate.rows.procedure_text import Declaration, parse_procedure
from rowgate.rows.procedures import Parameter, ParameterType, TableColumn
from rowgate.rows.sql_call import render_query
from rowgate.rows.statement_text import ProcedureFault, list_tokens
from support.laws import choose_examples

A = "-- parameter: a text\n"
AB = A + "-- parameter: b integer\n"


def parameters_in(declared: Declaration) -> list[str]:
    return [piece.name for piece in declared.pieces if isinstance(piece, Parameter)]


def test_whole_declaration() -> None:
    declared = parse_procedure(
        "-- Title: Of one department\r\n-- anything else\r\n\n-- description: One line.\n-- description:  Two lines.\n"
        "-- parameter: Department text required -- as the directory -- spells it\n"
        "--parameter: since moment default 2018-01-01\n"
        "-- PARAMETER: kind text DEFAULT 'it''s -- fine'\n"
        "-- parameter: most number default -1.5\n"
        "-- parameter: few integer default null\n"
        "-- parameter: all boolean default TRUE\n"
        "-- parameter: key binary default 'AAE='\n"
        "-- parameter: hosts table (name text, Port integer) required -- where\n"
        "SELECT :department, :SINCE, :kind, :most, :few, :all, :key FROM :hosts;  -- the end ;\n;\n"
    )
    assert (declared.title, declared.description) == ("Of one department", "One line.\nTwo lines.")
    assert declared.parameters == (
        Parameter("Department", ParameterType.TEXT, required=True, description="as the directory -- spells it"),
        Parameter("since", ParameterType.MOMENT, default="2018-01-01"),
        Parameter("kind", ParameterType.TEXT, default="it's -- fine"),
        Parameter("most", ParameterType.NUMBER, default=-1.5),
        Parameter("few", ParameterType.INTEGER),
        Parameter("all", ParameterType.BOOLEAN, default=True),
        Parameter("key", ParameterType.BINARY, default=b"\0\1"),
        Parameter(
            "hosts",
            (TableColumn("name", ParameterType.TEXT), TableColumn("Port", ParameterType.INTEGER)),
            required=True,
            description="where",
        ),
    )
    assert parameters_in(declared) == ["Department", "since", "kind", "most", "few", "all", "key", "hosts"]
    assert render_query(declared.pieces, lambda _: "?").strip() == "SELECT ?, ?, ?, ?, ?, ?, ? FROM ?  -- the end ;"


# What is no parameter, each beside one that is.
STATEMENTS = {
    "text": ("SELECT ':a' || :a", ["a"]),
    "doubled-quote": ("SELECT 'it''s :a' || :a", ["a"]),
    "identifier": ('SELECT ":a" FROM t WHERE x = :a', ["a"]),
    "doubled-identifier": ('SELECT """:a" = :a', ["a"]),
    "backticks": ("SELECT `:a` = :a", ["a"]),
    "brackets": ("SELECT [:a ' x] = :a", ["a"]),
    "comment": ("SELECT 1 -- :a ' \" /*\n = :a", ["a"]),
    "long-comment": ("SELECT /* :a -- ' \n */ :a", ["a"]),
    "comment-in-text": ("SELECT '--' || :a || '/*'", ["a"]),
    "cast": ("SELECT x::a, :a::text", ["a"]),
    "twice": ("SELECT :a, :b, :a", ["a", "b", "a"]),
    "case": ("SELECT :A", ["a"]),
    "dollar-in-word": ("SELECT a$b, :a", ["a"]),
    "parentheses-in-text": ("SELECT ')' || (:a)", ["a"]),
    "no-space": ("SELECT:a", ["a"]),
}


@pytest.mark.parametrize(("statement", "expected"), STATEMENTS.values(), ids=STATEMENTS.keys())
def test_parameters_stand_outside_of_texts_and_comments(statement: str, expected: list[str]) -> None:
    head = AB if "b" in expected else A
    declared = parse_procedure(head + statement)
    assert parameters_in(declared) == expected
    assert len(declared.pieces) == 2 * len(expected) + 1


FAULTS = {
    "nothing": ("", "there is no statement"),
    "only-comments": ("-- title: x\n", "there is no statement"),
    "unknown-parameter": ("SELECT 1,\n :b", "line 2: :b is not declared"),
    "unused": (A + "SELECT ':a'", "the parameter a is declared and not used"),
    "declared-twice": (A + "-- parameter: A integer\nSELECT :a", "line 2: A is declared more than once"),
    "no-type": ("-- parameter: a\nSELECT :a", "line 1: a parameter is declared as"),
    "no-such-type": ("-- parameter: a varchar\nSELECT :a", "line 1: varchar is none of"),
    "no-such-word": ("-- parameter: a text optional\nSELECT :a", "line 1: a parameter is declared as"),
    "odd-name": ("-- parameter: a-b text\nSELECT 1", "line 1: a parameter is declared as"),
    "required-and-default": ("-- parameter: a text required default x\nSELECT :a", "line 1: a parameter is declared"),
    "wrong-default": ("-- parameter: a integer default x\nSELECT :a", "line 1: the default is not a whole number"),
    "wrong-date": ("-- parameter: a date default 2018-13-01\nSELECT :a", "line 1: the default is not a date"),
    "infinite-default": ("-- parameter: a number default 1e999\nSELECT :a", "line 1: the default is not"),
    "table-with-default": ("-- parameter: a table(n text) default x\nSELECT :a", "line 1: a table has no default"),
    "table-without-columns": ("-- parameter: a table()\nSELECT :a", "line 1: a table is declared as"),
    "table-of-alike-columns": ("-- parameter: a table(n text, N text)\nSELECT :a", "line 1: a table has up to"),
    "binary-in-table": ("-- parameter: a table(n binary)\nSELECT :a", "line 1: a table has no binary"),
    "binary-beside-text": ("-- parameter: a table(n text, m BINARY)\nSELECT :a", "line 1: a table has no binary"),
    "late-declaration": ("SELECT 1\n-- parameter: a text\n, 2", "line 2: title, description and parameters"),
    "two-statements": ("SELECT 1; SELECT 2", "line 1: there is more than one statement"),
    "hidden-second": ("SELECT 1; /* x */ -- y\n DELETE FROM t", "line 2: there is more than one statement"),
    "closes-more": ("SELECT 1) UNION SELECT (2", "line 1: a parenthesis is closed that is not open"),
    "closes-less": ("SELECT (1", "a parenthesis is not closed"),
    "open-text": ("SELECT 'a''b", "is not closed"),
    "open-identifier": ('SELECT "a', "is not closed"),
    "open-brackets": ("SELECT [a", "is not closed"),
    "open-comment": ("SELECT 1 /* a", "'/*' is not closed"),
    "nul": ("SELECT 1 \0", "is not closed"),
    "question-mark": ("SELECT ?", "a parameter is written :name, not ?"),
    "numbered": ("SELECT ?1", "a parameter is written :name, not ?"),
    "at": ("SELECT @a", "a parameter is written :name, not @"),
    "dollar": ("SELECT $a", "a parameter is written :name, not $"),
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_told_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(ProcedureFault) as raised:
        parse_procedure(text)
    assert expected in str(raised.value)


_FRAGMENTS = st.sampled_from(
    [
        *(":a", ":b", ":A", "'", "''", '"', "`", "[", "]", "--", "/*", "*/", "\n", " ", "(", ")", ";", ",", "::", ":"),
        *("-", "1", "x", "SELECT ", "x'00'", "é", "$", "||", "a$", "1.5", "/", "*", "1e", "\t", "\r", "\x0b", "1:a"),
    ]
)


@settings(max_examples=choose_examples(400), deadline=None)
@given(st.lists(_FRAGMENTS, max_size=12).map("".join))
@example("'--' || :a")
@example("[:a] :a")
def test_parts_are_the_whole_and_parameters_are_those_of_sqlite(text: str) -> None:
    """SQLite itself says which parameters a statement has, and that it is one."""
    statement = f"SELECT 1, {text}"
    assume("::" not in statement)  # is a part of names there
    try:
        assert "".join(token.text for token in list_tokens(statement, 1)) == statement
        head = "".join(f"-- parameter: {n} text\n" for n in ("a", "b") if _mentions(statement, n))
        declared = parse_procedure(head + statement)
    except ProcedureFault:
        return
    with apsw.Connection("") as connection:
        connection.execute("CREATE TABLE t (x)")
        try:
            info = apsw.ext.query_info(connection, statement)
        except apsw.Error:
            reject()
        rest = (info.query_remaining or "").strip(" \n\t\r\x0b;")
        assert not rest or rest.startswith(("--", "/*"))
        found = {str(name).lower() for name in info.bindings_names if name}
        assert set(parameters_in(declared)) == found
        # what is made of it is that statement, and stays within parentheses
        made = render_query(declared.pieces, lambda _: "?")
        assert apsw.ext.query_info(connection, made).bindings_count == len(parameters_in(declared))
        enclosed = apsw.ext.query_info(connection, f"SELECT * FROM (\n{made}\n)")
        assert enclosed.query_remaining is None


def _mentions(statement: str, name: str) -> bool:
    return any(t.kind == "parameter" and t.text[1:].lower() == name for t in list_tokens(statement, 1))


@given(st.text(max_size=60) | st.lists(_FRAGMENTS, max_size=20).map("".join))
def test_whatever_the_text_it_is_read_or_at_fault(text: str) -> None:
    for whole in (text, A + text, "-- parameter: " + text + "\nSELECT 1", "-- parameter: a " + text + "\nSELECT :a"):
        with contextlib.suppress(ProcedureFault):
            parse_procedure(whole)
