"""The key set as caches and verifiers see it (PROTOCOL 115)."""

import http.client
import json
from contextlib import closing

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import KeySet

from rowgate.web.preconditions import is_same
from support.homes import administer
from support.servers import RunningServer, wait_until

JWKS = "/.well-known/jwks.json"


@pytest.fixture(scope="module")
def shown(server: RunningServer) -> httpx.Response:
    """The answer of a server that has a key of each algorithm."""
    before = httpx.get(server.url + JWKS)
    assert (before.status_code, before.json()) == (200, {"keys": []})
    assert before.headers["cache-control"] == "public, max-age=0"  # the first key signs at once
    with administer(server.settings) as desks:
        for algorithm in ("EdDSA", "ES256", "RS256"):
            desks.keys.rotate_signing(algorithm)
    answer = wait_until(lambda: got if len((got := httpx.get(server.url + JWKS)).json()["keys"]) == 3 else None)
    assert isinstance(answer, httpx.Response)
    return answer


@pytest.mark.number("P115", "RFC 7517 §5, §8.5")
def test_protocol_115_set_is_public_named_and_dated(server: RunningServer, shown: httpx.Response) -> None:
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "application/jwk-set+json"
    assert shown.headers["cache-control"] == f"public, max-age={server.settings.jwks_max_age_seconds}"
    members = shown.json()["keys"]
    assert len({member["kid"] for member in members}) == 3
    assert {member["alg"] for member in members} == {"EdDSA", "ES256", "RS256"}
    assert all(not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(member) for member in members)
    assert [key.is_private for key in KeySet.import_key_set(shown.json()).keys] == [False] * 3


def test_metadata_says_where_it_is(server: RunningServer) -> None:
    document = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert document["jwks_uri"] == document["issuer"] + JWKS


def test_metadata_names_the_algorithms_that_there_are_keys_for(server: RunningServer, shown: httpx.Response) -> None:
    """RFC 9701 §7: what an introspection answer can be signed with now, and nothing that is off."""
    document = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert document["introspection_signing_alg_values_supported"] == ["EdDSA", "ES256", "RS256"]
    assert {key["alg"] for key in shown.json()["keys"]} == {"EdDSA", "ES256", "RS256"}


@pytest.mark.number("P115", "RFC 7517 §5, §8.5")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_protocol_115_a_copy_that_is_current_is_not_sent_again(
    server: RunningServer, shown: httpx.Response, method: str
) -> None:
    etag = shown.headers["etag"]
    for presented in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = httpx.request(method, server.url + JWKS, headers={"If-None-Match": presented})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        assert answer.headers["cache-control"] == shown.headers["cache-control"]
        assert "content-length" not in answer.headers
    for presented in ('"other"', etag.strip('"'), ""):
        answer = httpx.request(method, server.url + JWKS, headers={"If-None-Match": presented})
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(len(shown.content))


def test_the_set_of_another_tag_is_not_sent_in_place_of_the_one_asked_for(
    server: RunningServer, shown: httpx.Response
) -> None:
    etag = shown.headers["etag"]
    for presented, status in ((etag, 200), ("*", 200), (f"W/{etag}", 412), ('"other"', 412)):
        answer = httpx.get(server.url + JWKS, headers={"If-Match": presented})
        assert answer.status_code == status, presented


def test_a_connection_goes_on_after_304(server: RunningServer, shown: httpx.Response) -> None:
    """No body, no chunk and no wrong length is left on the wire."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        for _ in range(3):
            connection.request("GET", JWKS, headers={"If-None-Match": shown.headers["etag"]})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (304, b"")
            connection.request("GET", JWKS)
            assert json.loads(connection.getresponse().read()) == shown.json()


def test_a_new_key_changes_the_etag(server: RunningServer, shown: httpx.Response) -> None:
    with administer(server.settings) as desks:
        desks.keys.rotate_signing("EdDSA", at_once=True)
    etag = {"If-None-Match": shown.headers["etag"]}
    changed = wait_until(
        lambda: answer if (answer := httpx.get(server.url + JWKS, headers=etag)).status_code == 200 else None
    )
    assert len(changed.json()["keys"]) == 4
    assert changed.headers["etag"] != shown.headers["etag"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(server: RunningServer, method: str) -> None:
    answer = httpx.request(method, server.url + JWKS)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@given(st.binary(max_size=60))
def test_any_header_is_answered(header: bytes) -> None:
    """What a client sends matches only when our tag stands in it."""
    assert not is_same(header, b'"tag"') or b'"tag"' in header or header.strip(b" \t").removeprefix(b"W/") == b"*"
