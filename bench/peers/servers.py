"""How each peer is started and asked: every one in the fastest set-up that its own documentation allows."""

import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

from data import ROWS_PER_VALUE, TABLE, values
from load import Request, Subject, form
from peers.install import NODE, PEERS, PYTHON, WORK
from serving import Running, Server, free_port

CLIENT_SECRET = "bench-secret-of-forty-three-characters-----"
DJANGO_HOME = WORK / "django"
DJANGO_ENVIRONMENT = {
    "ROWGATE_BENCH_DJANGO_HOME": str(DJANGO_HOME),
    "DJANGO_SETTINGS_MODULE": "peer_settings",
    "PYTHONPATH": str(PEERS / "django"),
}
UVICORN_FLAGS = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]


def hello() -> Server:
    """The least that the product's own server can answer."""
    return _bare("hello", {})


def bare_rows(database: Path) -> Server:
    """The product's server, driver and encoder with nothing around them."""
    return _bare("rows", {"ROWGATE_BENCH_DATABASE": str(database)})


def bare_postgres_rows(address: str) -> Server:
    """The same for PostgreSQL."""
    return _bare("postgres_rows", {"ROWGATE_BENCH_DATABASE": address})


def _bare(name: str, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(PEERS / "bare"), *UVICORN_FLAGS, f"{name}:application"]
    return Server(f"bare-{name}", lambda port: [*command, "--port", str(port)], environment=environment)


def oidc_provider() -> Server:
    """Npm oidc-provider with its in-memory adapter."""
    return Server(
        "oidc-provider",
        lambda port: ["node", "server.mjs", str(port)],
        ready_path="/.well-known/openid-configuration",
        environment={"NODE_ENV": "production"},
        directory=NODE,
    )


def django_oauth_toolkit() -> Server:
    """django-oauth-toolkit on a fresh SQLite file; gunicorn's gthread worker keeps connections alive."""
    DJANGO_HOME.mkdir(parents=True, exist_ok=True)
    for file in DJANGO_HOME.glob("django.sqlite3*"):
        file.unlink()
    prepare = [PYTHON / "bin" / "python", PEERS / "django" / "peer_prepare.py"]
    subprocess.run(prepare, check=True, env={**os.environ, **DJANGO_ENVIRONMENT})
    # fmt: off
    command = [str(PYTHON / "bin" / "gunicorn"), "peer_wsgi", "--workers", "1", "--worker-class", "gthread",
               "--threads", "1", "--keep-alive", "30", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
    # fmt: on
    return Server(
        "django-oauth-toolkit",
        lambda port: [*command, "--bind", f"127.0.0.1:{port}"],
        ready_path="/ready",
        environment=DJANGO_ENVIRONMENT,
    )


def datasette(database: Path) -> Server:
    """Datasette with its limits lifted; the file is opened as immutable, its fastest way."""
    # fmt: off
    command = [str(PYTHON / "bin" / "datasette"), "serve", "--immutable", str(database), "--host", "127.0.0.1",
               "--setting", "max_returned_rows", "100000000", "--setting", "sql_time_limit_ms", "600000"]
    # fmt: on
    return Server("datasette", lambda port: [*command, "--port", str(port)], ready_path="/-/versions.json")


def roapi(database: Path) -> Server:
    """ROAPI (Rust) on one table of the file; its other two listeners take ports of their own."""
    binary, table = str(PYTHON / "bin" / "roapi"), f"{TABLE}=sqlite://{database}"
    # fmt: off
    return Server(
        "roapi",
        lambda port: [binary, "--addr-http", f"127.0.0.1:{port}", "--addr-postgres", f"127.0.0.1:{free_port()}",
                      "--addr-flight-sql", f"127.0.0.1:{free_port()}", "--table", table],
        ready_path="/health",
        environment={"RUST_LOG": "warn"},
    )
    # fmt: on


def roapi_page(running: Running, column: str, rows: int) -> Subject:
    """The same page as ROAPI's JSON, by its filters on a table."""
    address = f"/api/tables/{TABLE}?filter%5B{column}%5D={{}}&limit={ROWS_PER_VALUE}"
    return Subject(running, Request(running.url(address), spread=values(rows)))


def peer_tokens(running: Running) -> Subject:
    """A token by client credentials from a peer."""
    url = running.url("/token")
    fields = {"grant_type": "client_credentials", "client_id": "bench", "client_secret": CLIENT_SECRET}
    return Subject(running, form(url, **fields))


def datasette_table_page(running: Running, database: Path, column: str, rows: int) -> Subject:
    """A page as Datasette's JSON by its filters on a table, as Rowgate is asked."""
    address = f"/{database.stem}/{TABLE}.json?_shape=array&_size={ROWS_PER_VALUE}&{column}={{}}"
    return Subject(running, Request(running.url(address), spread=values(rows)))


def datasette_sql_page(running: Running, database: Path, column: str, rows: int) -> Subject:
    """A page as Datasette's JSON by SQL text from the client, which is faster than its filters."""
    query = f"select * from {TABLE} where {column} = :value limit {ROWS_PER_VALUE}"
    address = f"/{database.stem}.json?_shape=array&sql={urllib.parse.quote_plus(query)}&value={{}}"
    return Subject(running, Request(running.url(address), spread=values(rows)))


def datasette_full(running: Running, database: Path) -> Subject:
    """The whole table as Datasette's JSON."""
    query = urllib.parse.quote_plus(f"select * from {TABLE}")
    return Subject(running, Request(running.url(f"/{database.stem}.json?_shape=array&sql={query}")))


def bare_page(running: Running, column: str, rows: int) -> Subject:
    """The same page from the bare handler."""
    return Subject(running, Request(running.url(f"/?{column}={{}}"), spread=values(rows)))
