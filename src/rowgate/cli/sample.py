"""`rowgate sample`."""

from pathlib import Path

import click

from rowgate.cli.terminal import print_table, say


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--rows", default=300, show_default=True, type=click.IntRange(0), help="Rows of the largest table.")
@click.option("--seed", default=72, show_default=True, help="The same seed makes the same rows.")
def sample(path: Path, rows: int, seed: int) -> None:
    """Make a sample SQLite database at PATH."""
    from rowgate.sample import build_sample  # noqa: PLC0415 - not needed for --help

    try:
        summary = build_sample(path, rows=rows, seed=seed)
    except FileExistsError:
        raise click.ClickException(f"{path} exists already; nothing was changed") from None
    print_table(("name", "kind", "rows"), [(name, kind, count) for name, kind, count in summary.objects])
    say(f"Next: rowgate init --database sqlite:///{path.absolute()}")
