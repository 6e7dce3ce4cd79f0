"""`rowgate token`: revoke and inspect, with tokens of a running server."""

import json

import httpx
import pytest

from cli.transcript import Outcome, run
from support.homes import add_application
from support.servers import RunningServer, fetch_token, wait_until


def rowgate(server: RunningServer, *arguments: str, stdin: str = "") -> Outcome:
    return run([*arguments, "--home", str(server.settings.home)], stdin)


@pytest.fixture
def tokens(server: RunningServer, request: pytest.FixtureRequest) -> dict[str, str]:
    """Tokens of an application named after the test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ROWGATE_DATABASE", server.settings.database)
        made = add_application(server.settings, request.node.name)
        client = made.application.client_id
        wait_until(lambda: _is_known(server, client, made.client_secret))
        return fetch_token(server.url, client, made.client_secret)


@pytest.fixture(autouse=True)
def _database(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWGATE_DATABASE", server.settings.database)


def _is_known(server: RunningServer, client_id: str, client_secret: str) -> bool:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return httpx.post(f"{server.url}/token", data=form).status_code == 200


def is_refused(server: RunningServer, token: str) -> bool:
    bearer = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.url}/api/v1/data/SA_Activity_Events/rows?limit=1", headers=bearer).status_code == 401


def inspect(server: RunningServer, token: str) -> dict[str, object]:
    done = rowgate(server, "token", "inspect", "-", "--json", stdin=token + "\n")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_inspect_says_what_a_token_is_good_for(server: RunningServer, tokens: dict[str, str]) -> None:
    found = inspect(server, tokens["access_token"])
    assert set(found) == {
        "kind",
        "state",
        "token_id",
        "family",
        "application",
        "scope",
        "issued_at",
        "expires_at",
    }
    assert (found["kind"], found["state"], found["scope"]) == ("access token", "good", "read")
    assert found["application"] == "test_inspect_says_what_a_token_is_good_for"
    refresh = inspect(server, tokens["refresh_token"])
    assert (refresh["kind"], refresh["token_id"]) == ("refresh token", found["family"])
    (issued,) = server.events(kind="token_issued", handle=str(found["token_id"]))
    assert issued["family"] == found["family"]
    shown = rowgate(server, "token", "inspect", tokens["access_token"])
    assert f"token_id     {found['token_id']}" in shown.stdout.splitlines()


@pytest.mark.parametrize("how", ["argument", "standard input", "token id", "upper case id"])
def test_revoke_kills_one_token(server: RunningServer, tokens: dict[str, str], how: str) -> None:
    token = tokens["access_token"]
    token_id = str(inspect(server, token)["token_id"])
    given = {"argument": token, "standard input": "-", "token id": token_id, "upper case id": token_id.upper()}[how]
    assert not is_refused(server, token)
    done = rowgate(server, "token", "revoke", given, stdin=token + "\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"Token {token_id} is revoked.\n"
    wait_until(lambda: is_refused(server, token), seconds=1)
    assert inspect(server, token)["state"] == "revoked"
    assert inspect(server, tokens["refresh_token"])["state"] == "good"
    assert [e["action"] for e in server.events(kind="administrative_change", handle=token_id)] == ["token.revoke"]


def test_a_refresh_token_takes_what_came_from_it_along(server: RunningServer, tokens: dict[str, str]) -> None:
    rowgate(server, "token", "revoke", tokens["refresh_token"])
    wait_until(lambda: is_refused(server, tokens["access_token"]), seconds=1)


def test_every_token_of_an_application_is_revoked(server: RunningServer, tokens: dict[str, str]) -> None:
    name = str(inspect(server, tokens["access_token"])["application"])
    done = rowgate(server, "token", "revoke", "--app", name)
    assert done.stderr == f"Every token of {name} is revoked.\n"
    wait_until(lambda: is_refused(server, tokens["access_token"]), seconds=1)
    assert inspect(server, tokens["refresh_token"])["state"] == "revoked"


@pytest.mark.parametrize("wrong", ["rgat_nothing", "rgrt_", "nothing", "abcd", "é" * 16, "0" * 33])
@pytest.mark.parametrize("command", ["revoke", "inspect"])
def test_what_is_no_token_is_told(server: RunningServer, command: str, wrong: str) -> None:
    done = rowgate(server, "token", command, "-", stdin=wrong + "\n")
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("rowgate: ")


@pytest.mark.parametrize("arguments", [(), ("x", "--app", "y")])
def test_revoke_takes_a_token_or_an_application(server: RunningServer, arguments: tuple[str, ...]) -> None:
    assert rowgate(server, "token", "revoke", *arguments).exit_code == 2
