"""What counts once counts once for all replicas, however many ask at the same moment."""

import time
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx
import pytest

from replicas.conftest import ISSUER, OBJECT, TOKEN, Replicas
from rowgate.oauth.workload_rules import ClaimRule
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ASSERTION_TYPE, ClientKey
from support.homes import add_without_secret, administer
from support.replicas import PUBLIC_URL

pytestmark = pytest.mark.slow
TOO_MANY = (429, "slow_down")  # what who is refused often is told before anything is looked at


def count_good(answers: Sequence[httpx.Response], refusal: tuple[int, str]) -> int:
    """Tell how many are successes; all others are that refusal, and most were not only told to slow down."""
    others = [(answer.status_code, answer.json()["error"]) for answer in answers if answer.status_code // 100 != 2]
    assert set(others) <= {refusal, TOO_MANY}
    assert others.count(refusal) > others.count(TOO_MANY)
    return len(answers) - len(others)


@pytest.mark.parametrize("name", ["keyed", "keyed too"])
def test_an_assertion_is_taken_once(replicas: Replicas, name: str) -> None:
    key = ClientKey()
    client_id = add_without_secret(
        replicas.settings, name, (OBJECT,), jwks=key.jwks, authentication_methods=("private_key_jwt",)
    )

    def send(url: str, assertion: dict[str, str]) -> httpx.Response:
        return httpx.post(url + TOKEN, data={"grant_type": "client_credentials", **assertion}, timeout=30)

    replicas.catch_up()
    assertion = key.assert_client(client_id, PUBLIC_URL, time.time())
    answers = replicas.at_once(lambda url: send(url, assertion))
    assert count_good(answers, (401, "invalid_client")) == 1


@pytest.mark.parametrize("kind", ["grant", "client assertion"])
def test_a_token_of_a_platform_is_taken_once(replicas: Replicas, kind: str) -> None:
    """Where the issuer is set to `single_use`."""
    name = f"job {kind}"
    client_id, _ = replicas.add(name)
    with administer(replicas.settings) as desks:
        desks.workloads.add(name, "platform", [ClaimRule(("sub",), (name,))])

    def make() -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": name, "aud": PUBLIC_URL, "iat": now, "exp": now + 300, "jti": uuid.uuid4().hex}
        token = replicas.platform.sign(claims)
        if kind == "grant":
            return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token}
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": token,
            "client_id": client_id,
        }

    replicas.catch_up()
    answers = replicas.at_once(partial(_post_to_token, data=make()))
    assert count_good(answers, (400, "invalid_grant") if kind == "grant" else (401, "invalid_client")) == 1


def test_a_proof_of_possession_is_taken_once(replicas: Replicas) -> None:
    basic, key = replicas.add("proving"), ClientKey()
    form = {"grant_type": "client_credentials"}
    for _ in range(3):
        proof = {"DPoP": key.prove("POST", PUBLIC_URL + TOKEN, time.time())}
        answers = replicas.at_once(partial(_post_to_token, auth=basic, data=form, headers=proof))
        assert count_good(answers, (400, "invalid_dpop_proof")) == 1


def _post_to_token(url: str, **request: Any) -> httpx.Response:
    return httpx.post(url + TOKEN, timeout=30, **request)


def test_a_one_time_code_gives_one_secret(replicas: Replicas) -> None:
    replicas.add("enrolled")
    with administer(replicas.settings) as desks:
        code = desks.secrets.enrol("enrolled", lifetime_seconds=3600).code
    answers = replicas.at_once(lambda url: httpx.post(f"{url}/api/v1/enrol", json={"code": code}, timeout=30))
    assert count_good(answers, (400, "invalid_grant")) == 1


def test_an_initial_access_token_registers_one_client(replicas: Replicas) -> None:
    with administer(replicas.settings) as desks:
        made = desks.registrations.add_token((OBJECT,), scope="read", lifetime_seconds=3600)
    bearer = {"Authorization": f"Bearer {made.initial_access_token}"}
    answers = replicas.at_once(
        lambda url: httpx.post(f"{url}/api/v1/register", json={"client_name": "self"}, headers=bearer, timeout=30)
    )
    assert count_good(answers, (401, "invalid_token")) == 1


def test_all_that_renew_at_once_get_the_same_secret(replicas: Replicas) -> None:
    basic = replicas.add("renewing")
    answers = replicas.at_once(lambda url: httpx.post(f"{url}/api/v1/secret", auth=basic, timeout=30))
    assert {answer.status_code for answer in answers} == {200}
    (second,) = {answer.json()["client_secret"] for answer in answers}
    renewed = (basic[0], second)
    replicas.wait_for(lambda url: replicas.ask(url, renewed).status_code == 200, seconds=1.0)


def test_a_copy_of_a_renewed_secret_ends_the_line_at_both(replicas: Replicas) -> None:
    """The successor is used at one, the copy renews at the other: both are dead everywhere."""
    first, second = replicas.urls
    basic = replicas.add("copied")
    renewed = (basic[0], httpx.post(f"{first}/api/v1/secret", auth=basic, timeout=30).json()["client_secret"])
    token = replicas.ask(first, renewed).json()["access_token"]
    assert httpx.post(f"{second}/api/v1/secret", auth=basic, timeout=30).status_code == 401
    replicas.wait_for(lambda url: replicas.ask(url, renewed).status_code == 401, seconds=1.0)
    replicas.wait_for(lambda url: replicas.read(url, token) == 401, seconds=1.0)


def test_a_refresh_token_has_one_successor(replicas: Replicas) -> None:
    basic = replicas.add("rotating")
    with administer(replicas.settings) as desks:
        desks.policies.set("rotating", PolicyChange(rotate_refresh_tokens=True))
    replicas.catch_up()
    token = str(replicas.ask(replicas.urls[0], basic).json()["refresh_token"])
    answers = replicas.at_once(lambda url: _refresh(url, basic, token))
    (successor,) = set(answers)
    assert successor != token
    # a grandparent is reuse, whoever asks: the family is dead at both
    third = _refresh(replicas.urls[1], basic, successor)
    assert third not in (token, successor)
    answer = httpx.post(replicas.urls[0] + TOKEN, auth=basic, data=_form(token), timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    answer = httpx.post(replicas.urls[1] + TOKEN, auth=basic, data=_form(third), timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def _form(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def _refresh(url: str, basic: tuple[str, str], token: str) -> str:
    answer = httpx.post(url + TOKEN, auth=basic, data=_form(token), timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])
