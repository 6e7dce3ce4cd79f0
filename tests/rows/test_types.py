"""How stored values are written, and that the page in docs says the same."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rows.harness import Reader, refusal, success
from rows.tables import STORED, Stored
from rows.tables_postgres import STORED as STORED_POSTGRES

PAGE = Path(__file__).parents[2] / "docs/reference/types.md"
_ROW = re.compile(r"\| `?([^|`]*)`? \| (`+)(.*?)\2 \| (`+)(.*?)\4 \|.*")


TABLES = {"odd": STORED, "odd_postgres": STORED_POSTGRES}
EACH = pytest.mark.parametrize(
    ("served", "place", "stored"),
    [(served, place, stored) for served, table in TABLES.items() for place, stored in enumerate(table)],
    ids=[f"{served} {stored.declared} {stored.sql}" for served, table in TABLES.items() for stored in table],
)


@EACH
def test_stored_value_is_written_as_the_table_says(
    request: pytest.FixtureRequest, served: str, place: int, stored: Stored
) -> None:
    reader: Reader = request.getfixturevalue(served)
    assert reader.get(f"type_{place}").text == f'[{{"value":{stored.json}}}]'
    assert reader.get(f"type_{place}", "format=ndjson").text == f'{{"value":{stored.json}}}\n'
    assert reader.get(f"type_{place}", "groupby=value").text == f'[{{"value":{stored.json},"groupItems":[{{}}]}}]'
    assert reader.get(f"type_{place}", "distinct=true&orderby=value").text == f'[{{"value":{stored.json}}}]'


@EACH
def test_stored_value_in_csv_is_as_in_json_but_for_the_quotation_marks(
    request: pytest.FixtureRequest, served: str, place: int, stored: Stored
) -> None:
    reader: Reader = request.getfixturevalue(served)
    written = stored.json
    if written.startswith('"'):
        text = json.loads(written).replace('"', '""')
        written = f'"{text}"'
    elif written == "null":
        is_infinite = stored.sql == "9e999"  # JSON looks for these in fewer columns
        written = '"Infinity"' if is_infinite else '""'  # NULL, of one column; see test_encoders
    assert reader.get(f"type_{place}", "format=csv").content.decode() == f'"value"\r\n{written}\r\n'


_ASKED = [
    ("x", "equals"),
    ("'", "less"),
    ("2018", "not_equals"),
    (1.5, "greater"),
    (-(2**63), "less"),
    (True, "equals"),
]


@pytest.mark.parametrize("place", range(len(STORED_POSTGRES)), ids=[f"{s.declared} {s.sql}" for s in STORED_POSTGRES])
def test_a_column_of_any_type_is_compared_with_anything(odd_postgres: Reader, place: int) -> None:
    """What was written finds its row again; what cannot be compared is refused by name, and nothing fails."""
    name, written = f"type_{place}", STORED_POSTGRES[place].json
    value = written if written[0] in "-123456789" else json.loads(written)  # as text, a number may have any digits
    for given, function in [*_ASKED, (value, "contains"), (value, "starts_with")]:
        answer = odd_postgres.post(name, {"filters": [{"column": "value", "function": function, "value": given}]})
        assert answer.status_code == 200 or refusal(answer)[0].startswith("filters[0]."), answer.text
    if value is None or " BC" in str(value) or written in ('"NaN"', '"Infinity"', '"-Infinity"'):
        return
    for match_case in (False, True):
        asked = {"column": "value", "function": "equals", "value": value, "matchCase": match_case}
        assert len(odd_postgres.rows(name, {"filters": [asked]})) == 1
    assert len(odd_postgres.rows(name, {"orderby": ["value desc"], "aggregates": ["max:value:value"]})) == 1
    assert odd_postgres.post(name, {"aggregates": ["min:value:value"]}).text == f'[{{"value":{written}}}]'


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_page_shows_the_same_table(table: list[Stored]) -> None:
    parts = PAGE.read_text().split("## PostgreSQL")
    part = parts[table is STORED_POSTGRES]
    found = [match.groups() for line in part.splitlines() if (match := _ROW.fullmatch(line))]
    assert [
        Stored(declared.replace("none", ""), sql.strip(), text.strip()) for declared, _, sql, _, text in found
    ] == table


def test_unreadable_text_hides_nothing_else(odd: Reader) -> None:
    """Text that is not UTF-8 comes with U+FFFD; rows before and after it, in other blocks too, are as they were."""
    expected = [{"n": n, "value": f"é\ufffd{n}" if n % 1250 == 1249 else f"É{n}", "other": n / 2} for n in range(3500)]
    assert odd.rows("unreadable") == expected
    newest_first = odd.rows("unreadable", {"orderby": ["n desc"], "limit": 2300, "offset": 10})
    assert newest_first == expected[::-1][10:2310]


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("contains", "É12"),
        ("contains", "49"),
        ("starts_with", "É"),
        ("ends_with", "É3"),
        ("equals", "É5"),
        ("greater", "É3"),
    ],
)
def test_filters_work_beside_unreadable_text(odd: Reader, function: str, value: str) -> None:
    stored = [f"é\ufffd{n}" if n % 1250 == 1249 else f"é{n}" for n in range(3500)]
    meanings: dict[str, Callable[[str], bool]] = {
        "contains": lambda text: value.lower() in text,
        "starts_with": lambda text: text.startswith(value.lower()),
        "ends_with": lambda text: text.endswith(value.lower()),
        "equals": lambda text: text == value.lower(),
        "greater": lambda text: text > value.lower(),
    }
    meaning = meanings[function]
    rows = odd.rows("unreadable", {"filters": [{"column": "value", "function": function, "value": value}]})
    assert [row["n"] for row in rows] == [n for n, text in enumerate(stored) if meaning(text)]


def test_view_with_columns_of_one_name_gives_each(odd: Reader) -> None:
    """SQLite tells them apart by a number."""
    assert odd.rows("doubled") == [{"n": 0, "n:1": 0, "n:2": "É0"}, {"n": 1, "n:1": 1, "n:2": "É1"}]


def test_answer_is_utf_8_json_without_escapes_that_are_not_needed(odd: Reader) -> None:
    answer = odd.get("山田")
    assert answer.headers["content-type"] == "application/json"
    assert "山田".encode() in answer.content
    assert success(answer) == json.loads(answer.content)
