"""How commands read lengths of time and write listings."""

import math
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from rowgate.printable import escape_unprintable

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAY_MINUTES = 1440
_LONGEST_SECONDS = 3_155_760_000  # 100 years
_LENGTH = re.compile(r"([0-9]{1,9})\s*([smhdw])", re.IGNORECASE)


class Length(click.ParamType[int]):
    """A length of time such as 72h; gives seconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        """Give the seconds."""
        if isinstance(value, int):
            return value
        match = _LENGTH.fullmatch(str(value).strip())
        if match is None or int(match[1]) == 0:
            self.fail(f"{value} is not a length such as 90m, 72h, 7d or 2w", param, context)
        seconds = int(match[1]) * _UNITS[match[2].lower()]
        if seconds > _LONGEST_SECONDS:
            self.fail(f"{value} is longer than 100 years; say never, or a date", param, context)
        return seconds


def read_length(text: str | None, nothing: str) -> int | None:
    """Give the seconds of a length, 0 for the word that stands for nothing, None when nothing was said.

    Raises:
        click.BadParameter: It is none of these.
    """
    if text is None:
        return None
    return 0 if text == nothing else int(Length().convert(text, None, None))


class Moment(click.ParamType[int]):
    """A date or a moment in ISO 8601, UTC unless it says otherwise; gives seconds since 1970."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        """Give seconds since 1970; a date means its beginning."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is not a date such as 2027-01-31 or 2027-01-31T18:00", param, context)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def render_moment(seconds: float) -> str:
    """Give a moment as people read it; 0 means never."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if seconds else "never"


def render_length(seconds: int) -> str:
    """Give a length of time as `Length` reads it.

    >>> render_length(5400), render_length(3600), render_length(604_800), render_length(61)
    ('90m', '1h', '7d', '61s')
    """
    unit = next(name for name in "dhms" if seconds % _UNITS[name] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def render_left(seconds: float, now: float | None = None) -> str:
    """Give how long it is until then, to the minute, or to the hour where it is a day or more.

    >>> render_left(259_199.5, now=0), render_left(90_000, now=0), render_left(3599, now=0), render_left(59, now=0)
    ('in 3d', 'in 1d 1h', 'in 1h', 'in 1m')
    """
    if not seconds:
        return "never"
    left = seconds - (time.time() if now is None else now)
    if left <= 0:
        return "expired"
    minutes = math.ceil(left / 60)
    is_long = minutes >= _DAY_MINUTES
    hours = round(minutes / 60) if is_long else minutes // 60
    parts = ((hours // 24, "d"), (hours % 24, "h"), (0 if is_long else minutes % 60, "m"))
    return "in " + " ".join(f"{count}{unit}" for count, unit in parts if count)


def print_json(value: Any) -> None:
    """Write a value as JSON for scripts."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(escape_unprintable(text, keep="\n"))  # within its texts JSON has none of its own


def print_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows in columns, as wide as their longest entry."""
    texts = [[escape_unprintable(str(cell)) for cell in row] for row in rows]
    widths = [max([len(head), *(len(row[place]) for row in texts)]) for place, head in enumerate(heads)]
    for line in [[head.upper() for head in heads], *texts]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Tell what was done, on standard error: standard output is for results."""
    click.echo(text, err=True)
