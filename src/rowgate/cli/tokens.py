"""`rowgate token`: tokens as the administrator sees them."""

import json
import sys
from typing import Any

import click

from rowgate import wiring
from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration, open_settings
from rowgate.cli.terminal import print_json, render_moment, say
from rowgate.oauth.tokens import TokenRecord
from rowgate.service.admin.token_opener import HomeTokenOpener


@click.group()
def token() -> None:
    """Tokens: revoke and inspect."""


def make_opener(home: str | None) -> HomeTokenOpener:
    """Give what opens the home's tokens."""
    store = wiring.open_store(open_settings(home))
    try:
        return HomeTokenOpener(store.load_keys())
    finally:
        store.close()


def read_token(presented: str) -> str:
    """Give the token; - reads it from standard input, where no other user's process list shows it."""
    return sys.stdin.readline().strip() if presented == "-" else presented


@token.command()
@click.argument("presented", metavar="TOKEN", required=False)
@click.option("--app", help="Every token of this application instead.")
@HOME_OPTION
def revoke(presented: str | None, app: str | None, home: str | None) -> None:
    """Kill a token. TOKEN is the token itself, its id from the record, or - to read it from standard input.

    A refresh token takes everything that came from it along.
    """
    if bool(presented) == bool(app):
        raise click.UsageError("give a token, or --app APP")
    with administration(home) as desk:
        if app:
            application = desk.applications.revoke_tokens(app)
            say(f"Every token of {application.name} is revoked.")
        else:
            say(f"Token {desk.tokens.revoke(read_token(presented or ''), make_opener(home))} is revoked.")


@token.command()
@click.argument("presented", metavar="TOKEN")
@HOME_OPTION
@JSON_OPTION
def inspect(presented: str, home: str | None, as_json: bool) -> None:
    """Say what a token is good for; - reads it from standard input."""
    with administration(home) as desk:
        found = desk.tokens.inspect(read_token(presented), make_opener(home))
    described: dict[str, Any] = {
        "kind": found.kind,
        "state": found.state,
        "token_id": found.token_id,
        "family": found.record.family.hex(),
        "application": found.application.name if found.application else None,
        "scope": found.record.scope,
        "issued_at": found.record.issued_at,
        "expires_at": found.expires_at,
        **_describe_narrowing(found.record),
    }
    if as_json:
        print_json(described)
        return
    for key, value in described.items():
        click.echo(f"{key:12} {_render(key, value)}")


def _render(key: str, value: Any) -> str:
    if key.endswith("_at"):
        return render_moment(value)
    return value if isinstance(value, str) else json.dumps(value)


def _describe_narrowing(record: TokenRecord) -> dict[str, Any]:
    """Give what only some tokens have."""
    told = {
        "audience": record.audience,
        "authorization_details": json.loads(record.details) if record.details else None,
        "actors": record.actors,
        "made_of": [token_id.hex() for token_id in record.made_of],
    }
    return {name: value for name, value in told.items() if value}
