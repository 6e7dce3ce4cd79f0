"""`rowgate sample`."""

import shlex
from pathlib import Path

import click

from rowgate.cli.terminal import print_table, say


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--rows", default=300, show_default=True, type=click.IntRange(0), help="Rows of the largest table.")
@click.option("--seed", default=72, show_default=True, help="The same seed makes the same rows.")
@click.option(
    "--procedures",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="And its procedures in this folder: the folder procedures of the home.",
)
def sample(path: Path, rows: int, seed: int, procedures: Path | None) -> None:
    """Make a sample SQLite database at PATH."""
    from rowgate.sample import build_sample, write_procedures  # noqa: PLC0415 - not needed for --help

    try:
        summary = build_sample(path, rows=rows, seed=seed)
    except FileExistsError:
        raise click.ClickException(f"{path} exists already; nothing was changed") from None
    print_table(("name", "kind", "rows"), [(name, kind, count) for name, kind, count in summary.objects])
    for name in write_procedures(procedures) if procedures is not None else ():
        say(f"Declared the procedure {name} in {procedures}.")
    say(f"Next: rowgate init --database {shlex.quote(f'sqlite:///{path.absolute()}')}")
