"""`--help`: what a list of commands says of each fits into a line of a terminal."""

from collections.abc import Iterator

import click
import pytest

from rowgate.cli.main import cli

TERMINAL = 80


def list_groups(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """Give the groups of commands, each as the words that call it."""
    if isinstance(command, click.Group):
        yield names
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from list_groups(found, *names, name)


@pytest.mark.parametrize("names", list(list_groups(cli)), ids=" ".join)
def test_no_command_is_cut_off_in_the_middle_of_what_it_does(names: tuple[str, ...]) -> None:
    command: click.Command = cli
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    text = command.get_help(click.Context(command, info_name="rowgate", terminal_width=TERMINAL))
    listed = text.partition("\nCommands:\n")[2].splitlines()
    assert len(listed) > 0
    assert [line for line in listed if line.endswith("...")] == []
