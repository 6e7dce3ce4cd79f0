"""A client renews its secret by itself: nothing is stranded, and a copy that is used shows."""

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from credentials.conftest import HOUR, OVERLAP, SECRET, Client
from rowgate import wiring
from rowgate.oauth.model import NEVER
from support.homes import add_application, administer
from support.servers import ask_until, wait_until


def test_a_renewal_gives_the_next_secret_and_lets_the_old_one_overlap(client: Client) -> None:
    now = int(client.server.clock())
    renewed = client.renew(client.first)
    assert renewed == {
        "client_id": client.client_id,
        "client_secret": renewed["client_secret"],
        "client_secret_expires_at": now + 72 * HOUR,
        "previous_client_secret_expires_at": now + OVERLAP,
        "key_id": renewed["client_secret"].split("_")[1],
    }
    assert len(renewed["client_secret"]) == len(client.first)
    token = client.fetch_token(client.first)
    client.fetch_token(renewed["client_secret"])
    client.server.clock.advance(OVERLAP - 1)
    assert client.ask_token(client.first).status_code == 200
    client.server.clock.advance(1)
    refused = client.ask_token(client.first)
    assert (refused.status_code, client.find_reason(refused)) == (401, "expired_secret")
    assert client.ask_token(renewed["client_secret"]).status_code == 200
    assert client.read(token) == 401  # by its own hour
    (event,) = client.server.events(kind="secret_renewed")
    assert (event["key_id"], event["new_key_id"]) == (client.made.secret.key_id, renewed["key_id"])


def test_a_secret_that_ends_sooner_than_the_overlap_keeps_its_end(client: Client) -> None:
    client.server.clock.advance(72 * HOUR - 60)
    renewed = client.renew(client.first)
    assert renewed["previous_client_secret_expires_at"] == client.made.secret.expires_at


def test_a_secret_that_never_ends_ends_with_the_overlap(client: Client) -> None:
    with administer(client.server.settings) as desks:
        endless = desks.applications.add_secret(client.client_id, secret_name="endless", expires_at=NEVER)
    ask_until(lambda: client.ask_token(endless.client_secret).status_code == 200)
    renewed = client.renew(endless.client_secret)
    assert renewed["previous_client_secret_expires_at"] == int(client.server.clock()) + OVERLAP


def test_a_lost_answer_is_given_again_unchanged(client: Client) -> None:
    """The retry gets the same successor, the same ends, and nothing more is kept."""
    lost = client.renew(client.first)
    client.server.clock.advance(OVERLAP - 1)
    assert client.renew(client.first) == lost
    assert len(client.load().secrets) == 2
    assert [event.get("repeated", False) for event in client.server.events(kind="secret_renewed")] == [False, True]
    client.fetch_token(lost["client_secret"])


def test_a_client_that_comes_back_long_after_its_answer_was_lost_is_not_stranded(client: Client) -> None:
    """R15: the overlap begins when the new secret is used, so there is always one that the client has."""
    lost = client.renew(client.first)
    client.server.clock.advance(60 * HOUR)
    assert client.ask_token(client.first).status_code == 200
    again = client.renew(client.first)
    assert again["client_secret"] == lost["client_secret"]
    assert again["previous_client_secret_expires_at"] == int(client.server.clock()) + OVERLAP
    client.fetch_token(again["client_secret"])
    client.server.clock.advance(OVERLAP)
    refused = client.ask_token(client.first)
    assert (refused.status_code, client.find_reason(refused)) == (401, "expired_secret")


def test_a_secret_that_was_renewed_and_not_replaced_keeps_its_own_end(client: Client) -> None:
    client.renew(client.first)
    client.server.clock.advance(72 * HOUR)
    assert client.find_reason(client.ask_token(client.first)) == "expired_secret"


def test_twenty_that_renew_at_once_get_the_same_secret(client: Client) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.renew(client.first), range(20)))
    assert answers == [answers[0]] * 20
    assert len(client.load().secrets) == 2
    with ThreadPoolExecutor(20) as pool:
        tokens = list(pool.map(lambda _: client.fetch_token(answers[0]["client_secret"]), range(20)))
    assert {client.read(token) for token in tokens} == {200}
    assert client.ask_token(client.first).status_code == 200


@pytest.mark.parametrize("use", ["token", "renewal"])
def test_a_copy_that_renews_after_the_successor_was_used_ends_the_line(client: Client, use: str) -> None:
    """R13: whoever is the thief, every secret of the line and every token of it is dead, and the rest is not."""
    with administer(client.server.settings) as desks:
        other = desks.applications.add_secret(client.client_id, secret_name="other line", expires_at=NEVER)
    ask_until(lambda: client.ask_token(other.client_secret).status_code == 200)
    second = client.renew(client.first)["client_secret"]
    tokens = [client.fetch_token(client.first)]
    kept = client.fetch_token(other.client_secret)
    last = second
    if use == "token":
        tokens.append(client.fetch_token(second))
    else:
        last = client.renew(second)["client_secret"]
    assert {client.read(token) for token in tokens} == {200}
    refused = client.post(SECRET, client.first)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"].startswith("Basic ")
    (event,) = client.server.events(kind="lineage_frozen")
    assert (event["key_id"], event["used_key_id"]) == (client.made.secret.key_id, second.split("_")[1])
    assert set(event["frozen"]) == {secret.split("_")[1] for secret in (client.first, second, last)}
    assert {client.read(token) for token in tokens} == {401}
    for secret in (client.first, second, last):
        again = client.ask_token(secret)
        assert (again.status_code, client.find_reason(again)) == (401, "revoked_secret")
    assert client.read(kept) == 200
    assert client.ask_token(other.client_secret).status_code == 200


def test_the_overlap_is_no_theft(client: Client) -> None:
    """Both secrets get tokens while they overlap, in any order; a use is written once."""
    renewed = client.renew(client.first)["client_secret"]
    for secret in (renewed, client.first, renewed, client.first):
        assert client.read(client.fetch_token(secret)) == 200
    assert client.server.events(kind="lineage_frozen") == []


def test_the_first_use_is_kept_and_later_ones_are_not(client: Client) -> None:
    renewed = client.renew(client.first)["client_secret"]
    began = int(client.server.clock())
    client.fetch_token(renewed)
    sequence = _count_changes(client)
    client.server.clock.advance(5)
    client.fetch_token(renewed)
    assert _count_changes(client) == sequence
    assert client.load().secrets[-1].used_at == began


def _count_changes(client: Client) -> int:
    with closing(wiring.open_reader(client.server.settings)) as reader:
        return reader.load_state().sequence


def test_an_introspection_is_a_use(client: Client) -> None:
    renewed = client.renew(client.first)["client_secret"]
    answer = client.post("/api/v1/introspect", renewed, {"token": "rgat_none"})
    assert answer.status_code == 200
    assert client.post(SECRET, client.first).status_code == 401
    assert len(client.server.events(kind="lineage_frozen")) == 1


def test_a_line_goes_on_from_secret_to_secret(client: Client) -> None:
    secret = client.first
    for _ in range(4):
        client.server.clock.advance(60 * HOUR)
        secret = client.renew(secret)["client_secret"]
        assert client.read(client.fetch_token(secret)) == 200
    assert {kept.lineage_began_at for kept in client.load().secrets if kept.parent} == {client.made.secret.created_at}


def test_a_long_line_does_not_grow_in_the_state(client: Client) -> None:
    """What is dead together with all that it issued is forgotten."""
    secret = client.first
    for _ in range(12):
        client.server.clock.advance(71 * HOUR)
        secret = client.renew(secret)["client_secret"]
    assert len(client.load().secrets) <= 6


def test_who_renews_with_every_token_must_wait(client: Client) -> None:
    secret = client.first
    for _ in range(10):
        secret = client.renew(secret)["client_secret"]
    refused = client.post(SECRET, secret)
    assert (refused.status_code, client.find_reason(refused)) == (429, "renews_too_often")
    client.server.clock.advance(int(refused.headers["retry-after"]))
    client.renew(secret)


def test_a_client_that_sends_its_secret_in_the_body_renews_too(client: Client) -> None:
    form = {"client_id": client.client_id, "client_secret": client.first}
    for answer in (
        httpx.post(client.server.url + SECRET, data=form),
        httpx.post(client.server.url + SECRET, json=form),
    ):
        assert answer.status_code == 200, answer.text


def test_what_proves_no_secret_is_refused(client: Client) -> None:
    """401 with a challenge; a token is no proof (and is not used up)."""
    url, token = client.server.url + SECRET, client.fetch_token(client.first)
    wrong = base64.b64encode(f"{client.client_id}:rgcs_wrong_x".encode()).decode()
    for headers, reason in (
        ({}, "no_credentials"),
        ({"Authorization": f"Bearer {token}"}, "unsupported_scheme"),
        ({"Authorization": f"Basic {wrong}"}, "wrong_secret"),
    ):
        answer = httpx.post(url, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert client.find_reason(answer) == reason
    assert {event["endpoint"] for event in client.server.events(kind="token_refused")} == {"secret"}


def test_what_cannot_be_read_is_refused(client: Client) -> None:
    url = client.server.url + SECRET
    answers = [
        client.post(SECRET, client.first, content=b"x", headers={"Content-Type": "text/plain"}),
        client.post(SECRET, client.first, {"client_secret": client.first, "client_id": client.client_id}),
        httpx.post(f"{url}?client_secret={client.first}"),
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(400, "invalid_request")] * 3
    assert client.first not in "".join(answer.text for answer in answers)
    for method in ("GET", "PUT", "DELETE"):
        answer = httpx.request(method, url)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert len(client.load().secrets) == 1


def test_no_value_of_a_secret_is_kept(client: Client) -> None:
    """R10: neither in the state nor on record."""
    renewed = client.renew(client.first)["client_secret"]
    client.renew(client.first)
    home = client.server.settings.home
    content = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert renewed.split("_")[1].encode() in content
    assert renewed.encode()[14:] not in content


def test_another_applications_secret_renews_nothing_of_this_one(client: Client) -> None:
    other = add_application(client.server.settings, "other")
    ask_until(lambda: Client(client.server, other).ask_token(other.client_secret).status_code == 200)
    assert client.post(SECRET, other.client_secret).status_code == 401
    assert len(client.load().secrets) == 1


def test_a_successor_that_an_administrator_revoked_is_replaced(client: Client) -> None:
    revoked = client.renew(client.first)
    with administer(client.server.settings) as desks:
        desks.applications.revoke_secret(client.client_id, revoked["key_id"], kills_tokens=False)
    wait_until(lambda: client.ask_token(revoked["client_secret"]).status_code == 401)
    fresh = client.renew(client.first)["client_secret"]
    assert fresh != revoked["client_secret"]
    client.fetch_token(fresh)


def test_a_leaked_secret_ends_with_all_that_was_renewed_from_it(client: Client) -> None:
    """R12: who found it may have renewed it, and would stay by what he got; the secret before it is not his."""
    second = client.renew(client.first)["client_secret"]
    third = client.renew(second)["client_secret"]
    tokens = [client.fetch_token(value) for value in (client.first, second, third)]
    with administer(client.server.settings) as desks:
        ended = desks.applications.revoke_secret(client.client_id, second.split("_")[1], kills_tokens=True)
    assert [secret.key_id for secret in ended] == [second.split("_")[1], third.split("_")[1]]
    ask_until(lambda: client.ask_token(third).status_code == 401)
    assert [client.read(token) for token in tokens] == [200, 401, 401]
    assert client.ask_token(client.first).status_code == 200
    assert client.post(SECRET, third).status_code == 401
    event = client.server.events(kind="administrative_change")[-1]
    assert event["details"]["renewed_from_it"] == [third.split("_")[1]]


def test_an_ordinary_end_of_a_secret_leaves_those_renewed_from_it(client: Client) -> None:
    second = client.renew(client.first)["client_secret"]
    with administer(client.server.settings) as desks:
        ended = desks.applications.revoke_secret(client.client_id, client.first.split("_")[1], kills_tokens=False)
    assert len(ended) == 1
    ask_until(lambda: client.ask_token(client.first).status_code == 401)
    assert client.ask_token(second).status_code == 200
