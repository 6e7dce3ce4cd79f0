"""`rowgate state`: where the state is, and how it gets to PostgreSQL."""

import dataclasses
from pathlib import Path

import click

from rowgate.cli.home import HOME_OPTION, name_actor, open_settings
from rowgate.cli.terminal import say
from rowgate.config import CONFIG_NAME, dump


@click.group()
def state() -> None:
    """The state: copy it into PostgreSQL."""


@state.command()
@click.argument("address", metavar="URL")
@click.option("--schema", metavar="NAME", default="rowgate", show_default=True, help="The schema that is to hold it.")
@click.option("--password-file", metavar="FILE", default="", help="Holds the password of the address's user.")
@HOME_OPTION
def copy(address: str, schema: str, password_file: str, home: str | None) -> None:
    """Copy the state of a home into PostgreSQL, for replicas. Stop the server first.

    Clients keep their ids, secrets and tokens, for the keys are copied too. The file stays as it is.
    """
    from rowgate import wiring  # noqa: PLC0415 - the commands that need no home start without it

    if not address:
        raise click.BadArgumentUsage("URL is postgresql://USER@HOST/DATABASE")
    settings = open_settings(home)
    password_file = str(Path(password_file).absolute()) if password_file else ""
    target = dataclasses.replace(settings, state=address, state_schema=schema, state_password_file=password_file)
    target.check()
    wiring.move_state(settings, target, name_actor())
    say(f"Copied. Set these in {settings.home / CONFIG_NAME}, before its first table, then start the server:")
    for line in dump(target).splitlines():
        if line.startswith("state"):  # what is as by default stands there as a comment
            click.echo(line)
