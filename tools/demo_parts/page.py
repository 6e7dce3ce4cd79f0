"""What the demo shows: headings, lines to paste, tables. Colour only on a terminal."""

import os
import shlex
from collections.abc import Sequence
from typing import Any

import click

WIDTH = 100
CELL = 40  # a longer value is cut, and the cut is shown
_INDENT = "   "


class Page:
    """Writes to standard output."""

    def __init__(self) -> None:
        """Begin at step 1."""
        self._step = 0
        self._colour = False if os.environ.get("NO_COLOR") else None

    def title(self, text: str, below: str) -> None:
        """Open the page."""
        self._write("")
        self._write(click.style(text, bold=True) + "  " + click.style(below, dim=True))

    def step(self, text: str) -> None:
        """Begin a step."""
        self._step += 1
        self._write("")
        self._write(click.style(f"{self._step}  {text}", bold=True))

    def say(self, text: str) -> None:
        """Tell something in words."""
        self._write(_INDENT + text)

    def quote(self, text: str) -> None:
        """Show what a command said."""
        for line in text.splitlines():
            self._write(_INDENT + line if line else "")

    def variable(self, name: str, value: str) -> None:
        """Set a shell variable that later lines use."""
        self._write(_INDENT + click.style(f"{name}={shlex.quote(value)}", fg="cyan"))

    def command(self, line: str) -> None:
        """Show a line to paste; lines after the first are its continuation."""
        for part in line.splitlines():
            self._write(_INDENT + click.style(part, fg="cyan"))

    def program(self, text: str) -> None:
        """Show lines of Python to paste; there an indent would be an error."""
        for line in text.splitlines():
            self._write(click.style(line, fg="cyan"))

    def answer(self, status: int, phrase: str, note: str = "") -> None:
        """Show the answer's first line."""
        colour = "green" if status < 400 else "yellow"  # noqa: PLR2004 - 400 begins the refusals
        self._write(_INDENT + click.style(f"{status} {phrase}", fg=colour, bold=True) + (f"  {note}" if note else ""))

    def pairs(self, pairs: Sequence[tuple[str, Any]]) -> None:
        """Show names and values, the values under each other."""
        width = max(len(name) for name, _ in pairs)
        for name, value in pairs:
            self._write(_INDENT + click.style(name.ljust(width), dim=True) + f"  {value}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Show rows in columns; what does not fit beside the others is counted below."""
        texts = [[render_cell(cell) for cell in row] for row in rows]
        widths = [max([len(head), *(len(row[place]) for row in texts)]) for place, head in enumerate(heads)]
        shown = _count_fitting(widths)
        numeric = [all(isinstance(row[place], (int, float)) for row in rows) for place in range(shown)]

        def join(cells: Sequence[str]) -> str:
            padded = (
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(cells, widths[:shown], numeric, strict=False)
            )
            return (_INDENT + "  ".join(padded)).rstrip()

        self._write(click.style(join([head[: widths[place]] for place, head in enumerate(heads)]), dim=True))
        for row in texts:
            self._write(join(row))
        if shown < len(heads):
            self._write(_INDENT + click.style(f"and {len(heads) - shown} more columns", dim=True))

    def blank(self) -> None:
        """Leave a line empty."""
        self._write("")

    def _write(self, line: str) -> None:
        click.echo(line, color=self._colour)


def render_cell(value: Any) -> str:
    """Give a value as one short line."""
    if value is None:
        return "-"
    text = " ".join(str(value).split())
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _count_fitting(widths: Sequence[int]) -> int:
    used = len(_INDENT)
    for place, width in enumerate(widths):
        used += width + 2
        if place and used > WIDTH + 2:
            return place
    return len(widths)
