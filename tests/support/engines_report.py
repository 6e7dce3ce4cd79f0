"""The support matrix: `pytest --engines-report` writes what each engine's tests said into docs/reference/engines.md."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"
_MATRIX = re.compile(r"(<!-- what was run: [^>]*-->\n).*?(<!-- end of what was run -->)", re.DOTALL)
_CASE = re.compile(r"tests/engines/(test_contract|test_conformance)\.py::test_(\w+)\[([a-z]+)")
_outcomes: dict[tuple[str, str], dict[str, list[str]]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engines-report", action="store_true", help="write docs/reference/engines.md")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    found = _CASE.search(report.nodeid)
    if found is not None and (report.when == "call" or report.outcome != "passed"):
        kind, rule, engine = found.groups()
        _outcomes.setdefault((kind, rule), {}).setdefault(engine, []).append(report.outcome)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("engines_report") and _outcomes:
        text = PAGE.read_text("utf-8")
        written = _MATRIX.sub(lambda found: found[1] + render_matrix() + found[2], text)
        PAGE.write_text(written, "utf-8")


def render_matrix() -> str:
    """Give the table: a rule in each row, an engine in each column."""
    engines = sorted({engine for by_engine in _outcomes.values() for engine in by_engine})
    lines = [f"| Rule | {' | '.join(engines)} |", "|---" * (len(engines) + 1) + "|"]
    for (_, rule), by_engine in sorted(_outcomes.items()):
        lines.append(f"| {rule.replace('_', ' ')} | {' | '.join(_tell(by_engine.get(name, [])) for name in engines)} |")
    return "\n".join(lines) + "\n"


def _tell(outcomes: list[str]) -> str:
    if not outcomes:
        return "not run"
    if "failed" in outcomes:
        return f"**fails** {outcomes.count('failed')} of {len(outcomes)}"
    passed = outcomes.count("passed")
    return f"ok ({passed})" if passed else "does not apply"
