"""R14 and R15 together: what is good once is given again to the client whose answer was lost, and to nobody else."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey

from credentials.conftest import ENROL, HOUR, Client
from rowgate.oauth.idempotency import REPEAT_SECONDS
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, run_server

REGISTER = "/api/v1/register"
OBJECTS = ("SA_ServiceAccounts",)


@pytest.fixture
def own_server(tmp_path: Path, sample_database: Path) -> Iterator[RunningServer]:
    """A server of its own, whose time stands still and where clients may register."""
    settings = make_home(tmp_path / "home", sample_database, client_registration=True)
    with run_server(settings) as running:
        running.clock.freeze()
        yield running


@pytest.fixture
def client(own_server: RunningServer) -> Client:
    return Client(own_server, add_application(own_server.settings, "report", OBJECTS))


def make_code(client: Client) -> str:
    with administer(client.server.settings, client.server.clock) as desks:
        return desks.secrets.enrol("report", lifetime_seconds=HOUR).code


def make_initial_token(own_server: RunningServer) -> str:
    with administer(own_server.settings, own_server.clock) as desks:
        return desks.registrations.add_token(OBJECTS, scope="read", lifetime_seconds=HOUR).initial_access_token


def make_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_urlsafe(32)}


def redeem(client: Client, headers: dict[str, str], **body: Any) -> httpx.Response:
    return httpx.post(client.server.url + ENROL, json=body, headers=headers, timeout=30)


def register(own_server: RunningServer, token: str, headers: dict[str, str], **metadata: Any) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token}"}
    return httpx.post(own_server.url + REGISTER, json=metadata, headers={**bearer, **headers}, timeout=30)


def find_reason(own_server: RunningServer, answer: httpx.Response) -> str:
    refusals = own_server.events(kind="token_refused")
    (event,) = [event for event in refusals if event["request_id"] == answer.headers["x-request-id"]]
    return str(event["reason"])


def test_a_code_gives_its_secret_again_to_the_client_that_repeats_itself(client: Client) -> None:
    """Nothing more is made, and both answers are on record."""
    code, key = make_code(client), make_key()
    first = redeem(client, key, code=code)
    client.server.clock.advance(REPEAT_SECONDS - 1)
    again = redeem(client, key, code=code)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert client.read(client.fetch_token(again.json()["client_secret"])) == 200
    assert len(client.load().secrets) == 2
    events = client.server.events(kind="enrolment_redeemed")
    assert [event.get("repeated", False) for event in events] == [False, True]
    assert not client.server.events(kind="enrolment_replayed")


@pytest.mark.parametrize("other", [{}, "another"])
def test_a_copy_of_a_code_gets_nothing_and_is_loud(client: Client, other: Any) -> None:
    """Whoever has read the mail has the code and not the key."""
    code, key = make_code(client), make_key()
    good = redeem(client, key, code=code).json()["client_secret"]
    stolen = redeem(client, make_key() if other else {}, code=code)
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert find_reason(client.server, stolen) == "used_code"
    assert len(client.server.events(kind="enrolment_replayed")) == 1
    assert redeem(client, key, code=code).json()["client_secret"] == good


def test_of_twenty_that_repeat_themselves_at_once_all_get_the_same(client: Client) -> None:
    code, key = make_code(client), make_key()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: redeem(client, key, code=code), range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.json()["client_secret"] for answer in answers}) == 1
    assert len(client.load().secrets) == 2


def test_it_is_given_again_for_ten_minutes_and_not_after_it_was_revoked(client: Client) -> None:
    """Late is no theft: nobody has shown to hold a copy."""
    late, revoked, key = make_code(client), make_code(client), make_key()
    redeem(client, key, code=late)
    made = redeem(client, key, code=revoked).json()
    with administer(client.server.settings, client.server.clock) as desks:
        desks.applications.revoke_secret("report", made["key_id"], kills_tokens=True)
    client.server.clock.advance(REPEAT_SECONDS)
    for code in (late, revoked):
        answer = redeem(client, key, code=code)
        assert (answer.status_code, find_reason(client.server, answer)) == (400, "used_code")
    assert not client.server.events(kind="enrolment_replayed")


def test_another_server_on_the_same_state_gives_the_same_answer(tmp_path: Path, sample_database: Path) -> None:
    """A restart, another worker or a replica: nothing of it is in anybody's memory."""
    settings = make_home(tmp_path / "home", sample_database)
    made, key, answers = add_application(settings, "report", OBJECTS), make_key(), []
    with administer(settings) as desks:
        code = desks.secrets.enrol("report", lifetime_seconds=HOUR).code
    for _ in range(2):
        with run_server(settings) as running:
            answers.append(redeem(Client(running, made), key, code=code).json())
    assert answers[0] == answers[1]
    assert "client_secret" in answers[0]


def test_one_key_for_two_codes_gives_two_secrets(client: Client) -> None:
    key = make_key()
    values = {redeem(client, key, code=make_code(client)).json()["client_secret"] for _ in range(2)}
    assert len(values) == 2


def test_keys_that_were_registered_may_be_sent_again(client: Client) -> None:
    """No secret is in that answer, so nothing else need show that it is the same client; other keys are a copy's."""
    code = make_code(client)
    keys = [OKPKey.generate_key("Ed25519").as_dict(private=False) for _ in range(2)]
    answers = [redeem(client, {}, code=code, jwks={"keys": keys[:1]}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert [answer.status_code for answer in answers] == [200, 200]
    before = client.load().policy.jwks
    for stolen in (keys[1:], keys):
        refused = redeem(client, make_key(), code=code, jwks={"keys": stolen})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert client.load().policy.jwks == before
    assert len(client.server.events(kind="enrolment_replayed")) == 2
    client.server.clock.advance(HOUR)
    assert redeem(client, {}, code=code, jwks={"keys": keys[:1]}).status_code == 400


@pytest.mark.parametrize("method", ["client_secret_basic", "private_key_jwt"])
def test_a_registration_is_given_again_to_the_client_that_repeats_itself(
    own_server: RunningServer, method: str
) -> None:
    """With its secret and its registration access token; nothing more is made."""
    token, key = make_initial_token(own_server), make_key()
    metadata: dict[str, Any] = {"client_name": "nightly", "token_endpoint_auth_method": method}
    if method == "private_key_jwt":
        metadata["jwks"] = {"keys": [OKPKey.generate_key("Ed25519").as_dict(private=False)]}
    first = register(own_server, token, key, **metadata)
    again = register(own_server, token, key, **metadata)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert ("client_secret" in again.json()) == (method == "client_secret_basic")
    bearer = {"Authorization": f"Bearer {again.json()['registration_access_token']}"}
    assert httpx.get(again.json()["registration_client_uri"], headers=bearer).status_code == 200
    events = own_server.events(kind="client_registered")
    assert [event.get("repeated", False) for event in events] == [False, True]
    with administer(own_server.settings) as desks:
        assert len(desks.applications.list_all()) == 1


def test_a_copy_of_an_initial_access_token_gets_nothing(own_server: RunningServer) -> None:
    """Without the key, with another, with other metadata, too late, and after the registration was ended."""
    token, key = make_initial_token(own_server), make_key()
    made = register(own_server, token, key, client_name="nightly").json()
    for headers, name in (({}, "nightly"), (make_key(), "nightly"), (key, "other")):
        refused = register(own_server, token, headers, client_name=name)
        assert (refused.status_code, find_reason(own_server, refused)) == (401, "used_initial_token")
    assert register(own_server, token, key, client_name="nightly").json() == made
    own_server.clock.advance(REPEAT_SECONDS)
    assert register(own_server, token, key, client_name="nightly").status_code == 401
    own_server.clock.advance(-REPEAT_SECONDS)
    with administer(own_server.settings, own_server.clock) as desks:
        desks.registrations.end(made["client_id"])
    assert register(own_server, token, key, client_name="nightly").status_code == 401
    with administer(own_server.settings) as desks:
        assert len(desks.applications.list_all()) == 1


def test_a_repeated_registration_has_no_secret_that_has_ended(own_server: RunningServer) -> None:
    token, key = make_initial_token(own_server), make_key()
    made = register(own_server, token, key).json()
    with administer(own_server.settings, own_server.clock) as desks:
        (secret,) = desks.applications.load(made["client_id"])[0].secrets
        desks.applications.revoke_secret(made["client_id"], secret.key_id, kills_tokens=True)
    again = register(own_server, token, key)
    assert again.status_code == 201
    assert not {"client_secret", "client_secret_expires_at"} & again.json().keys()


@pytest.mark.parametrize("value", ["1", "a" * 31, "x" * 129, "not a key " * 5 + "."])
def test_a_key_that_could_be_guessed_is_refused_and_the_code_stays_good(client: Client, value: str) -> None:
    code, headers = make_code(client), {"Idempotency-Key": value}
    refused = redeem(client, headers, code=code)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert find_reason(client.server, refused) == "idempotency_key"
    assert redeem(client, {}, code=code).status_code == 200


def test_nothing_of_the_key_is_kept(client: Client) -> None:
    code, key = make_code(client), make_key()
    value = redeem(client, key, code=code).json()["client_secret"]
    redeem(client, key, code=code)
    kept = b"".join(path.read_bytes() for path in client.server.settings.home.rglob("*") if path.is_file())
    assert key["Idempotency-Key"].encode() not in kept
    assert value[-43:].encode() not in kept
