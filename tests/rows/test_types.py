"""How stored values are written, and that the page in docs says the same."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rows.harness import Reader, success
from rows.tables import STORED, Stored

PAGE = Path(__file__).parents[2] / "docs/reference/types.md"
_ROW = re.compile(r"\| `?([^|`]*)`? \| (`+)(.*?)\2 \| (`+)(.*?)\4 \|.*")


@pytest.mark.parametrize(("place", "stored"), list(enumerate(STORED)), ids=[f"{s.declared} {s.sql}" for s in STORED])
def test_stored_value_is_written_as_the_table_says(odd: Reader, place: int, stored: Stored) -> None:
    assert odd.get(f"type_{place}").text == f'[{{"value":{stored.json}}}]'
    assert odd.get(f"type_{place}", "format=ndjson").text == f'{{"value":{stored.json}}}\n'
    assert odd.get(f"type_{place}", "groupby=value").text == f'[{{"value":{stored.json},"groupItems":[{{}}]}}]'


@pytest.mark.parametrize(("place", "stored"), list(enumerate(STORED)), ids=[f"{s.declared} {s.sql}" for s in STORED])
def test_stored_value_in_csv_is_as_in_json_but_for_the_quotation_marks(odd: Reader, place: int, stored: Stored) -> None:
    written = stored.json
    if written.startswith('"'):
        text = json.loads(written).replace('"', '""')
        written = f'"{text}"'
    elif written == "null":
        is_infinite = stored.sql == "9e999"  # JSON looks for these in fewer columns
        written = '"Infinity"' if is_infinite else '""'  # NULL, of one column; see test_encoders
    assert odd.get(f"type_{place}", "format=csv").content.decode() == f'"value"\r\n{written}\r\n'


def test_page_shows_the_same_table() -> None:
    found = [match.groups() for line in PAGE.read_text().splitlines() if (match := _ROW.fullmatch(line))]
    assert [
        Stored(declared.replace("none", ""), sql.strip(), text.strip()) for declared, _, sql, _, text in found
    ] == STORED


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
