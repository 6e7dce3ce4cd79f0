"""`rowgate token`: revoke and inspect, with tokens of a running server."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import httpx
import pytest

from cli.transcript import Outcome, run
from rowgate.cli.tokens import make_opener
from rowgate.oauth.token_exchange import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.policies import PolicyChange
from support.homes import add_application, administer
from support.servers import RunningServer, ask_until, fetch_token, wait_until


def rowgate(server: RunningServer, *arguments: str, stdin: str = "") -> Outcome:
    return run([*arguments, "--home", str(server.settings.home)], stdin)


@pytest.fixture
def tokens(server: RunningServer, request: pytest.FixtureRequest) -> dict[str, str]:
    """Tokens of an application named after the test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ROWGATE_DATABASE", server.settings.database)
        made = add_application(server.settings, request.node.name)
        client = made.application.client_id
        ask_until(lambda: _is_known(server, client, made.client_secret))
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


def _ask(server: RunningServer, made: NewCredentials, *details: dict[str, object], **form: str) -> dict[str, Any]:
    chosen = {"grant_type": "client_credentials", "authorization_details": json.dumps(details), **form}
    answer = httpx.post(f"{server.url}/token", data=chosen, auth=(made.application.client_id, made.client_secret))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def narrow(server: RunningServer, request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Give an application's name, a token of it for one column, and one that was exchanged for that."""
    policy = PolicyChange(token_exchange=True)
    made = add_application(server.settings, request.node.name, policy=policy)
    ask_until(lambda: _is_known(server, made.application.client_id, made.client_secret))
    detail: dict[str, object] = {
        "type": "rowgate_object",
        "object": "SA_Activity_Events",
        "columns": ["EventId"],
    }
    first = str(_ask(server, made, detail)["access_token"])
    subject = {"grant_type": TOKEN_EXCHANGE, "subject_token": first, "subject_token_type": ACCESS_TOKEN_TYPE}
    return request.node.name, first, str(_ask(server, made, detail, **subject)["access_token"])


def test_inspect_says_what_a_token_is_narrowed_to(server: RunningServer, narrow: tuple[str, str, str]) -> None:
    _, first, second = narrow
    found = inspect(server, second)
    assert found["authorization_details"] == [
        {"type": "rowgate_object", "objects": ["SA_Activity_Events"], "actions": ["read"], "columns": ["EventId"]}
    ]
    assert found["made_of"] == [inspect(server, first)["token_id"]]
    assert '"columns": ["EventId"]' in rowgate(server, "token", "inspect", second).stdout
    rowgate(server, "token", "revoke", first)
    assert inspect(server, second)["state"] == "revoked"


def test_explain_knows_what_a_token_is_for(server: RunningServer, narrow: tuple[str, str, str]) -> None:
    name, first, _ = narrow

    def explain(who: str, what: str, token: str) -> tuple[bool, dict[str, dict[str, Any]]]:
        done = rowgate(server, "explain", who, what, "--token", "-", "--json", stdin=token + "\n")
        told = json.loads(done.stdout)
        assert done.exit_code == (0 if told["allowed"] else 1)
        return told["allowed"], {step["question"]: step for step in told["steps"]}

    allowed, steps = explain(name, "SA_Activity_Events", first)
    assert allowed
    assert steps["the token is for the object"]["found"] == "columns: EventId"
    allowed, steps = explain(name, "SA_ServiceAccounts", first)
    assert [question for question, step in steps.items() if not step["holds"]] == ["the token is for the object"]
    other = add_application(server.settings, f"other-{name}")
    allowed, steps = explain(other.application.name, "SA_Activity_Events", first)
    assert [question for question, step in steps.items() if not step["holds"]] == ["the token is one of it"]
    rowgate(server, "token", "revoke", first)
    allowed, steps = explain(name, "SA_Activity_Events", first)
    assert not allowed
    assert steps["it is an access token that is good now"]["found"] == "access token, revoked"


@pytest.fixture
def signed(server: RunningServer, request: pytest.FixtureRequest) -> dict[str, str]:
    """Tokens of an application whose access tokens are JWTs."""
    with administer(server.settings) as desks:
        desks.keys.rotate_signing("EdDSA", at_once=True)
    made = add_application(server.settings, request.node.name, policy=PolicyChange(access_token_format="jwt"))
    ask_until(lambda: _is_known(server, made.application.client_id, made.client_secret))
    tokens = fetch_token(server.url, made.application.client_id, made.client_secret)
    assert tokens["access_token"].count(".") == 2
    return tokens


def test_signed_token_is_inspected_and_revoked_like_a_sealed_one(server: RunningServer, signed: dict[str, str]) -> None:
    token = signed["access_token"]
    found = inspect(server, token)
    assert (found["kind"], found["state"], found["scope"]) == ("access token", "good", "read")
    assert found["family"] == inspect(server, signed["refresh_token"])["token_id"]
    assert not is_refused(server, token)
    done = rowgate(server, "token", "revoke", "-", stdin=token + "\n")
    assert (done.exit_code, done.stderr) == (0, f"Token {found['token_id']} is revoked.\n")
    wait_until(lambda: is_refused(server, token), seconds=1)
    assert inspect(server, token)["state"] == "revoked"
    assert inspect(server, signed["refresh_token"])["state"] == "good"


def test_signed_token_that_is_changed_is_none_of_ours(server: RunningServer, signed: dict[str, str]) -> None:
    """Neither another signature nor another payload opens, nor is anything revoked by it."""
    token = signed["access_token"]
    head, payload, signature = token.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    other = urlsafe_b64encode(json.dumps({**claims, "scope": "read run"}).encode()).rstrip(b"=").decode()
    turned = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for changed in (f"{head}.{other}.{signature}", f"{head}.{payload}.{turned}", f"{head}.{payload}.", "a.b.c"):
        for command in ("inspect", "revoke"):
            done = rowgate(server, "token", command, "-", stdin=changed + "\n")
            assert (done.exit_code, done.stderr) == (1, "rowgate: this home did not make that token\n")
    assert not is_refused(server, token)


def test_signed_token_that_has_expired_is_said_to_be(server: RunningServer, signed: dict[str, str]) -> None:
    later = int(inspect(server, signed["access_token"])["expires_at"])  # type: ignore[call-overload]
    with administer(server.settings, lambda: later) as desks:
        opener = make_opener(str(server.settings.home))
        assert desks.tokens.inspect(signed["access_token"], opener).state == "expired"


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
