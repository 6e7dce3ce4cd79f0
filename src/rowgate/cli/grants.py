"""`rowgate app grant` and `rowgate app ungrant`: which objects an application may read, and what of them."""

from collections.abc import Sequence

import click
import msgspec

from rowgate.cli.home import HOME_OPTION, administration
from rowgate.cli.terminal import say
from rowgate.rows.masks import Mask
from rowgate.service.admin.grants import NO_CHANGE, GrantChange, ToldGrant

_NO_MASK = "none"


@click.command()
@click.argument("name")
@click.argument("objects", nargs=-1, required=True)
@click.option("--columns", metavar="A,B", help="Only these: a comma list, or a JSON list; * is every one.")
@click.option(
    "--mask",
    "masks",
    multiple=True,
    metavar="COLUMN=MASK",
    help=f"What is given in place of its values: {', '.join(Mask)}; or {_NO_MASK}. Repeat it.",
)
@click.option("--rows", metavar="JSON", help="Only rows that these filters match; an empty text is every row.")
@click.option("--whole", is_flag=True, help="Forget what was set for these objects before.")
@HOME_OPTION
def grant(
    name: str,
    objects: tuple[str, ...],
    columns: str | None,
    masks: tuple[str, ...],
    rows: str | None,
    whole: bool,
    home: str | None,
) -> None:
    """Allow objects to an application, or parts of them. By names, aliases or patterns; what is not said stays."""
    change = GrantChange(_read_columns(columns), tuple(_read_mask(mask) for mask in masks), rows, whole)
    with administration(home) as desk:
        granted = desk.grants.grant(name, objects, change)
    say(f"{name} may read {', '.join(told.object for told in granted)}.")
    for told in granted:
        if told.words:
            say(f"{told.object}: {told.words}.")
        elif change != NO_CHANGE:
            say(f"{told.object}: the whole of it.")
    warn_of_missing(granted, name)


@click.command()
@click.argument("name")
@click.argument("objects", nargs=-1, required=True)
@HOME_OPTION
def ungrant(name: str, objects: tuple[str, ...], home: str | None) -> None:
    """Withdraw objects from an application."""
    with administration(home) as desk:
        withdrawn = desk.applications.ungrant(name, objects)
    say(f"{name} may no longer read {', '.join(withdrawn)}.")


def describe_grants(grants: Sequence[ToldGrant]) -> dict[str, object]:
    """Give for scripts what grants hold, those that keep something back."""
    return {
        told.object: {
            "columns": told.policy.columns or None,
            "masks": dict(told.policy.masks),
            "rows": msgspec.json.decode(told.policy.rows) if told.policy.rows else None,
            "words": told.words,
        }
        for told in grants
        if told.words
    }


def warn_of_missing(grants: Sequence[ToldGrant], name: str) -> None:
    """Say which attributes must be set before anything can be read."""
    for missing in sorted({attribute for told in grants for attribute in told.missing}):
        say(f"It reads none of these rows until its {missing} is set: rowgate app set {name} --attribute {missing}=…")


def _read_columns(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = [part.strip() for part in text.split(",") if part.strip()]
    if text.lstrip().startswith("["):
        try:
            names = msgspec.json.decode(text, type=list[str])
        except msgspec.DecodeError:
            names = []
    if not names:
        raise click.UsageError("--columns is a comma list or a JSON list of names, or *")
    return tuple(names)


def _read_mask(text: str) -> tuple[str, Mask | None]:
    column, sign, mask = text.rpartition("=")
    if not sign or not column or mask not in (*Mask, _NO_MASK):
        raise click.UsageError(f"--mask is COLUMN=MASK, where MASK is one of {', '.join(Mask)}, {_NO_MASK}")
    return column, None if mask == _NO_MASK else Mask(mask)
