"""`rowgate webhook`: the address that is told before secrets end."""

import asyncio

import click

from rowgate import wiring
from rowgate.cli.home import HOME_OPTION, open_settings
from rowgate.cli.terminal import say
from rowgate.ports import CallError
from rowgate.service.webhook_message import is_success


@click.group()
def webhook() -> None:
    """The address that is told before secrets end. Its key, and a test."""


@webhook.command()
@click.option("--replace", is_flag=True, help="Make another; from the next start the receiver must know it.")
@HOME_OPTION
def key(replace: bool, home: str | None) -> None:
    """Make the key that signs what is sent. It is printed once, for the receiver."""
    settings = open_settings(home)
    click.echo(wiring.create_webhook_key(settings, replace=replace))
    say(f"kept in {settings.webhook_key_path.name} of the home. Servers that run take it when they start again.")


@webhook.command()
@HOME_OPTION
def test(home: str | None) -> None:
    """Send a signed document of type `test` once. Say how it was answered. Exit code 1 when it was not taken."""
    settings = open_settings(home)
    try:
        status = asyncio.run(wiring.try_webhook(settings))
    except CallError as error:
        say(f"rowgate: {settings.webhook_url} gives no answer: {error.reason}")
        raise click.exceptions.Exit(1) from None
    if not is_success(status):
        say(f"rowgate: {settings.webhook_url} did not take it: it answered {status}")
        raise click.exceptions.Exit(1)
    say(f"{settings.webhook_url} took it: it answered {status}.")
