"""`rowgate explain`: why yes, why no."""

import click

from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration
from rowgate.cli.terminal import print_json
from rowgate.cli.tokens import make_opener, read_token


@click.command()
@click.argument("app")
@click.argument("object_name", metavar="OBJECT")
@click.option("--token", "presented", help="And with this access token; - reads it from standard input.")
@HOME_OPTION
@JSON_OPTION
def explain(app: str, object_name: str, presented: str | None, home: str | None, as_json: bool) -> None:
    """Say whether APP may read OBJECT, and what stands in the way. Exit code 1 when it may not."""
    with administration(home) as desk:
        token = desk.tokens.inspect(read_token(presented), make_opener(home)) if presented else None
        found = desk.tokens.explain(app, object_name, token)
    if as_json:
        steps = [{"question": question, "holds": holds, "found": what} for question, holds, what in found.steps]
        print_json({"allowed": found.allowed, "steps": steps})
    else:
        for question, holds, what in found.steps:
            click.echo(f"{'yes' if holds else 'NO ':4} {question}: {what}")
        click.echo(f"\n{app} {'may' if found.allowed else 'may NOT'} read {object_name}.")
    if not found.allowed:
        raise click.exceptions.Exit(1)
