"""A one-time code is exchanged for a secret or for the registration of keys: once, and for nothing else."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from credentials.conftest import ENROL, HOUR, Client, set_policy
from rowgate.service.admin.desk import AdminError
from rowgate.service.admin.policies import PolicyChange
from support.homes import administer
from support.servers import wait_until

REFUSED = {"error": "invalid_grant", "error_description": "The code is not valid."}


@pytest.fixture
def code(client: Client) -> str:
    return make_code(client)


def make_code(client: Client, lifetime_seconds: int = HOUR) -> str:
    with administer(client.server.settings, client.server.clock) as desks:
        return desks.secrets.enrol("report", lifetime_seconds=lifetime_seconds).code


def redeem(client: Client, **body: Any) -> httpx.Response:
    return httpx.post(client.server.url + ENROL, json=body, timeout=30)


def read_refusal(answer: httpx.Response) -> dict[str, str]:
    """Give what a client can tell refusals apart by."""
    assert answer.status_code == 400
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_a_code_gives_a_secret_that_works_and_can_be_renewed(client: Client, code: str) -> None:
    assert re.fullmatch(r"rgen_[A-Za-z0-9_-]{43}", code)
    answer = redeem(client, code=code)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    told = answer.json()
    assert told == {
        "client_id": client.client_id,
        "client_secret": told["client_secret"],
        "client_secret_expires_at": int(client.server.clock()) + 72 * HOUR,
        "key_id": told["client_secret"].split("_")[1],
    }
    assert client.read(client.fetch_token(told["client_secret"])) == 200
    client.renew(told["client_secret"])
    assert client.ask_token(client.first).status_code == 200  # another line
    (event,) = client.server.events(kind="enrolment_redeemed")
    assert (event["key_id"], event["application"]) == (told["key_id"], "report")


def test_the_secret_ends_as_the_policy_says(client: Client, code: str) -> None:
    set_policy(client, renewed_secret_seconds=5 * HOUR, lineage_seconds=2 * HOUR)
    now = int(client.server.clock())
    assert redeem(client, code=code).json()["client_secret_expires_at"] == now + 2 * HOUR


def test_a_second_redemption_is_refused_and_loud(client: Client, code: str) -> None:
    good = redeem(client, code=code).json()["client_secret"]
    again = redeem(client, code=code)
    assert read_refusal(again) == REFUSED
    (event,) = client.server.events(kind="enrolment_replayed")
    assert (event["client_id"], event["redeemed_at"]) == (client.client_id, int(client.server.clock()))
    assert client.ask_token(good).status_code == 200
    assert len(client.load().secrets) == 2


def test_of_twenty_that_redeem_at_once_one_gets_a_secret(client: Client, code: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: redeem(client, code=code), range(20)))
    assert sorted(answer.status_code for answer in answers).count(200) == 1
    assert len(client.load().secrets) == 2


def test_unknown_expired_used_and_disabled_codes_look_alike(client: Client) -> None:
    used, expired, held = make_code(client), make_code(client, 60), make_code(client)
    assert redeem(client, code=used).status_code == 200
    client.server.clock.advance(60)
    reasons = []
    for presented in (used, expired, "rgen_" + "A" * 43, "x" * 4000, "rgen_é"):
        answer = redeem(client, code=presented)
        assert read_refusal(answer) == REFUSED
        event = [
            e for e in client.server.events(kind="token_refused") if e["request_id"] == answer.json()["request_id"]
        ]
        reasons.append((event[0]["reason"], event[0]["endpoint"]))
    assert reasons == [(r, "enrol") for r in ("used_code", "expired_code", *["unknown_code"] * 3)]
    with administer(client.server.settings) as desks:
        desks.applications.set_enabled("report", enabled=False)
    assert read_refusal(redeem(client, code=held)) == REFUSED
    with administer(client.server.settings) as desks:
        desks.applications.set_enabled("report", enabled=True)
    assert redeem(client, code=held).status_code == 200


def test_a_code_is_good_until_its_last_second(client: Client) -> None:
    code = make_code(client, 60)
    client.server.clock.advance(59)
    assert redeem(client, code=code).status_code == 200


def test_who_guesses_must_wait(client: Client) -> None:
    """Eleven guesses, and the address waits; the code it would not have guessed stays good."""
    code = make_code(client)
    statuses = [redeem(client, code=f"rgen_{n}").status_code for n in range(11)]
    assert statuses == [400] * 10 + [429]
    refused = redeem(client, code=code)
    assert refused.status_code == 429
    client.server.clock.advance(int(refused.headers["retry-after"]))
    assert redeem(client, code=code).status_code == 200
    assert client.ask_token(client.first).status_code == 200


def test_keys_are_registered_and_prove_the_client(client: Client, code: str) -> None:
    """RFC 7523: the client's own key, whose private half never left it, gets tokens."""
    key = OKPKey.generate_key("Ed25519", {"kid": "mine"})
    answer = redeem(client, code=code, jwks={"keys": [key.as_dict(private=False)]})
    assert answer.json() == {"client_id": client.client_id, "token_endpoint_auth_method": "private_key_jwt"}
    assert client.ask_token(client.first).status_code == 200
    now = int(client.server.clock())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": client.server.url,
        "exp": now + 60,
        "iat": now,
        "jti": "1",
    }
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "Ed25519", "kid": "mine"}, claims, key, algorithms=["Ed25519"]),
    }
    token = httpx.post(f"{client.server.url}/api/v1/token", data=form, timeout=30)
    assert token.status_code == 200, token.text
    assert client.read(token.json()["access_token"]) == 200
    (event,) = client.server.events(kind="enrolment_redeemed")
    assert event["method"] == "private_key_jwt"


def test_a_second_instance_adds_its_key(client: Client) -> None:
    for kid in ("one", "two"):
        key = OKPKey.generate_key("Ed25519", {"kid": kid}).as_dict(private=False)
        assert redeem(client, code=make_code(client), jwks={"keys": [key]}).status_code == 200
    jwks = json.loads(client.load().policy.jwks)
    assert [key["kid"] for key in jwks["keys"]] == ["one", "two"]
    assert client.load().policy.authentication_methods.count("private_key_jwt") == 1


def test_a_code_does_not_lock_out_who_has_keys_at_an_address(client: Client, code: str) -> None:
    """Its keys would take the place of all of theirs."""
    address = "https://keys.example/jwks.json"
    with administer(client.server.settings) as desks:
        methods = ("private_key_jwt", "client_secret_basic", "client_secret_post")
        desks.policies.set("report", PolicyChange(jwks_uri=address, authentication_methods=methods))
    key = OKPKey.generate_key("Ed25519").as_dict(private=False)
    answer = redeem(client, code=code, jwks={"keys": [key]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert client.server.events(kind="token_refused")[-1]["reason"] == "keys_at_an_address"
    assert (client.load().policy.jwks_uri, client.load().policy.jwks) == (address, "")
    assert redeem(client, code=code).status_code == 200, "the code is as good as before"


@pytest.mark.parametrize(
    ("jwks", "reason"),
    [
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "jwks_symmetric_key"),
        ({"keys": []}, "jwks_no_key"),
        ("text", "jwks_malformed"),
        ({"keys": [OKPKey.generate_key("Ed25519").as_dict(private=True)]}, "jwks_private_key"),
    ],
)
def test_keys_that_cannot_serve_leave_the_code_good(client: Client, code: str, jwks: Any, reason: str) -> None:
    """RFC 7591 §3.2.2 invalid_client_metadata."""
    refused = redeem(client, code=code, jwks=jwks)
    assert read_refusal(refused)["error"] == "invalid_client_metadata"
    assert client.find_reason(refused) == reason
    assert client.load().policy.jwks == ""
    assert redeem(client, code=code).status_code == 200


def list_bad_bodies() -> Iterator[tuple[bytes, str, str]]:
    yield b"", "application/json", "unreadable_body"
    yield b"[]", "application/json", "unreadable_body"
    yield b"{}", "application/json", "no_code"
    yield b'{"code": ""}', "application/json", "no_code"
    yield b'{"code": 1}', "application/json", "not_a_string"
    yield b'{"code": "a", "code": "b"}', "application/json", "duplicate_parameter"
    yield b"code=a", "application/x-www-form-urlencoded", "media_type"
    yield b'{"code": "\xff"}', "application/json", "unreadable_body"
    yield b'{"code": "\\ud800", "jwks": "\\ud800"}', "application/json", "unreadable_body"
    yield b'{"a":' * 2000, "application/json", "unreadable_body"


@pytest.mark.parametrize(("body", "media_type", "reason"), list(list_bad_bodies()))
def test_what_cannot_be_read_is_refused(server: Any, body: bytes, media_type: str, reason: str) -> None:
    answer = httpx.post(server.url + ENROL, content=body, headers={"Content-Type": media_type})
    assert read_refusal(answer)["error"] == "invalid_request"
    (event,) = [e for e in server.events() if e.get("request_id") == answer.json()["request_id"]]
    assert event["reason"] == reason


def test_only_post_redeems_and_never_from_the_url(server: Any) -> None:
    answer = httpx.get(server.url + ENROL)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert read_refusal(httpx.post(f"{server.url}{ENROL}?code=x", json={"code": "x"}))["error"] == "invalid_request"


def test_no_code_is_kept(client: Client, code: str) -> None:
    redeem(client, code=code)
    redeem(client, code=code)
    paths: list[Path] = [path for path in client.server.settings.home.rglob("*") if path.is_file()]
    assert code[5:].encode() not in b"".join(path.read_bytes() for path in paths)


def test_codes_are_made_for_who_is_there(client: Client) -> None:
    with administer(client.server.settings) as desks:
        for name, lifetime in (("nobody", 60), ("report", 0), ("report", 8 * 24 * HOUR)):
            with pytest.raises(AdminError):
                desks.secrets.enrol(name, lifetime_seconds=lifetime)
        desks.applications.remove("report")
    wait_until(lambda: client.ask_token(client.first).status_code == 401)
