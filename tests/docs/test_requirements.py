"""The page of requirements names tests and numbers that are there, and every requirement has some."""

import re
from pathlib import Path

from support.numbers import ROW, TABLE

_CHECKOUT = Path(__file__).parents[2]
_PAGE = _CHECKOUT / "docs" / "explanation" / "requirements.md"
_LINE = re.compile(r"^\| (R\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
_LAST = 33


def test_every_requirement_is_shown_by_tests_that_are_there() -> None:
    numbers = {number for number, *_ in ROW.findall(TABLE.read_text("utf-8"))}
    listed = _LINE.findall(_PAGE.read_text("utf-8"))
    assert [number for number, _ in listed] == [f"R{number}" for number in range(1, _LAST + 1)]
    for number, shown in listed:
        names = shown.strip().split(", ")
        assert names != [""], number
        for name in names:
            assert name in numbers or _is_a_test(name), f"{number}: {name}"


def _is_a_test(name: str) -> bool:
    found = re.fullmatch(r"`([\w/]+\.py)::(test_\w+)`", name)
    if found is None:
        return False
    file = _CHECKOUT / "tests" / found[1]
    return file.is_file() and re.search(rf"^def {found[2]}\(", file.read_text("utf-8"), re.MULTILINE) is not None
