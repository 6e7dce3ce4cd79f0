"""Clients that prove who they are with a key: private_key_jwt (P47 to P51)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jws import deserialize_compact

from protocol.case import numbered
from protocol.judge import judge_error
from protocol.keyed import CLIENT_CREDENTIALS, Keyed, register, register_with_key
from protocol.world import World
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ASSERTION_TYPE, ClientKey, sign_by_hand
from support.servers import within_a_second

_KEY = ClientKey()
_OTHER = ClientKey()


@pytest.fixture(scope="module")
def keyed(world: World) -> Keyed:
    return register_with_key(world, "keyed", _KEY)


@pytest.fixture(scope="module")
def secret(world: World) -> Keyed:
    return register(world, "with-a-secret")


def _judge(keyed: Keyed, answer: Any, reason: str, *, code: str = "invalid_client", status: int = 401) -> None:
    assert (answer.status_code, keyed.reason(answer)) == (status, reason)
    judge_error(answer.headers, answer.content, status=status, code=code)
    # and what is right goes on being right, which also forgets the failures of this client
    assert keyed.ask().status_code == 200


@numbered("P47", "RFC 6749 §5.2")
def test_secret_of_a_client_that_signs_is_refused(world: World) -> None:
    client = register(world, "turned-to-keys")
    client.set(PolicyChange(authentication_methods=("private_key_jwt",), jwks=_KEY.jwks))
    within_a_second(lambda: client.ask().status_code == 401)
    answer = client.ask()
    assert (answer.json()["error"], client.reason(answer)) == ("invalid_client", "method_not_registered")
    client.key, client.client_secret = _KEY, ""
    assert client.ask().status_code == 200


@numbered("P47", "RFC 6749 §5.2")
def test_assertion_of_a_client_that_has_a_secret_is_refused(secret: Keyed) -> None:
    signing = Keyed(secret.world, secret.name, secret.client_id, key=_KEY)
    answer = signing.ask()
    assert (answer.status_code, signing.reason(answer)) == (401, "no_registered_key")
    secret.set(PolicyChange(jwks=_KEY.jwks))
    within_a_second(lambda: signing.reason(signing.ask()) == "method_not_registered")
    assert secret.ask().status_code == 200


@numbered("P47", "RFC 6749 §5.2")
def test_exchanged_key_holds_within_a_second(world: World) -> None:
    before, after = ClientKey(key_id="before"), ClientKey("EdDSA", "after")
    client = register_with_key(world, "exchanges", before)
    both = json.dumps({"keys": [before.public, after.public]})
    client.set(PolicyChange(jwks=both))
    client.key = after
    within_a_second(lambda: client.ask().status_code == 200)
    client.key = before
    assert client.ask().status_code == 200
    client.set(PolicyChange(jwks=after.jwks))
    within_a_second(lambda: client.ask().status_code == 401)
    client.key = after
    assert client.ask().status_code == 200


@numbered("P48", "RFC 7521 §4.2, RFC 7523 §2.2")
@pytest.mark.parametrize("assertion_type", [None, "", "jwt-bearer", ASSERTION_TYPE.upper()])
def test_assertion_of_no_known_type(keyed: Keyed, assertion_type: str | None) -> None:
    form = {**CLIENT_CREDENTIALS, **keyed.authenticate()}
    if assertion_type is None:
        del form["client_assertion_type"]
    else:
        form["client_assertion_type"] = assertion_type
    _judge(keyed, keyed.post(form), "client_assertion_type", code="invalid_request", status=400)


@numbered("P48", "RFC 7521 §4.2, RFC 7523 §2.2")
def test_type_without_an_assertion(keyed: Keyed) -> None:
    form = {**CLIENT_CREDENTIALS, "client_assertion_type": ASSERTION_TYPE}
    _judge(keyed, keyed.post(form), "no_client_assertion", code="invalid_request", status=400)


@numbered("P48", "RFC 7521 §4.2, RFC 7523 §2.2")
def test_assertion_beside_another_client_id(keyed: Keyed, secret: Keyed) -> None:
    form = {**CLIENT_CREDENTIALS, **keyed.authenticate()}
    assert keyed.post({**form, "client_id": keyed.client_id}).status_code == 200
    form = {**CLIENT_CREDENTIALS, **keyed.authenticate(), "client_id": secret.client_id}
    _judge(keyed, keyed.post(form), "two_client_ids", code="invalid_request", status=400)


_Forge = Callable[[dict[str, Any]], str]
_HEADER = {"typ": "JWT", "alg": "HS256", "kid": "first"}
_FORGED: dict[str, tuple[_Forge, str]] = {
    "signed-by-another-key": (_OTHER.sign, "assertion_forged_signature"),
    "of-an-unknown-key": (lambda claims: _KEY.sign(claims, kid="other"), "assertion_unknown_key"),
    "alg-none": (lambda claims: sign_by_hand({**_HEADER, "alg": "none"}, claims), ""),
    "hs256-keyed-with-the-public-key": (
        lambda claims: sign_by_hand(_HEADER, claims, _KEY.key.as_pem(private=False)),
        "",
    ),
    "hs256-keyed-with-the-public-set": (lambda claims: sign_by_hand(_HEADER, claims, _KEY.jwks.encode()), ""),
    "with-a-key-of-its-own": (lambda claims: _OTHER.sign(claims, jwk=_OTHER.public), ""),
    "of-another-type": (lambda claims: _KEY.sign(claims, typ="at+jwt"), ""),
    "no-token-at-all": (lambda _: "abc", ""),
    "signed-text-that-is-no-object": (lambda _: _KEY.sign(["iss"]), "assertion_claims"),
}


@numbered("P49", "RFC 7523 §3, RFC 8725 §3.1")
@pytest.mark.parametrize("forged", _FORGED)
def test_forged_assertion(keyed: Keyed, forged: str) -> None:
    forge, reason = _FORGED[forged]
    claims = keyed.key.claim(keyed.client_id, keyed.issuer, keyed.now)
    true = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": keyed.key.sign(claims)}
    false = {**true, "client_assertion": forge({**claims, "jti": "another"})}
    assert keyed.post({**CLIENT_CREDENTIALS, **true}).status_code == 200
    answer = keyed.post({**CLIENT_CREDENTIALS, **false})
    _judge(keyed, answer, reason or keyed.reason(answer))
    assert keyed.reason(answer).startswith("assertion_")


@numbered("P49", "RFC 7523 §3, RFC 8725 §3.1")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": ...}, "assertion_claims"),
        ({"exp": 1_700_000_000}, "assertion_expired"),
        ({"exp": 2**52}, "assertion_lives_too_long"),
        ({"exp": "tomorrow"}, "assertion_claims"),
        ({"iss": "other"}, "assertion_subject"),
        ({"iss": ...}, "assertion_claims"),
        ({"jti": ...}, "assertion_claims"),
        ({"jti": ""}, "assertion_jti"),
        ({"jti": "j" * 256}, "assertion_jti"),
    ],
    ids=str,
)
def test_assertion_with_a_wrong_claim(keyed: Keyed, changed: dict[str, Any], reason: str) -> None:
    _judge(keyed, keyed.ask(**changed), reason)


@numbered("P49", "RFC 7523 §3, RFC 8725 §3.1")
def test_assertion_for_another_client(keyed: Keyed, world: World) -> None:
    """Whoever holds one client's key is not another client."""
    other = register_with_key(world, "other-keyed", _OTHER)
    answer = keyed.ask(iss=other.client_id, sub=other.client_id)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    _judge(keyed, keyed.ask(sub=other.client_id), keyed.reason(keyed.ask(sub=other.client_id)))


@numbered("P49", "RFC 7523 §3, RFC 8725 §3.1")
def test_replayed_assertion(keyed: Keyed) -> None:
    form = {**CLIENT_CREDENTIALS, **keyed.authenticate()}
    assert keyed.post(form).status_code == 200
    _judge(keyed, keyed.post(form), "assertion_replayed")
    _judge(
        keyed,
        keyed.post({**form, "grant_type": "nonsense"}),
        "unsupported_grant_type",
        status=400,
        code="unsupported_grant_type",
    )


@numbered("P50", "RFC 7523 §3")
@pytest.mark.parametrize(
    ("audience", "status"),
    [
        ("{issuer}", 200),
        (["{issuer}"], 401),
        (["{issuer}", "https://elsewhere.example"], 401),
        ("{issuer}/api/v1/token", 401),
        ("{issuer}/", 401),
        ("https://elsewhere.example", 401),
        ("", 401),
        (..., 401),
    ],
    ids=str,
)
def test_audience_is_the_issuer_alone(keyed: Keyed, audience: Any, status: int) -> None:
    filled: Any = audience
    if isinstance(audience, list):
        filled = [part.replace("{issuer}", keyed.issuer) for part in audience]
    elif isinstance(audience, str):
        filled = audience.replace("{issuer}", keyed.issuer)
    answer = keyed.ask(aud=filled)
    assert answer.status_code == status
    if status == 401:
        _judge(keyed, answer, "assertion_claims" if audience is ... else "assertion_audience")


@numbered("P51", "RFC 7523 §3")
@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "status"), [(-10, 200), (10, 200), (61, 401)])
def test_clock_that_runs_ahead(keyed: Keyed, claim: str, ahead: int, status: int) -> None:
    answer = keyed.ask(**{claim: int(keyed.now) + ahead, "exp": int(keyed.now) + 120})
    assert answer.status_code == status
    if status == 401:
        _judge(keyed, answer, "assertion_not_yet")


@numbered("P31", "RFC 6749 §5.2")
@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_every_assertion_without_a_good_key_costs_one_verification(
    keyed: Keyed, secret: Keyed, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a client id exists and has a key does not show in the time that a refusal takes."""
    done: list[str] = []

    def count(text: str, key: Any, **more: Any) -> Any:
        done.append(text)
        return deserialize_compact(text, key, **more)

    monkeypatch.setattr("rowgate.oauth.jws.deserialize_compact", count)
    forger = ClientKey(algorithm)
    for client_id in (keyed.client_id, secret.client_id, f"nobody-{algorithm}"):
        for kid in (..., "first", "other"):
            forged = forger.sign(forger.claim(client_id, keyed.issuer, keyed.now), kid=kid)
            form = {**CLIENT_CREDENTIALS, "client_assertion_type": ASSERTION_TYPE, "client_assertion": forged}
            done.clear()
            answer = keyed.post(form)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
            assert done == [forged], (client_id, kid)
    assert (keyed.ask().status_code, secret.ask().status_code) == (200, 200)
