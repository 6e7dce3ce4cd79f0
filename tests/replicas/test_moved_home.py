"""A home whose state is copied into PostgreSQL: its clients notice nothing."""

import json
import subprocess
from pathlib import Path

import httpx

from rowgate.config import CONFIG_NAME, dump, load_settings
from support.homes import add_application, make_home
from support.postgres import STATE_OWNER, PostgresServer
from support.servers import ROWGATE, fetch_token, run_server


def copy(home: Path, address: str) -> subprocess.CompletedProcess[str]:
    command = [*ROWGATE, "state", "copy", address, "--schema", "moved", "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_secrets_and_tokens_of_before_are_good_after(
    sample_database: Path, tmp_path: Path, postgres: PostgresServer, state_database: str
) -> None:
    settings = make_home(tmp_path / "home", sample_database)
    config = settings.home / CONFIG_NAME
    config.write_text(dump(settings), "utf-8")
    made = add_application(settings, "report", ("SA_ServiceAccounts",))
    basic = made.application.client_id, made.client_secret
    with run_server(settings) as server:
        issued = fetch_token(server.url, *basic)

    address = postgres.address(state_database, STATE_OWNER)
    done = copy(settings.home, address)
    assert done.returncode == 0, done.stderr
    with config.open("a") as file:
        file.write(done.stdout)
    moved = load_settings(settings.home, {}, {})
    assert (moved.state, moved.state_schema) == (address, "moved")
    settings.state_path.rename(tmp_path / "state.db")  # nothing of it is read

    examined = subprocess.run(
        [*ROWGATE, "doctor", "--home", str(settings.home), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = {finding["question"]: finding for finding in json.loads(examined.stdout)}
    assert found["the state and its keys can be read"]["found"].endswith("schema moved")
    assert found["the clock agrees with that of the state's server"]["good"]
    assert "only its owner can read state.db" not in found

    with run_server(moved) as server:
        bearer = {"Authorization": f"Bearer {issued['access_token']}"}
        rows = f"{server.url}/api/v1/data/SA_ServiceAccounts/rows?limit=1"
        assert httpx.get(rows, headers=bearer).status_code == 200
        refresh = {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"]}
        assert httpx.post(f"{server.url}/token", auth=basic, data=refresh).status_code == 200
        assert fetch_token(server.url, *basic)["access_token"]
        (event,) = [e for e in server.events(kind="administrative_change") if e["action"] == "state.copy"]
        assert event["target"].endswith("schema moved")

    for again in (settings.home, tmp_path / "nowhere"):
        refused = copy(again, address)
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1
