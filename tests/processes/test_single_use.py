"""What counts once counts once for all workers: an assertion, and a proof of possession at the token endpoint."""

import time
from collections.abc import Mapping

import httpx
import pytest

from processes.conftest import Home
from processes.test_workers import ask_workers
from rowgate.config import load_settings
from support.client_keys import ClientKey
from support.homes import add_without_secret
from support.servers import ServerProcess, serve_process, wait_until

pytestmark = pytest.mark.slow

ATTEMPTS = 40


def present(server: ServerProcess, form: Mapping[str, str], headers: Mapping[str, str]) -> list[tuple[int, str]]:
    """Send the same request on connections of their own until a second worker has answered; give status and worker."""
    answers: list[tuple[int, str]] = []
    for _ in range(ATTEMPTS):
        answer = httpx.post(f"{server.url}/api/v1/token", data=dict(form), headers=dict(headers), timeout=10)
        answers.append((answer.status_code, answer.headers["x-request-id"].partition("-")[0]))
        if answers[-1][1] != answers[0][1]:
            break
    return answers


@pytest.mark.parametrize("kind", ["assertion", "proof"])
def test_a_second_use_is_refused_whichever_worker_answers(home: Home, kind: str) -> None:
    key = ClientKey()
    if kind == "assertion":
        settings = load_settings(home.path, {}, {})
        methods = ("private_key_jwt",)
        client_id = add_without_secret(settings, "keyed", jwks=key.jwks, authentication_methods=methods)
    with serve_process(home.path, "--workers", "2") as server:
        wait_until(lambda: len(ask_workers(server, "none")) == 2)
        now = time.time()
        if kind == "assertion":
            form = {"grant_type": "client_credentials", **key.assert_client(client_id, server.url, now)}
            headers: dict[str, str] = {}
        else:
            form, headers = home.form, {"DPoP": key.prove("POST", f"{server.url}/api/v1/token", now)}
        answers = present(server, form, headers)
        assert server.stop() == 0
    assert answers[0][0] == 200
    status, worker = answers[-1]
    assert worker != answers[0][1], "every request came to the same worker"
    assert status == (401 if kind == "assertion" else 400)
