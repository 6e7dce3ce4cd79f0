"""The support matrix: `pytest --engines-report` writes what each engine's tests said into docs/reference/engines.md.

An engine that was not run keeps what an earlier run wrote.
"""

import fcntl
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"
_MATRIX = re.compile(r"(<!-- what was run: [^>]*-->\n).*?(<!-- end of what was run -->)", re.DOTALL)
# Of a road over HTTP the engine is named as of the rest: what it reads, such as Parquet, has a column of its own.
_FILES = "contract|conformance|laws|pages_served|counts_served|streams_served|runs_served|cursors_served|calls_served"
_CASE = re.compile(rf"tests/engines/test_({_FILES})\.py::test_(\w+)\[([a-z]+)")
titles: dict[str, str] = {}  # what stands over a column, where that is more than the engine's name
_outcomes: dict[tuple[str, str], dict[str, list[str]]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engines-report", action="store_true", help="write docs/reference/engines.md")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make test` and `make test-slow` what they run and the page does not tell of."""
    if config.getoption("engines_report"):
        kept = [item for item in items if _CASE.search(item.nodeid) or item.get_closest_marker("engines")]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    found = _CASE.search(report.nodeid)
    if found is not None and (report.when == "call" or report.outcome != "passed"):
        kind, rule, engine = found.groups()
        _outcomes.setdefault((kind, rule), {}).setdefault(engine, []).append(report.outcome)


def pytest_sessionfinish(session: pytest.Session) -> None:
    is_whole = not hasattr(session.config, "workerinput")  # the processes of xdist tell the one that started them
    if session.config.getoption("engines_report") and _outcomes and is_whole:
        with PAGE.open("r+b") as page:
            fcntl.flock(page, fcntl.LOCK_EX)  # two engines may be run at once
            text = page.read().decode()
            found = _MATRIX.search(text)
            assert found is not None, "internal error: the page has no place for the matrix"
            before = _read_matrix(found[0])
            page.seek(0)
            page.write(_MATRIX.sub(lambda found: found[1] + render_matrix(before) + found[2], text).encode())
            page.truncate()


def _read_matrix(text: str) -> dict[str, dict[str, str]]:
    """Give what stands on the page: by the title of its column, each rule's cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {title: {row[0]: row[place] for row in rows[2:]} for place, title in enumerate(rows[0]) if place}


def render_matrix(before: Mapping[str, Mapping[str, str]]) -> str:
    """Give the table: a rule in each row, an engine in each column."""
    columns = {title: dict(cells) for title, cells in before.items()}
    listed = dict.fromkeys(rule for cells in before.values() for rule in cells)
    for engine in {engine for by_engine in _outcomes.values() for engine in by_engine}:
        for title in [title for title in columns if title.split()[0] == engine]:
            del columns[title]
        columns[titles.get(engine, engine)] = {
            rule.replace("_", " "): _tell(by_engine.get(engine, [])) for (_, rule), by_engine in _outcomes.items()
        }
    listed.update(dict.fromkeys(rule.replace("_", " ") for _, rule in sorted(_outcomes)))
    ordered = sorted(columns)
    lines = [f"| Rule | {' | '.join(ordered)} |", "|---" * (len(ordered) + 1) + "|"]
    for rule in listed:
        cells = [columns[title].get(rule, "not run") for title in ordered]
        if set(cells) != {"not run"}:  # else it is a rule of old
            lines.append(f"| {rule} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _tell(outcomes: list[str]) -> str:
    if not outcomes:
        return "not run"
    if "failed" in outcomes:
        return f"**fails** {outcomes.count('failed')} of {len(outcomes)}"
    passed = outcomes.count("passed")
    return f"ok ({passed})" if passed else "does not apply"
