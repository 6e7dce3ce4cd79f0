"""Rotation of refresh tokens: one successor, a grace, and reuse ends the family (PROTOCOL 79-83)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from oauth.laws import law
from rowgate.oauth.errors import InvalidGrant
from rowgate.oauth.model import RefreshFamily
from rowgate.oauth.refresh_rotation import (
    Reuse,
    Rotate,
    Same,
    decide_rotation,
    derive_token_id,
    find_presented_number,
)
from support.laws import choose_examples

_KEY = b"k" * 32
_FAMILY = b"f" * 16
_GRACE = 10
_CLIENTS = 20


def test_79_the_same_successor_within_the_grace() -> None:
    family = RefreshFamily(current=1, rotated_at=100.0)
    assert decide_rotation(1, family, now=109.9) == Rotate(2)
    assert decide_rotation(0, family, now=109.9) == Same(1)
    assert decide_rotation(0, family, now=99.0) == Same(1)  # a clock that stepped back


def test_80_after_the_grace_it_is_reuse() -> None:
    assert isinstance(decide_rotation(0, RefreshFamily(1, 100.0), now=110.0), Reuse)
    assert isinstance(decide_rotation(0, RefreshFamily(1, 100.0), now=100.0, grace_seconds=0), Reuse)


def test_81_the_grandparent_is_reuse_within_the_grace() -> None:
    for presented in (0, None, 3):
        assert isinstance(decide_rotation(presented, RefreshFamily(2, 100.0), now=100.0), Reuse)


def test_82_a_revoked_family_gives_nothing() -> None:
    for presented in (0, 1, 2, None):
        with pytest.raises(InvalidGrant):
            decide_rotation(presented, RefreshFamily(1, 100.0, revoked=True), now=100.0)


@law
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16), st.integers(0, 10**6))
def test_a_token_is_known_by_its_id(key: bytes, family: bytes, current: int) -> None:
    """Nothing is kept of a token, and its id is the same however often it is made."""
    for number in range(max(0, current - 3), current + 3):
        token_id = derive_token_id(key, family, number)
        assert len(token_id) == 16
        expected = number if number in {current, current - 1} else None
        assert find_presented_number(key, family, token_id, current) == expected
    assert find_presented_number(key, family, bytes(16) if family != bytes(16) else b"1" * 16, current) is None


class Twenty(RuleBasedStateMachine):
    """Twenty clients share a family. Each reads, then writes, with the others in between; the clock moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.family = RefreshFamily(current=0, rotated_at=self.now)
        self.held = [derive_token_id(_KEY, _FAMILY, 0)] * _CLIENTS
        self.read: list[RefreshFamily | None] = [None] * _CLIENTS
        self.successors: dict[bytes, set[bytes]] = {}  # what each token was answered with
        self.replaced_at: dict[bytes, float] = {}  # when a token's first successor came
        self.used: set[bytes] = set()
        self.revoked_at: float | None = None

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(client=st.integers(0, _CLIENTS - 1))
    def begin(self, client: int) -> None:
        self.read[client] = self.family

    @rule(client=st.integers(0, _CLIENTS - 1))
    def copy_from_another(self, client: int) -> None:
        """A token is handed on, or stolen: sharing is what makes reuse."""
        self.held[client] = self.held[(client + 7) % _CLIENTS]

    @rule(client=st.integers(0, _CLIENTS - 1))
    def finish(self, client: int) -> None:
        """Decide on what was read; a write counts only where the family is still what was read."""
        seen, self.read[client] = self.read[client], None
        if seen is None:
            return
        presented = self.held[client]
        while True:
            number = find_presented_number(_KEY, _FAMILY, presented, seen.current)
            try:
                decision = decide_rotation(number, seen, now=self.now, grace_seconds=_GRACE)
            except InvalidGrant:
                assert self.family.revoked
                return
            if seen == self.family:
                break
            if isinstance(decision, Same):  # it writes nothing, so it is answered from what was read
                break
            seen = self.family
        self._apply(client, presented, decision)

    def _apply(self, client: int, presented: bytes, decision: Rotate | Same | Reuse) -> None:
        if isinstance(decision, Reuse):
            # never without cause: the token has a successor, that is past its grace or was itself used
            successor = next(iter(self.successors[presented]))
            assert self.now - self.replaced_at[presented] >= _GRACE or successor in self.used
            self.family = replace(self.family, revoked=True)
            self.revoked_at = self.now
            return
        if isinstance(decision, Rotate):
            assert presented not in self.successors, "a token was rotated twice"
            self.family = RefreshFamily(decision.successor, self.now)
            self.replaced_at[presented] = self.now
        else:
            assert self.now - self.replaced_at[presented] < _GRACE
        self.used.add(presented)
        answer = derive_token_id(_KEY, _FAMILY, decision.successor)
        self.successors.setdefault(presented, set()).add(answer)
        self.held[client] = answer

    @invariant()
    def no_token_has_two_successors(self) -> None:
        assert all(len(answers) == 1 for answers in self.successors.values())

    @invariant()
    def the_chain_has_one_end(self) -> None:
        """Whatever the order, the tokens given out form one chain that ends in the current token."""
        token, steps = derive_token_id(_KEY, _FAMILY, 0), 0
        while token in self.successors:
            (token,), steps = self.successors[token], steps + 1
        assert (token, steps) == (derive_token_id(_KEY, _FAMILY, self.family.current), self.family.current)


TestTwentyClients: Any = Twenty.TestCase
TestTwentyClients.settings = settings(
    derandomize=True, database=None, max_examples=choose_examples(60), stateful_step_count=80, deadline=None
)


@law
@given(st.permutations(range(_CLIENTS)), st.floats(0, _GRACE - 0.01))
def test_79_twenty_at_once_get_one_successor(order: list[int], spread: float) -> None:
    family, answers = RefreshFamily(0, 0.0), set()
    for place, _ in enumerate(order):
        now = 1000.0 + spread * place / _CLIENTS
        decision = decide_rotation(0, family, now=now, grace_seconds=_GRACE)
        assert isinstance(decision, Rotate if place == 0 else Same)
        if isinstance(decision, Rotate):
            family = RefreshFamily(decision.successor, now)
        answers.add(derive_token_id(_KEY, _FAMILY, family.current))
    assert len(answers) == 1
