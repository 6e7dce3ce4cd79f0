"""The page on replicas, walked as an operator would: two homes, one state, nginx in front."""

import json
import shutil
import ssl
import tomllib
from pathlib import Path

import httpx
import pytest

from clients.nginx import run_nginx_with
from docs.test_walkthrough import Reader, find_blocks
from rowgate.config import load_settings
from rowgate.web.server import bind_socket
from support.certificates import make_certificate
from support.postgres import STATE_OWNER, PostgresServer
from support.servers import serve_process, wait_until

_PAGE = "docs/how-to/run-replicas.md"
_SHOWN = "postgresql://rowgate@db.example.com/rowgate?sslmode=verify-full"


def find_free_port() -> int:
    bound = bind_socket("127.0.0.1", 0)
    port: int = bound.getsockname()[1]
    bound.close()
    return port


def test_database_of_the_page_holds_a_state(postgres: PostgresServer) -> None:
    """The lines as they stand, but for the name, which the tests have taken already."""
    ((_, block),) = find_blocks(_PAGE, "## A place for the state", "## The first replica")
    with postgres.owner() as owner:
        for statement in block.replace("rowgate", "rowgate_of_the_page").split(";\n"):
            if statement.strip():
                owner.execute(statement)


def test_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    block = next(
        text
        for language, text in find_blocks(_PAGE, "## The first replica", "## Every further replica")
        if language == "toml"
    )
    assert load_settings(tmp_path, {}, tomllib.loads(block)).issuer == "https://data.example.com"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_page_on_replicas_does_what_it_says(postgres: PostgresServer, sample_database: Path, tmp_path: Path) -> None:
    operator = Reader(tmp_path)
    shutil.copy(sample_database, tmp_path / "sample.sqlite")
    blocks = dict(find_blocks(_PAGE, "## The first replica", "## Every further replica"))
    making, settings = blocks["sh"], blocks["toml"]
    assert _SHOWN in making
    address = postgres.address(postgres.create_state_database(), STATE_OWNER)
    operator.paste(making.replace(_SHOWN, address).replace("pip install 'rowgate[postgres]'\n", ""))
    ports, balancer = (find_free_port(), find_free_port()), find_free_port()
    url = f"https://127.0.0.1:{balancer}"
    with (tmp_path / "one" / "rowgate.toml").open("a") as file:
        file.write(settings.replace("https://data.example.com", url))
    copying, _ = (text for _, text in find_blocks(_PAGE, "## Every further replica", "## A balancer in front"))
    # somebody has the usual port on this machine, perhaps
    found = operator.paste(copying.replace("rowgate doctor --home ./two", "rowgate doctor --home ./two || true"))
    assert "in the state at" in found
    told = operator.paste("rowgate app add report --object SA_ServiceAccounts --home ./two --json")
    made, _ = json.JSONDecoder().raw_decode(told)
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    ((_, nginx),) = find_blocks(_PAGE, "## A balancer in front", "## When PostgreSQL is away")
    certificate, key = make_certificate(tmp_path)
    for shown, real in (
        ("127.0.0.1:8082", f"127.0.0.1:{ports[0]}"),
        ("127.0.0.1:8083", f"127.0.0.1:{ports[1]}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{balancer} ssl"),
        ("/etc/ssl/data.example.com.pem", str(certificate)),
        ("/etc/ssl/data.example.com.key", str(key)),
    ):
        assert nginx.count(shown) == 1
        nginx = nginx.replace(shown, real)
    with (
        serve_process(tmp_path / "one", port=ports[0]),
        serve_process(tmp_path / "two", port=ports[1]) as second,
        run_nginx_with(tmp_path, nginx),
        httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=certificate), timeout=30) as client,
    ):
        rows = "/api/v1/data/SA_ServiceAccounts/rows?limit=1"
        served_by: set[str] = set()
        for _ in range(8):
            issued = client.post("/api/v1/token", data=form)
            token = issued.json()["access_token"]
            answer = client.get(rows, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            served_by |= {found.headers["x-request-id"].partition("-")[0] for found in (issued, answer)}
        assert len(served_by) == 2
        operator.paste("rowgate object block SA_ServiceAccounts --reason tests --home ./one")
        bearer = {"Authorization": f"Bearer {token}"}
        wait_until(lambda: all(client.get(rows, headers=bearer).status_code == 401 for _ in range(4)), seconds=1.0)
        operator.paste("rowgate object unblock SA_ServiceAccounts --home ./one")
        second.kill()
        assert client.post("/api/v1/token", data=form).status_code == 200
    ((_, together),) = find_blocks(_PAGE, "## The record", "## Upgrades and backups")
    events = operator.paste(together)
    assert events.count("token_issued") == 9
    assert "object.block" in events
