"""The `rowgate` command. Commands are loaded when they are called, so that each starts fast.

Exit codes: 0 done, 1 refused or failed, 2 bad usage. Output goes to standard output, everything else to
standard error.
"""

import importlib
import sys
from typing import Any

import click

from rowgate import __version__

# where each command stands
COMMANDS = {
    "init": "rowgate.cli.home:init",
    "serve": "rowgate.cli.serve:serve",
    "app": "rowgate.cli.applications:app",
    "secret": "rowgate.cli.secrets:secret",
    "enrol": "rowgate.cli.enrolments:enrol",
    "registration": "rowgate.cli.registrations:registration",
    "object": "rowgate.cli.objects:object_",
    "token": "rowgate.cli.tokens:token",
    "key": "rowgate.cli.keys:key",
    "state": "rowgate.cli.state:state",
    "webhook": "rowgate.cli.webhook:webhook",
    "audit": "rowgate.cli.audit:audit",
    "explain": "rowgate.cli.explain:explain",
    "doctor": "rowgate.cli.doctor:doctor",
    "config": "rowgate.cli.home:config",
    "sample": "rowgate.cli.sample:sample",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Give the commands in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Give one command, or None."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="rowgate")
@click.option("--home", metavar="DIR", help="The home (or ROWGATE_HOME; else ./.rowgate, else the data folder).")
@click.pass_context
def cli(context: click.Context, home: str | None) -> None:
    """Give applications remote, read-only, OAuth 2.0-guarded access to parts of a database."""
    context.obj = home


def main(arguments: list[str] | None = None) -> Any:
    """Run a command and exit with its code."""
    from rowgate.cli.problems import explain_problem, render_line  # noqa: PLC0415 - only now, for a fast --help

    if not all(_is_text(argument) for argument in (sys.argv[1:] if arguments is None else arguments)):
        click.echo("rowgate: an argument is not UTF-8: write it, or rename what it names, in that", err=True)
        sys.exit(2)
    try:
        # Outside its standalone mode click gives back the exit code of a command that ended with click's Exit.
        code = cli.main(arguments, prog_name="rowgate", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has enough
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        told = explain_problem(error)
        if told is None:
            raise
        click.echo(f"rowgate: {render_line(told)}", err=True)
        sys.exit(1)


def _is_text(argument: str) -> bool:
    """Tell whether an argument's bytes were text: else neither the record nor an answer could hold it."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


if __name__ == "__main__":
    main()
