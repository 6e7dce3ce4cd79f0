"""A server whose setting asks for nonces in DPoP proofs (P71)."""

from typing import Any

import pytest

from protocol.case import numbered
from protocol.judge import judge_error
from protocol.keyed import Keyed
from protocol.world import GRANTED, World
from rowgate.oauth.dpop_nonce import MAX_SKEW_SECONDS, NONCE_LIFETIME_SECONDS
from support.homes import add_application
from support.servers import ask_until

SETTINGS = {"dpop_nonce_required": True}


@pytest.fixture(scope="module")
def keyed(world: World) -> Keyed:
    made = add_application(world.server.settings, "with-nonces", (GRANTED,))
    client = Keyed(world, "with-nonces", made.application.client_id, made.client_secret)
    ask_until(lambda: client.world.post_token(basic=f"{client.client_id}:{client.client_secret}").status_code == 200)
    return client


def _get_nonce(keyed: Keyed, **claims: Any) -> str:
    answer = keyed.ask(keyed.prove(**claims))
    judge_error(answer.headers, answer.content, status=400, code="use_dpop_nonce")
    return str(answer.headers["dpop-nonce"])


@numbered("P71", "RFC 9449 §5, §8")
def test_answer_brings_the_nonce_that_is_wanted(keyed: Keyed) -> None:
    tokens = keyed.ask(keyed.prove(nonce=_get_nonce(keyed)))
    assert tokens.status_code == 200
    token = tokens.json()["access_token"]
    refused = keyed.read(token, keyed.prove(access_token=token))
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith('DPoP realm="rowgate", error="use_dpop_nonce"')
    proof = keyed.prove(access_token=token, nonce=refused.headers["dpop-nonce"])
    assert keyed.read(token, proof).status_code == 200


@numbered("P71", "RFC 9449 §5, §8")
def test_good_answer_brings_the_next_nonce_when_half_of_its_life_is_over(keyed: Keyed) -> None:
    """RFC 9449 §8.2: so a client that takes it is never refused for an old one."""
    nonce = _get_nonce(keyed)
    young = keyed.ask(keyed.prove(nonce=nonce))
    assert young.status_code == 200
    assert "dpop-nonce" not in young.headers
    token = young.json()["access_token"]
    keyed.world.server.clock.advance(NONCE_LIFETIME_SECONDS * 0.6)
    older = keyed.ask(keyed.prove(nonce=nonce))
    read = keyed.read(token, keyed.prove(access_token=token, nonce=nonce))
    assert (older.status_code, read.status_code) == (200, 200)
    keyed.world.server.clock.advance(NONCE_LIFETIME_SECONDS * 0.6)
    assert _get_nonce(keyed, nonce=nonce)
    for fresh in (older.headers["dpop-nonce"], read.headers["dpop-nonce"]):
        assert keyed.ask(keyed.prove(nonce=fresh)).status_code == 200


@numbered("P71", "RFC 9449 §5, §8")
def test_nonce_that_is_none_of_ours_or_old(keyed: Keyed) -> None:
    for made_up in ("abc", "A" * 43, ""):
        assert _get_nonce(keyed, nonce=made_up)
    nonce = _get_nonce(keyed)
    keyed.world.server.clock.advance(NONCE_LIFETIME_SECONDS + MAX_SKEW_SECONDS + 1)
    assert _get_nonce(keyed, nonce=nonce) != nonce


@numbered("P71", "RFC 9449 §5, §8")
def test_request_without_a_proof_needs_no_nonce(keyed: Keyed) -> None:
    assert keyed.ask().json()["token_type"] == "bearer"
