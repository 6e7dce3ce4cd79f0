"""`rowgate serve`."""

import dataclasses
import logging
import signal
import sys
from functools import partial

import click

from rowgate.cli.home import HOME_OPTION, open_settings


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
    from rowgate.web import server  # noqa: PLC0415
    from rowgate.web.logs import set_up_logs  # noqa: PLC0415

    settings = open_settings(home, **flags)
    server.check_tls(settings)
    store = wiring.open_reader(settings)
    store.load_keys()
    store.close()
    source = wiring.open_source(settings.database)
    source.prove_read_only()
    engine = source.name
    source.close()
    bound = server.bind_socket(settings.host, settings.port)
    settings = dataclasses.replace(settings, port=bound.getsockname()[1])
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    told = f"Rowgate serves {engine} read-only at {settings.issuer} (home {settings.home}{workers})"
    set_up_logs(settings.log_format, settings.log_level)
    if settings.log_format == "json":
        logging.getLogger("rowgate").info(told)  # every line is one that a log collector can read
    else:
        click.echo(told, err=True)
    signal.signal(signal.SIGTERM, _already_stopped)
    try:
        server.run_server(settings, partial(wiring.build_worker, settings), bound)
    except KeyboardInterrupt:
        sys.exit(0)


def _already_stopped(_signal: int, _frame: object) -> None:
    """Take the signal that the server raises once more after it has stopped in good order."""
