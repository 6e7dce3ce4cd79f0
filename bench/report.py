"""Results as data, kept between runs, and `docs/benchmarks.md` written from them, exactly as they were measured."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

HEAD = """# Benchmarks

Written by `make bench`; nothing here is edited by hand. Load and servers share this machine: the server is pinned to
one core, the load to another, over loopback and without TLS, since a handshake costs far more than everything measured
here. Servers that are compared run side by side and take turns, and each figure is the median of its turns. Figures
drift between machines and with what else the host of a virtual machine does; the ratios are what counts. `CPU µs` is
the processor time that one request costs the server.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head."""

    head: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached, and what was."""

    what: str
    goal: str
    measured: str
    held: bool


@dataclass(frozen=True, slots=True)
class Section:
    """What one measure found."""

    title: str
    tables: list[Table]
    goals: list[Goal]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """A section with when and under what conditions it was measured."""

    section: Section
    measured_at: str
    stolen_percent: float
    load_average: float
    seconds: int
    machine: Table


def times(ratio: float, digits: int = 2) -> str:
    """A ratio as the tables show it."""
    return f"{ratio:.{digits}f}\N{MULTIPLICATION SIGN}"


def save(folder: Path, name: str, result: Result) -> None:
    """Keeps a result for reports of later runs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)))


def load(folder: Path, name: str) -> Result | None:
    """The newest kept result of a measure, or None."""
    file = folder / f"{name}.json"
    return msgspec.json.decode(file.read_bytes(), type=Result) if file.exists() else None


def render_document(results: list[Result]) -> str:
    """The whole of `docs/benchmarks.md`."""
    goals = [goal for result in results for goal in result.section.goals]
    held = sum(goal.held for goal in goals)
    parts = [
        HEAD,
        "## Machine",
        _table(results[0].machine),
        f"## Goals: {held} of {len(goals)} held",
        _table(_goal_table(goals)),
        *(_section(result) for result in results),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def render_section(section: Section) -> str:
    """One section as the terminal shows it."""
    goals = [_table(_goal_table(section.goals))] if section.goals else []
    return "\n\n".join([f"## {section.title}", *map(_table, section.tables), *goals, *section.notes])


def _section(result: Result) -> str:
    section = result.section
    conditions = (
        f"Measured {result.measured_at}, turns of {result.seconds} s. Load average before: {result.load_average:.2f}; "
        f"the host took away {result.stolen_percent:.0f}% of the processor time meanwhile."
    )
    return "\n\n".join([f"## {section.title}", *map(_table, section.tables), *section.notes, conditions])


def _goal_table(goals: list[Goal]) -> Table:
    rows = [[goal.what, goal.goal, goal.measured, "yes" if goal.held else "**no**"] for goal in goals]
    return Table(["what", "goal", "measured", "held"], rows)


def _table(table: Table) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (table.head, *table.rows)]
    rule = "|" + "|".join("---" if not number else "---:" for number in range(len(table.head))) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
