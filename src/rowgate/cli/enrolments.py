"""`rowgate enrol`: a code that a machine exchanges for its secret, once, so that no secret is copied by hand."""

import click

from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration, open_settings
from rowgate.cli.terminal import Length, print_json, render_left, render_moment, say

ENROLMENT_PATH = "/api/v1/enrol"


@click.command()
@click.argument("app")
@click.option("--expires-in", type=Length(), default=3600, metavar="LENGTH", help="The code's life, up to 7d.  [1h]")
@HOME_OPTION
@JSON_OPTION
def enrol(app: str, expires_in: int, home: str | None, as_json: bool) -> None:
    """Make a one-time code. Who redeems it gets a secret of the application, or registers its own keys."""
    settings = open_settings(home)
    with administration(home) as desk:
        made = desk.secrets.enrol(app, lifetime_seconds=expires_in)
    address = settings.issuer + ENROLMENT_PATH
    if as_json:
        print_json(
            {
                "name": made.application.name,
                "client_id": made.application.client_id,
                "code": made.code,
                "expires_at": made.expires_at,
                "enrolment_endpoint": address,
            }
        )
        return
    click.echo(f"code     {made.code}")
    click.echo(f"expires  {render_moment(made.expires_at)} ({render_left(made.expires_at)})")
    click.echo(f"""curl     curl -sS {address} -H 'Content-Type: application/json' -d '{{"code": "{made.code}"}}'""")
    say("The code is good once, is not kept, and will not be shown again.")
