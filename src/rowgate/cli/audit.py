"""`rowgate audit`: who did what, and who read what."""

import heapq
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from rowgate.audit.events import EVENT_TYPES
from rowgate.audit.reader import Search, find_break, find_events, list_segments
from rowgate.cli.home import HOME_OPTION, open_settings
from rowgate.cli.terminal import Length, Moment, say
from rowgate.config import ConfigError
from rowgate.printable import escape_unprintable
from rowgate.service.admin.grant_words import tell_count

_KINDS = tuple(str(event.__struct_config__.tag) for event in EVENT_TYPES)
_HANDLED = ("kind", "at", "chain", "request_id")


@click.group()
def audit() -> None:
    """The record: tail, search, verify."""


@audit.command()
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="How many of the newest events."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@HOME_OPTION
def tail(lines: int, follow: bool, as_json: bool, home: str | None) -> None:
    """Show the newest events."""
    directory = _find_record(home)
    found = sorted(find_events(directory, Search(), on_damage=_tell_damage), key=_at)
    newest = found[-lines:] if lines else []
    _print(newest, as_json=as_json)
    since = found[-1]["at"] if found else time.time()
    shown = {event["chain"] for event in found}
    del found
    while follow:
        time.sleep(0.3)
        # writers are not in step: an event may appear a little after a younger one
        fresh = [event for event in find_events(directory, Search(since=since - 5)) if event["chain"] not in shown]
        shown.update(event["chain"] for event in fresh)
        _print(sorted(fresh, key=_at), as_json=as_json)


@audit.command()
@click.option("--kind", default="", help="token_issued, token_refused, rows_opened, rows_ended, rows_refused, …")
@click.option("--app", "application", default="", help="Name or client id.")
@click.option("--object", "object_name", default="", help="Table or view.")
@click.option("--id", "handle", default="", help="A token id, family, key id or request id.")
@click.option("--last", type=Length(), metavar="LENGTH", help="Only what is younger, for example 24h.")
@click.option("--since", type=Moment(), metavar="DATE", help="Only from then on.")
@click.option("--until", type=Moment(), metavar="DATE", help="Only before then.")
@click.option("--limit", type=click.IntRange(1), help="At most so many, the oldest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@HOME_OPTION
def search(
    kind: str,
    application: str,
    object_name: str,
    handle: str,
    last: int | None,
    since: int | None,
    until: int | None,
    limit: int | None,
    as_json: bool,
    home: str | None,
) -> None:
    """Find events; what is asked for must all be so."""
    if kind and kind not in _KINDS:
        raise click.BadParameter(f"{kind} is none of {', '.join(_KINDS)}", param_hint="'--kind'")
    wanted = Search(
        kind=kind,
        application=application,
        object=object_name,
        handle=handle,
        since=time.time() - last if last else float(since or 0),
        until=float(until) if until else float("inf"),
    )
    found = find_events(_find_record(home), wanted, on_damage=_tell_damage)
    # every writer has segments of its own: the order of time is made here
    events = heapq.nsmallest(limit, found, key=_at) if limit else sorted(found, key=_at)
    _print(events, as_json=as_json)
    if not events:
        say("Nothing on record meets all of that.")  # a name that is misspelt is none that the record could know of


@audit.command()
@HOME_OPTION
def verify(home: str | None) -> None:
    """Check that the record is whole. No line of it was changed or taken out of the middle."""
    directory = _find_record(home)
    broken = 0
    segments = list_segments(directory)
    if not segments:
        raise ConfigError(f"{directory} holds no record: restore it from a backup, unless this home was never used")
    for path in segments:
        line = find_break(path)
        if line is not None:
            broken += 1
            click.echo(f"{path.name}: line {line} does not continue the chain")
    if broken:
        raise click.exceptions.Exit(1)
    say(f"The record is whole: {tell_count(len(segments), 'segment')}.")


def _find_record(home: str | None) -> Path:
    """Give the folder of the record, and say so where it cannot be the whole one."""
    settings = open_settings(home)
    if settings.state:
        say(f"This is the record in {settings.audit_path} alone: each replica keeps its own.")
    if not settings.audit_path.is_dir():
        raise ConfigError(f"there is no record at {settings.audit_path}: restore it, unless this home was never used")
    return settings.audit_path


def _tell_damage(path: Path, line: int) -> None:
    say(f"{path.name}: line {line} is no event any more; `rowgate audit verify` checks the whole record")


def _at(event: dict[str, Any]) -> float:
    return float(event["at"])


def _print(events: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    for event in events:
        if as_json:
            click.echo(_write(event))
            continue
        at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(event["at"]))
        rest = " ".join(f"{key}={_short(value)}" for key, value in event.items() if key not in _HANDLED)
        click.echo(f"{at}  {event['kind']:21} {rest}")


def _short(value: Any) -> str:
    is_plain = isinstance(value, str) and value.isprintable() and value and not {" ", '"', "="} & set(value)
    return str(value) if is_plain else _write(value)


def _write(value: Any) -> str:
    """Give the JSON of what is on record; what clients sent can do nothing in a terminal."""
    return escape_unprintable(msgspec.json.encode(value).decode())
