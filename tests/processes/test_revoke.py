"""A revocation at one worker holds at every other within a second, and a power cut does not undo it."""

import http.client
import json
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from processes.conftest import Home
from processes.test_workers import all_say, ask_workers
from support.servers import ServerProcess, fetch_token, serve_process, wait_until, within_a_second

pytestmark = pytest.mark.slow


def get_tokens(server: ServerProcess, home: Home) -> dict[str, Any]:
    return fetch_token(server.url, home.made.application.client_id, home.made.client_secret)


def revoke(server: ServerProcess, home: Home, token: str) -> str:
    """Revoke a token; give the worker that did it, and that it is dead there already."""
    form = {**home.form, "token": token}
    del form["grant_type"]
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)) as connection:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/api/v1/revoke", urlencode(form), headers)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        worker = answer.headers["x-request-id"].split("-")[0]
        # the connection stays with its worker: no poll is waited for
        connection.request("POST", "/api/v1/introspect", urlencode(form), headers)
        again = connection.getresponse()
        assert json.loads(again.read()) == {"active": False}
        assert again.headers["x-request-id"].split("-")[0] == worker
        return worker


def test_revocation_at_one_worker_holds_at_the_other_within_a_second(home: Home) -> None:
    with serve_process(home.path, "--workers", "2") as server:
        wait_until(lambda: len(ask_workers(server, "none")) == 2)
        workers: set[str] = set()
        for _ in range(30):
            tokens, sibling = get_tokens(server, home), get_tokens(server, home)
            kind = "access_token" if len(workers) % 2 else "refresh_token"
            workers.add(revoke(server, home, tokens[kind]))
            within_a_second(partial(all_say, server, tokens["access_token"], 401))
            assert set().union(*ask_workers(server, sibling["access_token"]).values()) == {200}
            if len(workers) == 2:
                break
        assert len(workers) == 2, "every revocation came to the same worker"
        assert server.stop() == 0
    revoked = [event for event in home.list_events(kind="token_revoked") if event.get("revoked")]
    assert len(revoked) >= 2


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoked_is_revoked_after_a_power_cut(home: Home, kind: str) -> None:
    """R14: killed at once after the 200, every time something else is being written too."""
    dead: list[str] = []
    for _ in range(3):
        with serve_process(home.path) as server:
            tokens = get_tokens(server, home)
            revoke(server, home, tokens[kind])
            server.kill()
        dead.append(tokens["access_token"])
        if kind == "refresh_token":
            dead.append(tokens["refresh_token"])
    with serve_process(home.path) as server:
        form = {"client_id": home.form["client_id"], "client_secret": home.form["client_secret"]}
        for token in dead:
            asked = httpx.post(f"{server.url}/introspect", data={**form, "token": token})
            assert asked.json() == {"active": False}
            assert set().union(*ask_workers(server, token, connections=1).values()) == {401}
        assert server.stop() == 0
    assert len([event for event in home.list_events(kind="token_revoked") if event.get("revoked")]) == 3
