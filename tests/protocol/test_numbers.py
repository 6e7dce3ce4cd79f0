"""No number is without a test, and `docs/reference/protocol.md` lists the same ones with the same clauses."""

import importlib
import re
from pathlib import Path

from protocol.case import STORIES, AnyCase
from protocol.test_cases import CASES
from protocol.transport_cases import RAW_CASES

_ALL: tuple[AnyCase, ...] = (*CASES, *RAW_CASES)
_HERE = Path(__file__).parent
_TABLE = _HERE.parents[1] / "docs" / "reference" / "protocol.md"
_ROW = re.compile(r"\| (P[0-9.]+|O-[0-9]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")
_RANGES = ((1, 51), (54, 78), (84, 84), (96, 110), (119, 119))
_EXPECTED = {
    "P5.0",
    *(f"P{number}" for first, last in _RANGES for number in range(first, last + 1)),
    *(f"O-{number}" for number in range(1, 20)),
}
# Numbers that belong to a later part of the project, each with its reason. None at the moment.
_EXCEPTIONS: dict[str, str] = {}


def _list_sections() -> dict[str, set[str]]:
    """Give the clauses of every number that has a test."""
    for path in _HERE.glob("test_*.py"):
        importlib.import_module(f"protocol.{path.stem}")
    sections: dict[str, set[str]] = {}
    named = [(case.number, case.section) for case in _ALL]
    for number, section in [*named, *STORIES]:
        sections.setdefault(number, set()).update(_split(section))
    return sections


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
    table = {match[1]: _split(match[4]) for match in _ROW.finditer(_TABLE.read_text("utf-8"))}
    assert table == _list_sections()
