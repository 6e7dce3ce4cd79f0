"""Power cuts: kill -9 in the middle of load, and what is there afterwards."""

import json
import sqlite3
from contextlib import closing
from functools import partial

import httpx
import pytest

from processes.conftest import Home, Load, put_load
from rowgate import wiring
from rowgate.oauth.tokens import ACCESS, TokenSealer
from rowgate.service.admin.token_opener import HomeTokenOpener
from support.homes import administer
from support.servers import ServerProcess, fetch_token, serve_process, wait_until

pytestmark = pytest.mark.slow


def list_token_ids(home: Home, tokens: list[str]) -> set[str]:
    store = wiring.open_store(home.settings)
    with closing(store):
        sealer = TokenSealer(store.load_keys().sealing)
    return {sealer.open(ACCESS, token)[0].hex() for token in tokens}


def has_read(load: Load, count: int) -> bool:
    return len(load.reads) > count


def is_refused(server: ServerProcess, token: str) -> bool:
    bearer = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.url}/api/v1/data/small/rows", headers=bearer).status_code == 401


def test_nothing_acknowledged_is_missing_after_a_power_cut(home: Home) -> None:
    """Twice: every token and every read that a client was told of is on record, and the home opens clean."""
    before: list[str] = []
    for _ in range(2):
        with serve_process(home.path) as server, put_load(server.url, home.form) as load:
            assert not any(is_refused(server, token) for token in before[-1:])
            wait_until(partial(has_read, load, 300))
            server.kill()
        assert load.wrong == []
        before += load.tokens
        assert list_token_ids(home, before) <= {event["token_id"] for event in home.list_events(kind="token_issued")}
        opened = {event["request_id"] for event in home.list_events(kind="rows_opened")}
        assert set(load.reads) <= opened
        with closing(sqlite3.connect(home.settings.state_path)) as state:
            assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_is_revoked_stays_revoked_after_a_power_cut(home: Home) -> None:
    """R14: a token, and everything of a secret, replayed after kill -9 and restart."""
    with serve_process(home.path) as server:
        kept, killed, compromised = (
            fetch_token(server.url, home.made.application.client_id, home.made.client_secret)["access_token"]
            for _ in range(3)
        )
        with administer(home.settings) as desks, closing(wiring.open_store(home.settings)) as store:
            desks.tokens.revoke(killed, HomeTokenOpener(store.load_keys()))
        wait_until(lambda: is_refused(server, killed))
        server.kill()
    with serve_process(home.path) as server:
        assert is_refused(server, killed)
        assert not is_refused(server, kept)
        with administer(home.settings) as desks:
            desks.applications.revoke_secret("app", home.made.secret.key_id, kills_tokens=True)
        server.kill()  # before it has heard of it
    with serve_process(home.path) as server:
        assert is_refused(server, compromised)
        assert is_refused(server, kept)
        assert httpx.post(f"{server.url}/token", data=home.form).status_code == 401
        assert json.loads(httpx.get(f"{server.url}/readyz").text)["status"] == "ok"
