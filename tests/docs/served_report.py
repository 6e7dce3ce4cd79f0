"""What many pages begin with: a server of the sample, an application `report` that may read all, a shell."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.test_walkthrough import Reader
from support.homes import add_application, make_home
from support.servers import RunningServer, run_server


@contextmanager
def serve_report(sample_database: Path, folder: Path) -> Iterator[tuple[Reader, RunningServer]]:
    """Give a reader who has the server's address, the credentials and the commands of the home."""
    settings = make_home(folder / "home", sample_database)
    (settings.home / "rowgate.toml").write_text(f'database = "sqlite:///{sample_database}"\n', "utf-8")
    made = add_application(settings, "report", ("*",))
    with run_server(settings) as server:
        reader = Reader(folder)
        reader.environment |= {
            "URL": server.url,
            "ID": made.application.client_id,
            "SECRET": made.client_secret,
            "ROWGATE_HOME": str(settings.home),
        }
        yield reader, server
