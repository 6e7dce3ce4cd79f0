"""`rowgate key`: the keys that sign and seal, and their rotation."""

from dataclasses import asdict

import click

from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration
from rowgate.cli.terminal import print_json, print_table, render_moment, say
from rowgate.oauth.jws import SIGNING_ALGORITHMS, SigningAlgorithm


@click.group()
def key() -> None:
    """Signing and sealing keys: list and rotate."""


@key.command("list")
@HOME_OPTION
@JSON_OPTION
def list_(home: str | None, as_json: bool) -> None:
    """List the keys; their values are never shown."""
    with administration(home) as desk:
        found = desk.keys.list_all()
    if as_json:
        print_json([asdict(listed) for listed in found])
        return
    print_table(
        ("use", "key", "algorithm", "state", "begins", "gone"),
        [
            (
                listed.use,
                listed.name,
                listed.algorithm,
                listed.state,
                render_moment(listed.not_before),
                render_moment(listed.forget_at) if listed.forget_at else "-",
            )
            for listed in found
        ],
    )


@key.command()
@click.option(
    "--algorithm",
    type=click.Choice(SIGNING_ALGORITHMS),
    help="A signing key of this algorithm; without it one of each that is in use.",
)
@click.option("--sealing", is_flag=True, help="The key that seals tokens instead.")
@click.option(
    "--now",
    "at_once",
    is_flag=True,
    help="Sign with it at once, though copies of the key set may lack it; a coming key is dropped.",
)
@HOME_OPTION
def rotate(algorithm: SigningAlgorithm | None, sealing: bool, at_once: bool, home: str | None) -> None:
    """Make a new key, which takes over by itself. No token that was issued becomes bad."""
    if sealing and (algorithm or at_once):
        raise click.UsageError("--sealing stands alone: its key is always known to every worker before it seals")
    with administration(home) as desk:
        if sealing:
            number, begins = desk.keys.rotate_sealing()
            say(f"Sealing key {number} seals from {render_moment(begins)} on.")
            return
        for made in desk.keys.rotate_signing(algorithm, at_once=at_once):
            say(f"{made.algorithm} key {made.kid} signs from {render_moment(made.not_before)} on.")
