"""`rowgate registration`: lets clients register themselves (RFC 7591), and ends that."""

import click

from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration, open_settings
from rowgate.cli.terminal import Length, print_json, print_table, render_left, render_moment, say
from rowgate.oauth.model import DEFAULT_SCOPE

REGISTRATION_PATH = "/api/v1/register"


@click.group()
def registration() -> None:
    """Clients that register themselves. Tokens for them, and the end of their management."""


@registration.command()
@click.option(
    "--object", "objects", multiple=True, metavar="OBJECT", help="What the client may read; repeat it.  [nothing]"
)
@click.option("--scope", default=DEFAULT_SCOPE, show_default=True, help="The most that it may register.")
@click.option("--expires-in", type=Length(), default=3600, metavar="LENGTH", help="The token's life, up to 7d.  [1h]")
@HOME_OPTION
@JSON_OPTION
def token(objects: tuple[str, ...], scope: str, expires_in: int, home: str | None, as_json: bool) -> None:
    """Make an initial access token. One client registers itself with it, once."""
    settings = open_settings(home)
    with administration(home) as desk:
        made = desk.registrations.add_token(objects, scope=scope, lifetime_seconds=expires_in)
    address = settings.issuer + REGISTRATION_PATH
    if as_json:
        print_json(
            {
                "handle": made.kept.handle,
                "initial_access_token": made.initial_access_token,
                "expires_at": made.kept.expires_at,
                "scope": " ".join(made.kept.scope),
                "objects": made.kept.objects,
                "registration_endpoint": address,
            }
        )
    else:
        click.echo(f"token    {made.initial_access_token}")
        click.echo(f"expires  {render_moment(made.kept.expires_at)} ({render_left(made.kept.expires_at)})")
        click.echo(f"objects  {', '.join(made.kept.objects) or '-'}")
        click.echo(f"address  {address}")
    say("The token is good once, is not kept, and will not be shown again.")
    if not settings.client_registration:
        say("No client can register yet: set client_registration = true and start the server again.")


@registration.command("list")
@HOME_OPTION
@JSON_OPTION
def list_(home: str | None, as_json: bool) -> None:
    """List the initial access tokens, with the clients that used them."""
    with administration(home) as desk:
        found = desk.registrations.list_tokens()
    if as_json:
        print_json(
            [
                {
                    "handle": kept.handle,
                    "scope": " ".join(kept.scope),
                    "objects": kept.objects,
                    "expires_at": kept.expires_at,
                    "used_at": kept.used_at,
                    "client_id": kept.client_id,
                }
                for kept in found
            ]
        )
        return
    print_table(
        ("token", "scope", "objects", "expires", "used", "client id"),
        [
            (
                kept.handle,
                " ".join(kept.scope),
                len(kept.objects),
                render_moment(kept.expires_at),
                render_moment(kept.used_at) if kept.used_at else "-",
                kept.client_id or "-",
            )
            for kept in found
        ],
    )


@registration.command()
@click.argument("handle")
@HOME_OPTION
def revoke(handle: str, home: str | None) -> None:
    """End an initial access token before it is used. HANDLE stands in it."""
    with administration(home) as desk:
        desk.registrations.revoke_token(handle)
    say(f"The initial access token {handle} is good for nothing now.")


@registration.command()
@click.argument("app")
@HOME_OPTION
def end(app: str, home: str | None) -> None:
    """Have an application manage its registration no more. It stays, and only administrators change it."""
    with administration(home) as desk:
        application = desk.registrations.end(app)
    say(f"{application.name} does not manage its registration any more.")
