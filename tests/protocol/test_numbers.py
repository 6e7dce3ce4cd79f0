"""No number is without a test, and `docs/reference/protocol.md` lists the same ones with the same clauses."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.case import AnyCase
from protocol.test_cases import CASES
from protocol.transport_cases import RAW_CASES
from support.numbers import ROW, TABLE

_ALL: tuple[AnyCase, ...] = (*CASES, *RAW_CASES)
_TESTS = Path(__file__).parents[1]
_RANGES = ((1, 121),)
_EXPECTED = {
    "P5.0",
    *(f"P{number}" for first, last in _RANGES for number in range(first, last + 1)),
    *(f"O-{number}" for number in range(1, 20)),
}
# Numbers that belong to a later part of the project, each with its reason.
_EXCEPTIONS: dict[str, str] = {}


def _list_sections() -> dict[str, set[str]]:
    """Give the clauses of every number that has a test."""
    sections: dict[str, set[str]] = {}
    marked = [mark.args for path in _TESTS.rglob("test_*.py") for mark in _list_marks(path)]
    for number, section in [*((case.number, case.section) for case in _ALL), *marked]:
        sections.setdefault(number, set()).update(_split(section))
    return sections


def _list_marks(path: Path) -> Iterator[pytest.Mark]:
    if not re.search(r"pytest\.mark\.number|import .*numbered", path.read_text("utf-8")):
        return
    module = importlib.import_module(".".join(path.relative_to(_TESTS).with_suffix("").parts))
    for name, test in vars(module).items():
        if name.startswith("test_"):
            yield from (mark for mark in getattr(test, "pytestmark", []) if mark.name == "number")


def _split(section: str) -> set[str]:
    """Give the clauses one by one; one without its standard belongs to the standard before it."""
    clauses, standard = set(), ""
    for part in re.split(r"[,;] ", section.strip()):
        found = re.match(r"RFC [0-9]+", part)
        standard = found[0] if found else standard
        clauses.add(part if found or not part.startswith(("§", "Appendix")) else f"{standard} {part}")
    return clauses


def test_every_number_has_a_test() -> None:
    assert _EXPECTED - set(_list_sections()) == set(_EXCEPTIONS)


def test_names_are_unique() -> None:
    names = [(case.number, case.name) for case in _ALL]
    assert len(names) == len(set(names))


def test_table_and_suite_hold_the_same() -> None:
    table = {match[1]: _split(match[4]) for match in ROW.finditer(TABLE.read_text("utf-8"))}
    assert table == _list_sections()
