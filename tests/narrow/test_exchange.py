"""Token exchange: who may have what of whose token, and what ends it (RFC 8693)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from narrow.conftest import (
    ACCOUNTS,
    DISKS,
    TOKEN,
    USERS,
    Client,
    Register,
    detail,
    echoed,
    exchanging,
    success,
)
from rowgate.oauth.token_exchange import ACCESS_TOKEN_TYPE, MAX_EXCHANGES, TOKEN_EXCHANGE
from rowgate.service.admin.policies import PolicyChange, TermsChange
from support.client_keys import ClientKey
from support.homes import add_application, administer, make_home
from support.servers import run_server, wait_until

_BAD = "invalid_request"


@pytest.fixture(scope="module")
def helper(register: Register, client: Client) -> Client:
    """Another application, with nothing of its own to read here, that may exchange the first one's tokens."""
    return register((DISKS,), policy=exchanging(exchanges_tokens_of=(client.name,)))


def test_answer_has_the_members_of_the_standard(client: Client) -> None:
    """RFC 8693 §2.2.1."""
    subject = client.get()["access_token"]
    answer = client.exchange(subject, detail(ACCOUNTS, "Owner"), requested_token_type=ACCESS_TOKEN_TYPE)
    told = success(answer)
    assert told["issued_token_type"] == ACCESS_TOKEN_TYPE
    assert (told["token_type"], told["scope"]) == ("bearer", "read")
    assert 0 < told["expires_in"] <= 3600
    assert told["authorization_details"] == [echoed(ACCOUNTS, "Owner")]
    assert "refresh_token" not in told
    assert told["access_token"] != subject
    assert set(client.read(told["access_token"]).json()[0]) == {"Owner"}
    assert client.read(told["access_token"], USERS).status_code == 401
    assert client.read(subject, USERS).status_code == 200


def test_exchange_is_on_record_with_both_tokens(client: Client) -> None:
    subject = client.get(detail(ACCOUNTS))
    answer = client.exchange(subject["access_token"])
    event = client.find_event(answer)
    told = client.introspect(success(answer)["access_token"])
    assert (event["grant_type"], event["client_id"]) == (TOKEN_EXCHANGE, client.client_id)
    assert event["subject_client_id"] == client.client_id
    assert event["subject_token_id"] == client.introspect(subject["access_token"])["jti"]
    assert (event["token_id"], event["authorization_details"]) == (told["jti"], [echoed(ACCOUNTS)])
    assert "actors" not in event
    assert "act" not in told


def test_it_is_off_unless_an_administrator_says_so(register: Register) -> None:
    client = register()
    subject = client.get()["access_token"]
    client.judge_refused(client.exchange(subject), "unauthorized_client", "exchange_not_allowed")
    client.set(PolicyChange(token_exchange=True))
    wait_until(lambda: client.exchange(subject).status_code == 200)
    client.set(PolicyChange(token_exchange=False))
    wait_until(lambda: client.exchange(subject).status_code == 400)


def test_112_metadata_names_the_grant_while_it_is_on(sample_database: Path, tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", sample_database)
    made = add_application(settings, "report", (ACCOUNTS,))
    with run_server(settings) as server, httpx.Client(base_url=server.url) as http:
        client = Client(server, http, made)

        def offers() -> bool:
            document = http.get("/.well-known/oauth-authorization-server").json()
            return TOKEN_EXCHANGE in document["grant_types_supported"]

        assert not offers()
        client.set(exchanging())
        wait_until(offers)
        with administer(settings) as desks:
            desks.applications.set_enabled(client.name, enabled=False)
        wait_until(lambda: not offers())


def _revoke_family(client: Client, tokens: dict[str, Any]) -> None:
    client.revoke(tokens["refresh_token"])


def _revoke_subject(client: Client, tokens: dict[str, Any]) -> None:
    client.revoke(tokens["access_token"])


def _revoke_all(client: Client, _tokens: dict[str, Any]) -> None:
    with administer(client.server.settings) as desks:
        desks.applications.revoke_tokens(client.name)


def _revoke_secret(client: Client, _tokens: dict[str, Any]) -> None:
    with administer(client.server.settings) as desks:
        desks.applications.revoke_secret(client.name, client.made.secret.key_id, kills_tokens=True)


@pytest.mark.parametrize("end", [_revoke_family, _revoke_subject, _revoke_all, _revoke_secret])
@pytest.mark.parametrize("token_format", ["sealed", "jwt"])
def test_whatever_ends_the_subject_token_ends_what_was_made_of_it(
    register: Register, token_format: str, end: Callable[[Client, dict[str, Any]], None]
) -> None:
    client = register(policy=exchanging(access_token_format=token_format))
    tokens, others = client.get(), client.get()
    first = success(client.exchange(tokens["access_token"]))["access_token"]
    second = success(client.exchange(first))["access_token"]
    other = success(client.exchange(others["access_token"]))["access_token"]
    assert [client.read(token).status_code for token in (first, second)] == [200, 200]
    end(client, tokens)
    wait_until(lambda: [client.read(token).status_code for token in (first, second)] == [401, 401])
    if end in (_revoke_family, _revoke_subject):
        assert client.read(other).status_code == 200
        assert client.introspect(second) == {"active": False}
        client.judge_refused(client.exchange(first), _BAD, "bad_subject_token")


def test_revoking_what_came_out_leaves_the_subject(client: Client) -> None:
    subject = client.get()["access_token"]
    made = success(client.exchange(subject))["access_token"]
    client.revoke(made)
    assert [client.read(token).status_code for token in (made, subject)] == [401, 200]


def test_it_never_outlives_the_subject_and_may_be_made_shorter(register: Register) -> None:
    client = register(policy=exchanging())
    client.server.clock.freeze()
    subject = client.get()["access_token"]
    client.server.clock.advance(3000)
    made = success(client.exchange(subject))
    assert made["expires_in"] == 600
    client.set(PolicyChange(exchanged_token_seconds=60))
    wait_until(lambda: success(client.exchange(subject))["expires_in"] == 60)
    client.set(PolicyChange(exchanged_token_seconds=0), TermsChange(access_lifetime_seconds=300))
    wait_until(lambda: success(client.exchange(subject))["expires_in"] == 300)
    client.server.clock.advance(599)
    assert client.read(made["access_token"]).status_code == 200
    client.server.clock.advance(1)
    assert client.read(made["access_token"]).status_code == 401
    client.judge_refused(client.exchange(subject), _BAD, "bad_subject_token")


@pytest.mark.parametrize("kind", ["nonsense", "refresh", "cut", "of another server"])
def test_subject_token_that_is_none_is_an_invalid_request(client: Client, kind: str) -> None:
    """RFC 8693 §2.2.2; what is wrong with it is not told."""
    tokens = client.get()
    presented = {
        "nonsense": "x",
        "refresh": tokens["refresh_token"],
        "cut": tokens["access_token"][:-1],
        "of another server": "rgat_" + "A" * 120,
    }[kind]
    refused = client.exchange(presented)
    client.judge_refused(refused, _BAD, "bad_subject_token")
    assert refused.json()["error_description"] == "The subject token is not valid."


@pytest.mark.parametrize(
    ("changed", "code", "reason"),
    [
        ({"subject_token": ""}, _BAD, "no_subject_token"),
        ({"subject_token_type": ""}, _BAD, "no_subject_token_type"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, _BAD, "subject_token_type"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, _BAD, "requested_token_type"),
        ({"actor_token": "x", "actor_token_type": ACCESS_TOKEN_TYPE}, _BAD, "actor_token"),
        ({"subject_token": ["a", "b"]}, _BAD, "duplicate_parameter"),
        ({"scope": "read run"}, "invalid_scope", "scope_not_allowed"),
        ({"scope": "run"}, "invalid_scope", "scope_not_allowed"),
        ({"resource": "https://elsewhere.test"}, "invalid_target", "unknown_resource"),
        ({"audience": "elsewhere"}, "invalid_target", "resource_not_absolute"),
        ({"audience": ["{url}", "https://elsewhere.test"]}, "invalid_target", "unknown_resource"),
        ({"authorization_details": "x"}, "invalid_authorization_details", "malformed_details"),
        (
            {"authorization_details": json.dumps([detail("SA_Activity_Events")])},
            "invalid_authorization_details",
            "object_not_granted",
        ),
    ],
)
def test_other_requests_are_refused(client: Client, changed: dict[str, Any], code: str, reason: str) -> None:
    filled = {
        name: [text.format(url=client.server.url) for text in value] if isinstance(value, list) else value
        for name, value in changed.items()
    }
    form = {"subject_token": client.get()["access_token"], **filled}
    client.judge_refused(client.exchange(**form), code, reason)


@pytest.mark.number("P23", "RFC 8707 §2")
def test_23_resource_and_audience_may_be_repeated(client: Client) -> None:
    url = client.server.url
    made = success(client.exchange(client.get()["access_token"], resource=[url, url], audience=[url, url]))
    assert client.introspect(made["access_token"])["aud"] == url


def test_25_subject_token_in_the_url_is_refused(client: Client) -> None:
    subject = client.get()["access_token"]
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": ACCESS_TOKEN_TYPE}
    refused = client.post(f"{TOKEN}?subject_token={subject}", form)
    assert (refused.status_code, refused.json()["error"]) == (400, _BAD)


def test_exchanges_of_what_was_exchanged_have_a_bound(client: Client) -> None:
    token = client.get()["access_token"]
    for _ in range(MAX_EXCHANGES):
        token = success(client.exchange(token))["access_token"]
    client.judge_refused(client.exchange(token), _BAD, "too_many_exchanges")


def test_another_applications_token_needs_a_rule(client: Client, register: Register) -> None:
    stranger = register(policy=exchanging())
    subject = client.get()["access_token"]
    stranger.judge_refused(stranger.exchange(subject), _BAD, "another_applications_token")
    stranger.set(PolicyChange(exchanges_tokens_of=(client.client_id,)))
    wait_until(lambda: stranger.exchange(subject).status_code == 200)
    stranger.set(PolicyChange(exchanges_tokens_of=()))
    wait_until(lambda: stranger.exchange(subject).status_code == 400)


def test_actor_is_named_everywhere(client: Client, helper: Client, register: Register) -> None:
    """The token stays the subject's; RFC 8693 §4.1, §4.3: who acts is in `act`, and is the client that asked."""
    subject = client.get(detail(ACCOUNTS), detail(USERS))["access_token"]
    answer = helper.exchange(subject, detail(ACCOUNTS, "Owner"))
    made = success(answer)["access_token"]
    event = helper.find_event(answer)
    assert (event["client_id"], event["application"]) == (helper.client_id, helper.name)
    assert (event["subject_client_id"], event["actors"]) == (client.client_id, [helper.client_id])
    rows = client.read(made)
    assert len(rows.json()) == 24
    opened = client.find_event(rows)
    assert (opened["client_id"], opened["actors"]) == (client.client_id, [helper.client_id])
    for asking in (client, helper):
        told = asking.introspect(made)
        assert (told["sub"], told["client_id"]) == (client.client_id, helper.client_id)
        assert told["act"] == {"sub": helper.client_id}
    assert register().introspect(made) == {"active": False}
    assert helper.introspect(subject) == {"active": False}
    assert client.read(made, DISKS).status_code == 401  # the helper's own grants add nothing


def test_chain_of_actors_is_told_newest_first(client: Client, helper: Client, register: Register) -> None:
    third = register(policy=exchanging(exchanges_tokens_of=(client.name,)))
    made = success(helper.exchange(client.get()["access_token"]))["access_token"]
    again = success(third.exchange(made))["access_token"]
    assert third.introspect(again)["act"] == {"sub": third.client_id, "act": {"sub": helper.client_id}}
    own = success(client.exchange(again))["access_token"]
    assert client.introspect(own)["act"] == {"sub": third.client_id, "act": {"sub": helper.client_id}}


@pytest.mark.parametrize("who", ["subject", "actor"])
def test_subject_and_actor_may_revoke_it(client: Client, helper: Client, register: Register, who: str) -> None:
    made = success(helper.exchange(client.get()["access_token"]))["access_token"]
    register().revoke(made)
    assert client.read(made).status_code == 200
    (client if who == "subject" else helper).revoke(made)
    assert client.read(made).status_code == 401


def test_scope_is_what_both_have(register: Register) -> None:
    client = register(scope="read run", policy=exchanging())
    helper = register((DISKS,), policy=exchanging(exchanges_tokens_of=(client.name,)))
    runner = register((DISKS,), scope="more", policy=exchanging(exchanges_tokens_of=(client.name,)))
    subject = client.get()["access_token"]
    assert success(client.exchange(subject))["scope"] == "read run"
    assert success(helper.exchange(subject))["scope"] == "read"
    helper.judge_refused(helper.exchange(subject, scope="run"), "invalid_scope", "scope_not_allowed")
    runner.judge_refused(runner.exchange(subject), "invalid_scope", "no_common_scope")


def test_bound_token_is_exchanged_with_its_key_only(client: Client) -> None:
    """RFC 9449: the new token is bound to the same key."""
    key, other = ClientKey(), ClientKey(key_id="other")
    subject = client.get(proofs=(client.prove(key),))["access_token"]
    client.judge_refused(client.exchange(subject), _BAD, "other_key")
    client.judge_refused(client.exchange(subject, proofs=(client.prove(other),)), _BAD, "other_key")
    made = success(client.exchange(subject, detail(ACCOUNTS), proofs=(client.prove(key),)))
    assert made["token_type"] == "DPoP"
    token = made["access_token"]
    path = f"/api/v1/data/{ACCOUNTS}/rows"
    assert client.read(token, proof=client.prove(key, path=path, access_token=token)).status_code == 200
    assert client.read(token).status_code == 401
    assert client.introspect(token)["cnf"] == {"jkt": key.thumbprint}


def test_token_that_is_not_bound_may_become_bound(client: Client) -> None:
    key = ClientKey()
    made = success(client.exchange(client.get()["access_token"], proofs=(client.prove(key),)))
    assert (made["token_type"], client.read(made["access_token"]).status_code) == ("DPoP", 401)


def test_application_whose_tokens_must_be_bound_gives_no_other(register: Register) -> None:
    """By its own policy as by the subject's, for a token that is older than that."""
    subject = register(policy=exchanging())
    helper = register((DISKS,), policy=exchanging(exchanges_tokens_of=(subject.name,)))
    token = subject.get()["access_token"]
    subject.set(PolicyChange(dpop_bound_tokens=True))
    wait_until(lambda: subject.exchange(token).status_code == 400)
    for one in (subject, helper):
        one.judge_refused(one.exchange(token), "invalid_dpop_proof", "proof_required")
    assert success(helper.exchange(token, proofs=(helper.prove(ClientKey()),)))["token_type"] == "DPoP"


def test_no_token_is_on_record(client: Client) -> None:
    tokens = client.get()
    made = success(client.exchange(tokens["access_token"], detail(ACCOUNTS)))["access_token"]
    client.exchange(tokens["refresh_token"])
    client.post(f"{TOKEN}?subject_token={made}", {})
    files = [path for path in client.server.settings.audit_path.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    assert client.client_id.encode() in written
    for token in (made, tokens["access_token"], tokens["refresh_token"]):
        assert token[5:40].encode() not in written


def test_quota_counts_exchanges_of_who_asks(register: Register) -> None:
    """PROTOCOL 119: the helper's quota, not the subject's."""
    client = register(policy=exchanging())
    helper = register((DISKS,), policy=exchanging(exchanges_tokens_of=(client.name,), tokens_per_minute=1))
    client.server.clock.freeze()
    client.server.clock.advance(120)
    subject = client.get()["access_token"]
    assert [helper.exchange(subject).status_code for _ in range(2)] == [200, 429]
    assert client.exchange(subject).status_code == 200
