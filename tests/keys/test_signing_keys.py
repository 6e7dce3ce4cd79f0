"""SigningKeys: the answers of the pure core, read once, at every moment and after every change."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth.jose_makers import NOW, make_key
from rowgate.oauth.jws import read_unverified_header
from rowgate.oauth.signing import SigningKey, choose_signing_key, read_verification_keys, render_jwks
from rowgate.records import NO_KEYS, Changes, KeptSigningKey, StateSnapshot
from rowgate.service import keys as keys_module
from rowgate.service.keys import SigningKeys
from rowgate.service.state import LiveState
from support.laws import choose_examples

MOMENTS = st.integers(NOW, NOW + 6)


def keep(keys: list[SigningKey]) -> tuple[KeptSigningKey, ...]:
    return tuple(
        KeptSigningKey(k.kid, k.algorithm, k.private_key, k.created_at, k.not_before, k.retired_at, k.forget_at)
        for k in keys
    )


@st.composite
def signing_keys(draw: st.DrawFn) -> list[SigningKey]:
    """Keys of two algorithms with any order of times."""
    names = draw(st.lists(st.tuples(st.sampled_from(["EdDSA", "ES256"]), st.integers(1, 3)), unique=True, max_size=4))
    return [
        replace(
            make_key(algorithm, number),
            not_before=draw(MOMENTS),
            retired_at=draw(st.just(0) | MOMENTS),
            forget_at=draw(st.just(0) | MOMENTS),
        )
        for algorithm, number in names
    ]


@settings(max_examples=choose_examples(80), deadline=None)
@given(before=signing_keys(), after=signing_keys(), times=st.lists(MOMENTS, min_size=1, max_size=8))
def test_what_is_kept_is_what_the_core_would_say(
    before: list[SigningKey], after: list[SigningKey], times: list[int]
) -> None:
    """For any keys, after any change of them, at times that go on and back."""
    state = LiveState(StateSnapshot(1, (), (), (), replace(NO_KEYS, signing=keep(before))))
    served = SigningKeys(state)
    for keys in (before, after):
        state.apply(Changes(2, keys=replace(NO_KEYS, signing=keep(keys))))
        for now in [*times, *times]:
            assert served.jwks(now) == render_jwks(keys, now)
            assert served.publish(now).is_empty == (not any(key.is_shown(now) for key in keys))
            shown = {key.kid for key in served.verification_keys(now).keys}
            assert shown == {key.kid for key in read_verification_keys(keys, now).keys}
            for algorithm in ("EdDSA", "ES256"):
                chosen = choose_signing_key(keys, algorithm, now)
                signer = served.find_signer(algorithm, "at+jwt", now)
                kid = read_unverified_header(signer.sign(b"{}")).kid if signer else None
                assert kid == (chosen.kid if chosen else None)


def test_nothing_is_read_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key is read once for each type of token, and the set is rendered once."""
    state = LiveState(StateSnapshot(1, (), (), (), replace(NO_KEYS, signing=keep([make_key("EdDSA")]))))
    served = SigningKeys(state)
    first = [served.find_signer("EdDSA", typ, NOW) for typ in ("at+jwt", "token-introspection+jwt")]
    published, verification = served.publish(NOW), served.verification_keys(NOW)
    for name in ("make_signer", "render_jwks", "read_verification_keys", "read_signing_keys"):
        monkeypatch.delattr(keys_module, name)
    for now in (NOW, NOW + 1e6):
        assert [served.find_signer("EdDSA", typ, now) for typ in ("at+jwt", "token-introspection+jwt")] == first
        assert served.publish(now) is published
        assert served.verification_keys(now) is verification
        assert served.find_signer("RS256", "at+jwt", now) is None
    state.apply(Changes(2))
    assert served.publish(NOW) is published


def test_a_state_without_keys_shows_an_empty_set() -> None:
    served = SigningKeys(LiveState(StateSnapshot(1, (), (), ())))
    assert served.jwks(NOW) == b'{"keys":[]}'
    assert served.find_signer("EdDSA", "at+jwt", NOW) is None
