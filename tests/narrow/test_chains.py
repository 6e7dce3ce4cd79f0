"""Nothing ever widens: chains of refreshes and exchanges over real HTTP, judged by what their tokens mean.

The judge knows sets and times and nothing of the code: which step must succeed, what the token then says of itself,
and which rows it gets.
"""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrow.conftest import ACCOUNTS, DISKS, USERS, Client, Members, Register, detail, exchanging
from support.laws import choose_examples

_COLUMNS = {
    ACCOUNTS: ("AccountId", "Owner", "Department"),
    USERS: ("UserId", "DisplayName"),
    DISKS: ("HostName", "JobRunTimeKey"),
}
_EVERY = "every column, those to come included"
_LIFETIME = 3600
Reach = dict[str, frozenset[str]]  # columns by object, or only _EVERY
_ALL: Reach = {name: frozenset([_EVERY]) for name in _COLUMNS}

law = settings(
    derandomize=True,
    database=None,
    max_examples=choose_examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def _details() -> st.SearchStrategy[Members]:
    def choose(name: str) -> st.SearchStrategy[Members]:
        columns = st.just(()) | st.lists(st.sampled_from(_COLUMNS[name]), min_size=1, unique=True).map(tuple)
        return columns.map(lambda chosen: detail(name, *chosen))

    return st.sampled_from(sorted(_COLUMNS)).flatmap(choose)


@dataclass(frozen=True)
class Step:
    """What is asked next, of which token."""

    kind: str  # refresh, exchange, or hand_on: an exchange by the helper
    scope: str | None
    details: tuple[Members, ...]
    names_resource: bool
    after_seconds: int


_STEPS = st.builds(
    Step,
    kind=st.sampled_from(["refresh", "exchange", "exchange", "hand_on"]),
    scope=st.sampled_from([None, None, "read", "run", "read run"]),
    details=st.just(()) | st.lists(_details(), min_size=1, max_size=3).map(tuple),
    names_resource=st.booleans(),
    after_seconds=st.sampled_from([0, 0, 600, 1500]),
)


@dataclass(frozen=True)
class Meaning:
    """What a token must be worth."""

    scope: frozenset[str]
    reach: Reach
    has_audience: bool
    expires_at: float
    actors: tuple[str, ...] = ()


def _read_reach(details: tuple[Members, ...]) -> Reach:
    reach: dict[str, set[str]] = {}
    for one in details:
        reach.setdefault(one["object"], set()).update(one.get("columns", [_EVERY]))
    return {name: frozenset([_EVERY]) if _EVERY in columns else frozenset(columns) for name, columns in reach.items()}


def _holds(held: Reach, asked: Reach) -> bool:
    return all(_EVERY in held.get(name, ()) or columns <= held.get(name, set()) for name, columns in asked.items())


def _judge(step: Step, source: Meaning, now: float, *, may: frozenset[str], actor: str) -> Meaning | None:
    """Say what must come of a step; None: a refusal."""
    expires_at = now + _LIFETIME
    if step.kind != "refresh":
        expires_at = min(expires_at, source.expires_at)
    available = source.scope & may
    scope = available if step.scope is None else frozenset(step.scope.split())
    asked = _read_reach(step.details)
    if now >= source.expires_at or not scope or not scope <= available or not _holds(source.reach, asked):
        return None
    actors = (actor, *source.actors) if step.kind == "hand_on" else source.actors
    return Meaning(scope, asked or source.reach, source.has_audience or step.names_resource, expires_at, actors)


def _check(client: Client, token: str, meaning: Meaning) -> None:
    told = client.introspect(token)
    assert frozenset(told["scope"].split()) == meaning.scope
    assert told["exp"] == int(meaning.expires_at)
    if meaning.has_audience:
        assert told["aud"] == client.server.url
    acting, actors = told.get("act"), []
    while acting:
        actors.append(acting["sub"])
        acting = acting.get("act")
    assert tuple(actors) == meaning.actors
    for name, some in _COLUMNS.items():
        answer = client.read(token, name)
        columns = meaning.reach.get(name) if "read" in meaning.scope else None
        if columns is None:
            assert answer.status_code == 401
        elif _EVERY not in columns:
            assert {frozenset(row) for row in answer.json()} == {columns}
        else:
            assert {len(row) > len(some) for row in answer.json()} == {True}


@pytest.fixture(scope="module")
def owner(register: Register, client: Client) -> Client:
    """Of the token format of `client`, with two names in its scope."""
    policy = exchanging(access_token_format=client.made.application.policy.access_token_format)
    return register(tuple(_COLUMNS), scope="read run", policy=policy)


@pytest.fixture(scope="module")
def helper(register: Register, owner: Client) -> Client:
    return register(("SA_Activity_Events",), policy=exchanging(exchanges_tokens_of=(owner.name,)))


@law
@given(first=_STEPS, steps=st.lists(_STEPS, min_size=1, max_size=4))
def test_no_step_widens_and_every_narrower_one_is_given(
    owner: Client, helper: Client, first: Step, steps: list[Step]
) -> None:
    clock, both = owner.server.clock, frozenset(["read", "run"])

    def send(step: Step, **form: Any) -> Any:
        chosen = {"scope": step.scope, "resource": owner.server.url if step.names_resource else None}
        return {**{name: value for name, value in chosen.items() if value is not None}, **form}

    begun = clock.freeze(int(time.time()))
    granted = Meaning(both, _ALL, has_audience=False, expires_at=begun + 604_800)
    tokens = owner.get(*first.details, **send(first))
    original = _judge(Step("refresh", *_rest(first)), granted, begun, may=both, actor="")
    assert original is not None
    _check(owner, tokens["access_token"], original)
    refreshable = Meaning(original.scope, original.reach, original.has_audience, begun + 604_800)
    token, meaning = tokens["access_token"], original
    for step in steps:
        clock.advance(step.after_seconds)
        now = clock()
        client, may, source = owner, both, meaning
        if step.kind == "refresh":
            source = refreshable
            answer = owner.refresh(tokens["refresh_token"], *step.details, **send(step))
        else:
            if step.kind == "hand_on":
                client, may = helper, frozenset(["read"])
            answer = client.exchange(token, *step.details, **send(step))
        expected = _judge(step, source, now, may=may, actor=helper.client_id)
        assert answer.status_code == (400 if expected is None else 200), (step, source, answer.text)
        if expected is not None:
            token, meaning = answer.json()["access_token"], expected
            _check(owner, token, meaning)
    clock.reset()


def _rest(step: Step) -> tuple[str | None, tuple[Members, ...], bool, int]:
    return step.scope, step.details, step.names_resource, step.after_seconds
