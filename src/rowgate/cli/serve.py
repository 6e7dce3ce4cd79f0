"""`rowgate serve`."""

import contextlib
import signal
import sys

import click

from rowgate.cli.home import HOME_OPTION, open_settings
from rowgate.cli.terminal import say


@click.command()
@HOME_OPTION
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 0 takes a free one.  [8082]")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.  [1]")
@click.option("--tls-cert", metavar="FILE", help="Certificate chain (PEM); the server then speaks HTTPS.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
@click.option("--insecure-http", is_flag=True, default=None, help="Plain HTTP beyond this machine.")
@click.option("--log-format", type=click.Choice(["console", "json"]), help="How log lines look.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Which log lines there are."
)
def serve(home: str | None, **flags: object) -> None:
    """Serve tokens and rows until a signal ends it."""
    from rowgate import wiring  # noqa: PLC0415 - `serve --help` answers without it

    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(KeyboardInterrupt):
        wiring.serve(open_settings(home, **flags), say)


def _end(_signal: int, _frame: object) -> None:
    """Take the signal that comes while the server starts, and the one that it raises once more after it has stopped."""
    sys.exit(0)
