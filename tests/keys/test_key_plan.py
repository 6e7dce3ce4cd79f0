"""The plan for sealing keys as laws: whatever the order of time, a living token opens on every worker."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth.jose_makers import NOW
from rowgate.oauth.model import JWT, Application, ClientPolicy
from rowgate.oauth.tokens import ACCESS, REFRESH, TokenRecord, TokenSealer, UnreadableToken
from rowgate.records import NO_KEYS, KeptSigningKey
from rowgate.service.admin.policies import UNCHANGED, TermsChange, decide_change
from rowgate.service.key_plan import (
    FOLLOW_SECONDS,
    Demand,
    KeyPolicy,
    begins_to_seal,
    choose_sealing_number,
    measure_demand,
    plan_keys,
)
from store.conftest import make_application
from support.laws import choose_examples

_DAY = 86_400
_DEMAND = Demand(frozenset(), 3600, 7 * _DAY)
_POLICY = KeyPolicy(jwks_max_age_seconds=3600, signing_key_days=90, sealing_key_days=3)
_LAG_SECONDS = 30  # of a worker, its clock and its following together


@dataclass
class _Home:
    """What the store holds, with everything that it ever held."""

    created_at: dict[int, int] = field(default_factory=lambda: {1: NOW})
    history: list[tuple[int, dict[int, int]]] = field(default_factory=lambda: [(NOW, {1: NOW})])

    def rotate(self, now: int) -> None:
        material = replace(NO_KEYS, sealing_created_at=self.created_at)
        plan = plan_keys(material, _DEMAND, _POLICY, now).sealing
        number = max(self.created_at) + 1
        kept = {number: made for number, made in self.created_at.items() if number not in plan.forget}
        self.created_at = {**kept, number: now} if plan.make else kept
        self.history.append((now, self.created_at))
        assert not plan_keys(replace(material, sealing_created_at=self.created_at), _DEMAND, _POLICY, now)

    def as_of(self, moment: float) -> dict[int, int]:
        return [made for at, made in self.history if at <= max(moment, NOW)][-1]


def _make_sealer(created_at: dict[int, int], now: float) -> TokenSealer:
    sealer = TokenSealer({1: bytes(32)})
    keys = {number: number.to_bytes(32, "big") for number in created_at}
    sealer.take_keys(keys, seal_with=choose_sealing_number(created_at, now))
    return sealer


@settings(max_examples=choose_examples(60), deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 4 * _DAY), st.integers(0, _LAG_SECONDS), st.integers(0, _LAG_SECONDS)),
        min_size=1,
        max_size=30,
    ),
    lifetime_seconds=st.integers(60, 7 * _DAY),
)
def test_a_living_token_opens_on_every_worker(steps: list[tuple[int, int, int]], lifetime_seconds: int) -> None:
    """However seldom the plan is carried out, and however far behind the sealing and the opening worker are."""
    home, now = _Home(), NOW
    living: list[tuple[str, int]] = []
    for step, behind, also_behind in steps:
        now += step
        home.rotate(now)
        moments = (now + 1, now + FOLLOW_SECONDS - 1, now + FOLLOW_SECONDS, now + FOLLOW_SECONDS + _LAG_SECONDS)
        for moment in moments:
            seal_at, open_at = moment - behind, moment - also_behind
            sealer = _make_sealer(home.as_of(seal_at), moment)  # its clock is right, its state old
            record = TokenRecord(1, 0, 1, moment, moment + lifetime_seconds, bytes(16), "read")
            living.append((sealer.seal(ACCESS, bytes(16), record), moment + lifetime_seconds))
            opener = _make_sealer(home.as_of(open_at), moment)
            living = [(token, dies) for token, dies in living if dies > moment]
            for token, dies in living:
                assert opener.open(ACCESS, token)[1].expires_at == dies
        now = moments[-1]
    assert len(home.created_at) <= 6


def test_old_sealing_key_is_gone_when_its_last_token_is_dead() -> None:
    home = _Home()
    home.rotate(NOW + 3 * _DAY)
    assert set(home.created_at) == {1, 2}
    policy = replace(_POLICY, sealing_key_days=0)
    material = replace(NO_KEYS, sealing_created_at=home.created_at)
    end = NOW + 3 * _DAY + FOLLOW_SECONDS + 7 * _DAY + 3600
    assert plan_keys(material, _DEMAND, policy, end - 1).sealing.forget == ()
    assert plan_keys(material, _DEMAND, policy, end).sealing.forget == (1,)


def test_first_key_seals_at_once_and_a_later_one_when_it_is_known() -> None:
    made = {1: NOW, 5: NOW + 100}
    assert begins_to_seal(made, 1) == NOW
    assert choose_sealing_number(made, NOW - 10) == 1  # a clock that went back
    assert choose_sealing_number(made, NOW + 100 + FOLLOW_SECONDS - 1) == 1
    assert choose_sealing_number(made, NOW + 100 + FOLLOW_SECONDS) == 5


def test_taking_keys_changes_what_opens() -> None:
    record = TokenRecord(1, 0, 1, 1, 2, bytes(16), "read")
    sealer = _make_sealer({1: NOW}, NOW)
    old = sealer.seal(REFRESH, bytes(16), record)
    sealer.take_keys({n: n.to_bytes(32, "big") for n in (1, 2)}, seal_with=2)
    new = sealer.seal(REFRESH, bytes(16), record)
    assert [sealer.open(REFRESH, token)[1] for token in (old, new)] == [record, record]
    sealer.take_keys({2: (2).to_bytes(32, "big")}, seal_with=2)
    assert sealer.open(REFRESH, new)[1] == record
    with pytest.raises(UnreadableToken):
        sealer.open(REFRESH, old)


def _asking(name: str, token_format: str, algorithm: str, **changed: object) -> Application:
    chosen: dict[str, Any] = {"access_token_format": token_format, "access_token_algorithm": algorithm}
    policy = ClientPolicy(**chosen)  # an old home may hold what no command sets
    return make_application(name, policy=policy, **changed)


def test_keys_are_made_only_for_what_applications_ask_for() -> None:
    applications = [
        _asking("a", "sealed", "RS256"),
        _asking("b", JWT, "ES256", enabled=False, refresh_lifetime_seconds=9 * _DAY),
        _asking("c", JWT, "HS256", access_lifetime_seconds=7200),
    ]
    assert measure_demand(applications) == Demand(frozenset({"ES256"}), 7200, 9 * _DAY)
    assert measure_demand([]) == Demand(frozenset(), 3600, 3600)
    material = replace(NO_KEYS, sealing_created_at={1: NOW})
    plan = plan_keys(material, measure_demand(applications), _POLICY, NOW).signing
    assert [(made.algorithm, made.not_before) for made in plan.make] == [("ES256", NOW)]
    assert not plan_keys(material, measure_demand(applications[:1]), _POLICY, NOW)


def test_a_key_made_on_command_lives_its_time_and_has_no_successor() -> None:
    kept = KeptSigningKey("k", "RS256", b"", NOW, NOW, 0, 0)
    unknown = replace(kept, kid="u", algorithm="of a newer release")
    material = replace(NO_KEYS, sealing_created_at={1: NOW}, signing=(kept, unknown))
    policy = replace(_POLICY, sealing_key_days=0)
    end = NOW + 90 * _DAY - policy.lead_seconds
    assert not plan_keys(material, _DEMAND, policy, end - 1)
    plan = plan_keys(material, _DEMAND, policy, end).signing
    assert plan.make == ()
    assert [(key.kid, key.retired_at) for key in plan.retire] == [("k", end)]
    assert not plan_keys(material, _DEMAND, replace(policy, signing_key_days=0), end + 1000 * _DAY)
    asked = replace(_DEMAND, algorithms=frozenset({"RS256"}))
    assert [made.algorithm for made in plan_keys(material, asked, policy, end).signing.make] == ["RS256"]


def test_lives_that_were_lowered_are_remembered() -> None:
    """What was issued before lives on: its key and its revocation stay as long."""
    long = make_application("a", access_lifetime_seconds=9000, refresh_lifetime_seconds=30 * _DAY)
    lowered = decide_change(long, UNCHANGED, TermsChange(access_lifetime_seconds=60, refresh_lifetime_seconds=60))
    assert (lowered.access_lifetime_seconds, lowered.refresh_lifetime_seconds) == (60, 60)
    assert (lowered.longest_access_seconds, lowered.longest_refresh_seconds) == (9000, 30 * _DAY)
    assert measure_demand([lowered]) == Demand(frozenset(), 9000, 30 * _DAY)
    again = decide_change(lowered, UNCHANGED, TermsChange(access_lifetime_seconds=7000))
    lowest = decide_change(again, UNCHANGED, TermsChange(access_lifetime_seconds=30))
    assert lowest.longest_access_seconds == 9000
    raised = decide_change(lowest, UNCHANGED, TermsChange(access_lifetime_seconds=9999))
    assert raised.longest_access_seconds == 9999
