"""Tokens that are bound to a client's key by DPoP (P71, P84, P107)."""

from typing import Any

import pytest

from protocol.case import numbered
from protocol.judge import judge_error
from protocol.keyed import Keyed, register
from protocol.test_signed_tokens import decode
from protocol.world import World
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ClientKey, encode_base64url, sign_by_hand
from support.servers import within_a_second

_OTHER = ClientKey(key_id="other")


def _name(value: object) -> str:
    """Name a case alike in every process: keys are made anew."""
    return "key-of-another" if "'kty'" in str(value) else str(value)


@pytest.fixture(scope="module", params=["sealed", "jwt"])
def bound(world: World, request: pytest.FixtureRequest) -> Keyed:
    policy = PolicyChange(dpop_bound_tokens=True, access_token_format=request.param)
    return register(world, f"bound-{request.param}", policy)


@pytest.fixture(scope="module")
def free(world: World) -> Keyed:
    return register(world, "free")


def _judge_refused(keyed: Keyed, answer: Any, reason: str, *, code: str = "invalid_dpop_proof") -> None:
    judge_error(answer.headers, answer.content, status=400, code=code)
    assert keyed.reason(answer) == reason


def _judge_challenge(answer: Any, code: str) -> None:
    """RFC 9449 §7.1: 401 with a challenge of the scheme DPoP, its error and the algorithms that are taken."""
    assert (answer.status_code, answer.json()["error"]) == (401, code)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("DPoP ")
    assert f'error="{code}"' in challenge
    assert 'algs="' in challenge
    assert "ES256" in challenge


@numbered("P71", "RFC 9449 §5, §8")
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_proof_binds_the_tokens(world: World, free: Keyed, algorithm: str) -> None:
    free.key = ClientKey(algorithm)
    tokens = free.ask(free.prove()).json()
    assert tokens["token_type"] == "DPoP"
    answer = free.read(tokens["access_token"], free.prove(access_token=tokens["access_token"]))
    assert answer.status_code == 200
    assert answer.text == free.read(free.ask().json()["access_token"], scheme="Bearer").text
    assert free.ask().json()["token_type"] == "bearer"
    assert world.find_event(answer)["kind"].startswith("rows")


@numbered("P71", "RFC 9449 §5, §8")
def test_signed_token_tells_its_key(world: World) -> None:
    client = register(world, "told", PolicyChange(dpop_bound_tokens=True, access_token_format="jwt"))
    token = client.ask(client.prove()).json()["access_token"]
    assert decode(world, token).claims["cnf"] == {"jkt": client.key.thumbprint}


@numbered("P71", "RFC 9449 §5, §8")
def test_application_whose_tokens_must_be_bound_gets_no_other(bound: Keyed) -> None:
    _judge_refused(bound, bound.ask(), "proof_required")


@numbered("P71", "RFC 9449 §5, §8")
def test_binding_is_asked_for_within_a_second(world: World) -> None:
    client = register(world, "turned-to-proofs")
    before = client.ask().json()["access_token"]
    client.set(PolicyChange(dpop_bound_tokens=True))
    within_a_second(lambda: client.ask().status_code == 400)
    assert client.ask(client.prove()).json()["token_type"] == "DPoP"
    assert client.read(before, scheme="Bearer").status_code == 200


@numbered("P71", "RFC 9449 §5, §8")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"htm": "GET"}, "wrong_htm"),
        ({"htu": "https://elsewhere.example/api/v1/token"}, "wrong_htu"),
        ({"htu": "{rows}"}, "wrong_htu"),
        ({"htu": ...}, "malformed_proof"),
        ({"iat": 1_700_000_000}, "old_proof"),
        ({"iat": 4_000_000_000}, "future_proof"),
        ({"jti": ...}, "malformed_proof"),
        ({"jti": ""}, "bad_jti"),
        ({"header": {"typ": "JWT"}}, "wrong_typ"),
        ({"header": {"jwk": _OTHER.public}}, "bad_signature"),
        ({"header": {"jwk": _OTHER.private}}, "unusable_key"),
        ({"header": {"jwk": ...}}, "malformed_proof"),
        ({"header": {"crit": ["b64"], "b64": True}}, "critical_extension"),
    ],
    ids=_name,
)
def test_bad_proof(bound: Keyed, changed: dict[str, Any], reason: str) -> None:
    claims: dict[str, Any] = {name: bound.rows_url if value == "{rows}" else value for name, value in changed.items()}
    _judge_refused(bound, bound.ask(bound.prove(**claims)), reason)


@numbered("P71", "RFC 9449 §5, §8")
def test_proof_that_nobody_signed(bound: Keyed) -> None:
    claims = {"jti": "one", "htm": "POST", "htu": bound.token_url, "iat": int(bound.now)}
    for header in ({"alg": "none"}, {"alg": "HS256"}):
        proof = sign_by_hand({"typ": "dpop+jwt", "jwk": bound.key.public, **header}, claims, b"k" * 32)
        _judge_refused(bound, bound.ask(proof), "algorithm_not_accepted")
    _judge_refused(bound, bound.ask("abc"), "malformed_proof")
    _judge_refused(bound, bound.ask(bound.prove(), bound.prove()), "two_proofs")


@numbered("P71", "RFC 9449 §5, §8")
def test_replayed_proof(bound: Keyed) -> None:
    proof = bound.prove()
    assert bound.ask(proof).status_code == 200
    _judge_refused(bound, bound.ask(proof), "proof_replayed")


@numbered("P71", "RFC 9449 §5, §8")
def test_client_is_asked_before_its_proof(bound: Keyed) -> None:
    """PROTOCOL 5.0: who cannot say who it is learns nothing of its proof."""
    form = {"grant_type": "client_credentials", "client_id": bound.client_id, "client_secret": "wrong"}
    assert bound.post(form, "abc").json()["error"] == "invalid_client"
    assert bound.ask(bound.prove()).status_code == 200


@numbered("P84", "RFC 9449 §5")
def test_refresh_token_is_bound_to_the_key(bound: Keyed) -> None:
    tokens = bound.ask(bound.prove()).json()
    refused = bound.refresh(tokens["refresh_token"], bound.prove(key=_OTHER))
    _judge_refused(bound, refused, "other_key", code="invalid_grant")
    again = bound.refresh(tokens["refresh_token"], bound.prove()).json()
    assert again["token_type"] == "DPoP"
    assert bound.read(again["access_token"], bound.prove(access_token=again["access_token"])).status_code == 200


@numbered("P84", "RFC 9449 §5")
def test_bound_refresh_token_is_no_other_without_a_proof(free: Keyed) -> None:
    tokens = free.ask(free.prove()).json()
    _judge_refused(free, free.refresh(tokens["refresh_token"]), "other_key", code="invalid_grant")
    assert free.refresh(tokens["refresh_token"], free.prove()).status_code == 200


@numbered("P107", "RFC 9449 §7.1, §7.2")
def test_bound_token_is_no_bearer_token(bound: Keyed) -> None:
    token = bound.ask(bound.prove()).json()["access_token"]
    _judge_challenge(bound.read(token, scheme="Bearer"), "invalid_token")
    _judge_challenge(bound.read(token, bound.prove(access_token=token), scheme="Bearer"), "invalid_token")
    assert bound.read(token, bound.prove(access_token=token), scheme="dpop").status_code == 200


@numbered("P107", "RFC 9449 §7.1, §7.2")
def test_bearer_token_is_no_bound_token(free: Keyed) -> None:
    token = free.ask().json()["access_token"]
    _judge_challenge(free.read(token, free.prove(access_token=token)), "invalid_token")


@numbered("P107", "RFC 9449 §7.1, §7.2")
def test_stolen_token_is_worth_nothing(bound: Keyed) -> None:
    token = bound.ask(bound.prove()).json()["access_token"]
    _judge_challenge(bound.read(token, bound.prove(access_token=token, key=_OTHER)), "invalid_token")
    _judge_challenge(bound.read(token), "invalid_dpop_proof")


@numbered("P107", "RFC 9449 §7.1, §7.2")
@pytest.mark.parametrize(
    "changed",
    [
        {"ath": ...},
        {"ath": encode_base64url(b"x" * 32)},
        {"htm": "POST"},
        {"htu": "{token}"},
        {"htu": "{rows}/more"},
        {"iat": 1_700_000_000},
        {"header": {"jwk": _OTHER.public}},
    ],
    ids=_name,
)
def test_bad_proof_for_rows(bound: Keyed, changed: dict[str, Any]) -> None:
    token = bound.ask(bound.prove()).json()["access_token"]
    urls = {"token": bound.token_url, "rows": bound.rows_url}
    claims: dict[str, Any] = {
        name: value.format(**urls) if isinstance(value, str) else value for name, value in changed.items()
    }
    _judge_challenge(bound.read(token, bound.prove(access_token=token, **claims)), "invalid_dpop_proof")


@numbered("P107", "RFC 9449 §7.1, §7.2")
def test_replayed_proof_for_rows(bound: Keyed) -> None:
    token = bound.ask(bound.prove()).json()["access_token"]
    proof = bound.prove(access_token=token)
    assert bound.read(token, proof).status_code == 200
    _judge_challenge(bound.read(token, proof), "invalid_dpop_proof")
