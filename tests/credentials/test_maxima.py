"""The server's maxima, on a real server: no road gives a longer life; a lower one holds for what was made before."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.conftest import ENROL, Client
from rowgate.config import Settings
from rowgate.oauth.model import NEVER
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.desk import AdminError
from rowgate.service.admin.enrolments import SecretPolicyChange
from rowgate.service.admin.policies import PolicyChange, TermsChange
from support.client_keys import ClientKey
from support.clock import MovableClock
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, run_server, within_a_second

ACCESS, REFRESH, SECRET = 600, 7200, 36_000
LOW: dict[str, Any] = {
    "max_access_token_seconds": ACCESS,
    "max_refresh_token_seconds": REFRESH,
    "max_secret_seconds": SECRET,
}
NONE: dict[str, Any] = dict.fromkeys(LOW, 0)
DAY = 86_400
NOW = 1_800_000_000
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"
OBJECTS = ("SA_ServiceAccounts",)


@pytest.fixture
def unlimited(tmp_path: Path, sample_database: Path) -> Settings:
    """A home that has no maximum yet."""
    return make_home(tmp_path / "home", sample_database, client_registration=True, **NONE)


class Restarts:
    """Serves one home again and again with other settings, on one clock."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.clock = MovableClock()
        self.clock.freeze()

    def __call__(self, settings: Settings, **changed: Any) -> RunningServer:
        self._stack.close()
        return self._stack.enter_context(run_server(dataclasses.replace(settings, **changed), self.clock))


@pytest.fixture
def restart() -> Iterator[Restarts]:
    with ExitStack() as stack:
        yield Restarts(stack)


def add_long(settings: Settings, clock: MovableClock, **policy: Any) -> NewCredentials:
    """Register an application whose lives are all longer than the maxima that come later."""
    made = add_application(
        settings,
        "long",
        OBJECTS,
        clock=clock,
        secret_expires_at=NEVER,
        access_lifetime_seconds=DAY,
        refresh_lifetime_seconds=30 * DAY,
        policy=PolicyChange(token_exchange=True, **policy),
    )
    with administer(settings, clock) as desks:
        desks.secrets.set_policy("long", SecretPolicyChange(renewed_secret_seconds=0))
    return made


def ask(client: Client, **form: str) -> dict[str, Any]:
    answer = client.post("/api/v1/token", client.first, {"grant_type": "client_credentials", **form})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def introspect(client: Client, token: str) -> dict[str, Any]:
    return dict(client.post("/api/v1/introspect", client.first, {"token": token}).json())


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"rotate_refresh_tokens": True},
        {"access_token_format": "jwt", "access_token_algorithm": "ES256"},
    ],
    ids=["sealed", "rotated", "signed"],
)
def test_no_grant_gives_a_longer_life(unlimited: Settings, restart: Restarts, policy: dict[str, Any]) -> None:
    """Client credentials, refresh, exchange; and what the answer says is what counts."""
    made = add_long(unlimited, restart.clock, **policy)
    client = Client(restart(unlimited, **LOW), made)
    now = int(restart.clock())
    first = ask(client)
    refreshed = ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    exchanged = ask(client, grant_type=EXCHANGE, subject_token=first["access_token"], subject_token_type=ACCESS_TYPE)
    assert [answer["expires_in"] for answer in (first, refreshed, exchanged)] == [ACCESS] * 3
    for answer in (first, refreshed, exchanged):
        assert introspect(client, answer["access_token"])["exp"] == now + ACCESS
    newest = refreshed.get("refresh_token", first["refresh_token"])
    assert introspect(client, newest)["exp"] == now + REFRESH
    restart.clock.advance(ACCESS - 1)
    assert client.read(first["access_token"]) == 200
    restart.clock.advance(1)
    assert client.read(first["access_token"]) == 401
    restart.clock.advance(REFRESH - ACCESS)
    late = client.post("/api/v1/token", client.first, {"grant_type": "refresh_token", "refresh_token": newest})
    assert (late.status_code, late.json()["error"], client.find_reason(late)) == (400, "invalid_grant", "expired_token")


def test_no_road_gives_a_secret_a_longer_life(unlimited: Settings, restart: Restarts) -> None:
    """Renewal, enrolment, registration, its update, a command without a length."""
    made = add_long(unlimited, restart.clock)
    with administer(unlimited, restart.clock) as desks:
        code = desks.secrets.enrol("long", lifetime_seconds=3600).code
        initial = desks.registrations.add_token(OBJECTS, scope="read", lifetime_seconds=DAY).initial_access_token
    server = restart(unlimited, **LOW)
    client, now = Client(server, made), int(restart.clock())
    told = ask(client)
    assert told["client_secret_expires_at"] == made.secret.created_at + SECRET  # it was made to live for ever
    renewed = client.renew(client.first)
    enrolled = httpx.post(server.url + ENROL, json={"code": code}).json()
    bearer = {"Authorization": f"Bearer {initial}"}
    registered = httpx.post(f"{server.url}/api/v1/register", json={}, headers=bearer).json()
    ends = [answer["client_secret_expires_at"] for answer in (renewed, enrolled, registered)]
    assert ends == [now + SECRET] * 3
    with administer(server.settings, restart.clock) as desks:
        added = desks.applications.add_secret("long", secret_name="", expires_at=None)
    assert added.secret.expires_at == now + SECRET
    restart.clock.advance(SECRET - 60)
    bearer = {"Authorization": f"Bearer {registered['registration_access_token']}"}
    wanted = {"client_id": registered["client_id"]}
    updated = httpx.put(registered["registration_client_uri"], json=wanted, headers=bearer).json()
    assert updated["client_secret"] != registered["client_secret"]
    assert updated["client_secret_expires_at"] == now + 2 * SECRET - 60


def test_a_secret_made_before_ends_at_the_maximum_and_its_client_is_warned(
    unlimited: Settings, restart: Restarts
) -> None:
    made = add_long(unlimited, restart.clock)
    client = Client(restart(unlimited), made)
    assert ask(client)["client_secret_expires_at"] == NEVER
    client = Client(restart(unlimited, **LOW), made)
    restart.clock.advance(SECRET * 3 // 4 + 1)
    answer = client.ask_token(client.first)
    assert "client-secret-expires" in answer.headers
    restart.clock.advance(SECRET // 4)
    refused = client.ask_token(client.first)
    assert (refused.status_code, client.find_reason(refused)) == (401, "expired_secret")
    with administer(client.server.settings, restart.clock) as desks:
        (secret,) = desks.applications.load("long")[0].secrets
    assert secret.expires_at == made.secret.created_at + SECRET


def test_tokens_made_before_end_at_the_maximum(unlimited: Settings, restart: Restarts) -> None:
    """At once, when the server starts with it; a signed one too, where this server is asked."""
    made = add_long(unlimited, restart.clock)
    client = Client(restart(unlimited), made)
    sealed = ask(client)
    assert sealed["expires_in"] == DAY
    with administer(client.server.settings, restart.clock) as desks:
        desks.policies.set("long", PolicyChange(access_token_format="jwt"))
    client = Client(restart(unlimited), client.made)
    within_a_second(lambda: client.ask_token(client.first).status_code == 200)  # it first makes a key to sign with
    signed = ask(client)
    restart.clock.advance(ACCESS)
    tokens = [sealed["access_token"], signed["access_token"]]
    assert [client.read(token) for token in tokens] == [200, 200]
    client = Client(restart(unlimited, **LOW), client.made)
    assert [client.read(token) for token in tokens] == [401, 401]
    assert [introspect(client, token) for token in tokens] == [{"active": False}] * 2
    assert introspect(client, sealed["refresh_token"])["exp"] == int(restart.clock()) - ACCESS + REFRESH


def test_a_family_is_not_kept_alive_by_rotation(unlimited: Settings, restart: Restarts) -> None:
    """However often it was rotated since the maximum holds, it ends with its first token."""
    made = add_long(unlimited, restart.clock, rotate_refresh_tokens=True)
    client = Client(restart(unlimited), made)
    refresh_token = ask(client)["refresh_token"]
    began_at = int(restart.clock())
    client = Client(restart(unlimited, **LOW), client.made)
    for _ in range(3):
        restart.clock.advance(REFRESH // 4)
        refresh_token = ask(client, grant_type="refresh_token", refresh_token=refresh_token)["refresh_token"]
        assert introspect(client, refresh_token)["exp"] == began_at + REFRESH
    restart.clock.advance(REFRESH // 4)
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    assert client.post("/api/v1/token", client.first, form).json()["error"] == "invalid_grant"


def test_what_was_revoked_stays_so_when_a_maximum_is_raised_again(unlimited: Settings, restart: Restarts) -> None:
    """It is remembered for as long as the token was made to live, not for as long as it counted."""
    made = add_long(unlimited, restart.clock)
    client = Client(restart(unlimited), made)
    dead, good = ask(client), ask(client)
    client = Client(restart(unlimited, **LOW), client.made)
    assert client.post("/api/v1/revoke", client.first, {"token": dead["refresh_token"]}).status_code == 200
    restart.clock.advance(5 * DAY)
    client = Client(restart(unlimited), client.made)
    form = {"grant_type": "refresh_token"}
    again = [
        client.post("/api/v1/token", client.first, {**form, "refresh_token": tokens["refresh_token"]}).status_code
        for tokens in (dead, good)
    ]
    assert again == [400, 200]


_CHOSEN: dict[str, Any] = {
    "scope": "read",
    "refresh_tokens": True,
    "secret_expires_at": None,
    "access_lifetime_seconds": None,
    "refresh_lifetime_seconds": None,
}


def add(**changed: Any) -> Callable[[Any], object]:
    """Register an application, with a life of its own."""
    return lambda desks: desks.applications.add("other", OBJECTS, **{**_CHOSEN, **changed})


def set_terms(**changed: Any) -> Callable[[Any], object]:
    return lambda desks: desks.policies.set("report", terms=TermsChange(**changed))


def set_secrets(seconds: int) -> Callable[[Any], object]:
    return lambda desks: desks.secrets.set_policy("report", SecretPolicyChange(renewed_secret_seconds=seconds))


def add_secret(expires_at: int) -> Callable[[Any], object]:
    return lambda desks: desks.applications.add_secret("report", secret_name="", expires_at=expires_at)


_LONGER: list[tuple[str, Callable[[Any], object]]] = [
    ("max_access_token_seconds", add(access_lifetime_seconds=ACCESS + 1)),
    ("max_refresh_token_seconds", add(refresh_lifetime_seconds=REFRESH + 1)),
    ("max_secret_seconds", add(secret_expires_at=NOW + SECRET + 1)),
    ("max_secret_seconds", add(secret_expires_at=NEVER)),
    ("max_secret_seconds", add_secret(NOW + SECRET + 1)),
    ("max_secret_seconds", add_secret(NEVER)),
    ("max_secret_seconds", set_secrets(SECRET + 1)),
    ("max_secret_seconds", set_secrets(NEVER)),
    ("max_access_token_seconds", set_terms(access_lifetime_seconds=ACCESS + 1)),
    ("max_refresh_token_seconds", set_terms(refresh_lifetime_seconds=REFRESH + 1)),
]


@pytest.mark.parametrize(("setting", "act"), _LONGER)
def test_an_administrator_is_told_which_setting_forbids_it(
    tmp_path: Path, sample_database: Path, setting: str, act: Callable[[Any], object]
) -> None:
    """Nothing is changed; what was not asked for is no reason, and without a length the maximum is chosen."""
    settings = make_home(tmp_path / "home", sample_database, **LOW)
    clock = MovableClock()
    clock.freeze(NOW)
    with administer(settings, clock) as desks:
        made = desks.applications.add("report", OBJECTS, **_CHOSEN)
        chosen = made.application
        assert (chosen.access_lifetime_seconds, chosen.refresh_lifetime_seconds) == (ACCESS, REFRESH)
        assert made.secret.expires_at == NOW + SECRET
        before = desks.applications.list_all()
        with pytest.raises(AdminError, match=setting):
            act(desks)
        assert desks.applications.list_all() == before


def test_the_rest_of_an_application_above_a_maximum_can_still_be_set(unlimited: Settings) -> None:
    """Its own lives stay as they were set, and count again when the maximum is raised."""
    add_long(unlimited, MovableClock())
    with administer(dataclasses.replace(unlimited, **LOW)) as desks:
        after = desks.policies.set("long", PolicyChange(tokens_per_minute=5))
        desks.secrets.set_policy("long", SecretPolicyChange(secret_overlap_seconds=60))
    assert (after.access_lifetime_seconds, after.refresh_lifetime_seconds) == (DAY, 30 * DAY)


def test_jobs_and_keys_get_no_longer_tokens(unlimited: Settings, restart: Restarts) -> None:
    """A client without a secret signs in with its key."""
    key = ClientKey()
    policy = PolicyChange(authentication_methods=("private_key_jwt",), jwks=key.jwks)
    with administer(unlimited, restart.clock) as desks:
        application, _ = desks.applications.add_with_key(
            "keyed",
            OBJECTS,
            scope="read",
            refresh_tokens=True,
            access_lifetime_seconds=DAY,
            refresh_lifetime_seconds=DAY,
            policy=policy,
        )
    server = restart(unlimited, **LOW)
    form = key.assert_client(application.client_id, server.url, restart.clock())
    answer = httpx.post(f"{server.url}/api/v1/token", data={"grant_type": "client_credentials", **form})
    assert (answer.status_code, answer.json()["expires_in"]) == (200, ACCESS)
