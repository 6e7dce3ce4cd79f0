"""Tests by their numbers in `docs/reference/protocol.md`: `pytest --numbers` lists each with what its tests said."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"
ROW = re.compile(r"\| (P[0-9.]+|O-[0-9]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")
_NAME = "number"
LAST = 121  # of the P numbers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--numbers", action="store_true", help="list the protocol's numbers with results and sections")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report carry its test's numbers, also from another process."""
    for item in items:
        item.user_properties += [(_NAME, str(mark.args[0])) for mark in item.iter_markers(_NAME)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("numbers"):
        return
    results = _collect(terminalreporter)
    terminalreporter.section("the protocol by its numbers")
    shown, listed = 0, set()
    for number, case, _, section in ROW.findall(TABLE.read_text("utf-8")):
        passed, failed = results.get(number, (0, 0))
        said = f"FAILED {failed}" if failed else "ok" if passed else "NOT SHOWN"
        shown += said == "ok"
        listed.add(number)
        terminalreporter.line(f"{number:<6} {said:<10} {passed + failed:>4} tests  {case}  [{section}]")
    for number in (f"P{place}" for place in range(1, LAST + 1)):
        if number not in listed:
            terminalreporter.line(f"{number:<6} NOT SHOWN     0 tests  why: tests/protocol/test_numbers.py")
    terminalreporter.line(f"{shown} numbers are shown by tests that passed")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the list when a number that it promises has no test that passed, or one that did not."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not session.config.getoption("numbers") or not isinstance(reporter, pytest.TerminalReporter):
        return
    results = _collect(reporter)
    promised = [number for number, *_ in ROW.findall(TABLE.read_text("utf-8"))]
    if session.exitstatus == 0 and any(results.get(number, (0, 1))[1] for number in promised):
        session.exitstatus = 1


def _collect(reporter: pytest.TerminalReporter) -> dict[str, tuple[int, int]]:
    """Give by number how many of its tests passed and how many did not."""
    results: dict[str, tuple[int, int]] = {}
    for number, is_good in _list_outcomes(reporter):
        passed, failed = results.get(number, (0, 0))
        results[number] = (passed + is_good, failed + (not is_good))
    return results


def _list_outcomes(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, bool]]:
    for outcome, is_good in (("passed", True), ("failed", False), ("error", False)):
        for report in reporter.stats.get(outcome, []):
            for name, number in getattr(report, "user_properties", []):
                if name == _NAME:
                    yield number, is_good
