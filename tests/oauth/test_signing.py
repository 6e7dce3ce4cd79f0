"""Signing keys: shown before they sign and after, one signs, none is forgotten too early (PROTOCOL 115, 116)."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import JWKRegistry

from oauth.jose_makers import ALGORITHMS, NOW, make_key
from oauth.laws import law
from rowgate.oauth.jws import SigningAlgorithm
from rowgate.oauth.model import NEVER
from rowgate.oauth.signing import (
    SKEW_SECONDS,
    RotationPlan,
    SigningKey,
    UnusableSigningKey,
    choose_signing_key,
    derive_signing_key,
    plan_rotation,
    read_signing_key,
    read_verification_keys,
    render_jwks,
)

_MAX_AGE = 600
_LIFETIME = 3600
_ROTATE = 86_400


def _plan(keys: list[SigningKey], now: int, algorithms: tuple[SigningAlgorithm, ...] = ("EdDSA",)) -> RotationPlan:
    return plan_rotation(
        keys,
        now,
        algorithms=algorithms,
        max_age_seconds=_MAX_AGE,
        longest_lifetime_seconds=_LIFETIME,
        rotate_every_seconds=_ROTATE,
    )


def _apply(keys: list[SigningKey], plan: RotationPlan) -> list[SigningKey]:
    """Do what a plan says; keys of rotation need no true private part."""
    changed = {key.kid: key for key in plan.retire}
    kept = [changed.get(key.kid, key) for key in keys if key.kid not in plan.forget]
    made = [
        SigningKey(
            f"{planned.algorithm}-{planned.created_at}", planned.algorithm, b"", planned.created_at, planned.not_before
        )
        for planned in plan.make
    ]
    return kept + made


@law
@given(st.lists(st.integers(1, 3 * _ROTATE), min_size=1, max_size=40))
def test_protocol_116_every_copy_of_the_set_verifies_every_living_token(steps: list[int]) -> None:
    """However seldom the plan is made and done, at each step one token is signed."""
    now, keys = NOW, list[SigningKey]()
    shown_since: dict[str, int] = {}
    signed: list[tuple[str, int]] = []
    for step in steps:
        keys = _apply(keys, _plan(keys, now))
        assert not _plan(keys, now)
        for key in keys:
            shown_since.setdefault(key.kid, now)
        signing = choose_signing_key(keys, "EdDSA", now)
        assert signing is not None
        if shown_since[signing.kid] != NOW:  # the first of all signs at once
            assert now - shown_since[signing.kid] >= _MAX_AGE
        signed.append((signing.kid, now + _LIFETIME))
        shown = {key.kid for key in keys if key.is_shown(now)}
        assert {kid for kid, dies in signed if now <= dies + SKEW_SECONDS - 1} <= shown
        assert len(keys) <= 4
        now += step


@law
@given(st.lists(st.integers(60, 600), min_size=20, max_size=60))
def test_a_key_signs_for_as_long_as_planned(steps: list[int]) -> None:
    """With a plan every few minutes the next key begins when the old one's time is over, and not before."""
    now, keys = NOW, list[SigningKey]()
    began: dict[str, int] = {}
    for step in [*steps * 10]:
        keys = _apply(keys, _plan(keys, now))
        signing = choose_signing_key(keys, "EdDSA", now)
        assert signing is not None
        began.setdefault(signing.kid, now)
        now += step
    times = sorted(began.values())
    assert all(_ROTATE - 600 <= later - earlier <= _ROTATE + 3 * 600 for earlier, later in pairwise(times))


def test_first_key_signs_at_once_and_a_lost_one_is_replaced_at_once() -> None:
    plan = _plan([], NOW, ("EdDSA", "ES256"))
    assert [(made.algorithm, made.not_before) for made in plan.make] == [("ES256", NOW), ("EdDSA", NOW)]
    keys = _apply([], plan)
    gone = [replace(key, retired_at=NOW + 5, forget_at=NOW + 9) for key in keys if key.algorithm == "EdDSA"]
    assert [made.not_before for made in _plan(gone, NOW + 5).make] == [NOW + 5]


def test_unwanted_algorithm_is_retired_and_forgotten_later() -> None:
    keys = _apply([], _plan([], NOW, ("EdDSA", "ES256")))
    plan = _plan(keys, NOW + 10)
    assert [(key.algorithm, key.retired_at) for key in plan.retire] == [("ES256", NOW + 10)]
    keys = _apply(keys, plan)
    assert choose_signing_key(keys, "ES256", NOW + 10) is None
    end = NOW + 10 + _LIFETIME + SKEW_SECONDS
    assert not _plan(keys, end - 1).forget
    assert _plan(keys, end).forget == (plan.retire[0].kid,)


def test_promotion_is_told() -> None:
    keys = _apply([], _plan([], NOW))
    keys = _apply(keys, _plan(keys, NOW + _ROTATE))
    plan = _plan(keys, NOW + _ROTATE + _MAX_AGE + SKEW_SECONDS)
    assert plan.promote == (f"EdDSA-{NOW + _ROTATE}",)
    assert [key.kid for key in plan.retire] == [f"EdDSA-{NOW}"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_protocol_115_published_key_is_public_and_named_by_its_thumbprint(algorithm: str) -> None:
    key = make_key(algorithm)
    (member,) = json.loads(render_jwks([key], NOW))["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(member)
    assert (member["use"], member["alg"], member["kid"]) == ("sig", algorithm, key.kid)
    assert JWKRegistry.import_key(member).thumbprint() == key.kid
    assert "PRIVATE" not in repr(key)


def test_protocol_115_set_has_unique_names_and_one_spelling() -> None:
    keys = [make_key(algorithm, number) for algorithm in ("EdDSA", "ES256") for number in (1, 2)] + [make_key("RS256")]
    rendered = render_jwks(keys, NOW)
    assert rendered == render_jwks(keys[::-1], NOW)
    names = [member["kid"] for member in json.loads(rendered)["keys"]]
    assert len(set(names)) == len(keys)
    assert {key.kid for key in read_verification_keys(keys, NOW).keys} == set(names)


def test_forgotten_key_is_neither_shown_nor_used() -> None:
    key = replace(make_key("EdDSA"), retired_at=NOW - 1, forget_at=NOW)
    assert json.loads(render_jwks([key], NOW)) == {"keys": []}
    assert json.loads(render_jwks([key], NOW - 1))["keys"]
    assert read_verification_keys([key], NOW).keys == ()


def test_newest_begun_key_signs() -> None:
    old, new = make_key("EdDSA", 1), replace(make_key("EdDSA", 2), not_before=NOW)
    assert choose_signing_key([new, old], "EdDSA", NOW - 1) == old
    assert choose_signing_key([old, new], "EdDSA", NOW) == new
    assert choose_signing_key([old, replace(new, retired_at=NOW)], "EdDSA", NOW) == old
    assert choose_signing_key([old, new], "ES256", NOW) is None
    assert old.retired_at == NEVER


@law
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=48, max_size=48))
def test_random_bytes_determine_the_key(ed25519_bytes: bytes, p256_bytes: bytes) -> None:
    for algorithm, random_bytes in (("EdDSA", ed25519_bytes), ("ES256", p256_bytes)):
        wanted: SigningAlgorithm = "EdDSA" if algorithm == "EdDSA" else "ES256"
        key = derive_signing_key(wanted, random_bytes, created_at=1, not_before=2)
        assert key == derive_signing_key(wanted, random_bytes, created_at=1, not_before=2)
        assert read_signing_key(key.private_key, created_at=1, not_before=2) == key


@law
@given(st.binary(max_size=200))
def test_other_bytes_are_no_key(data: bytes) -> None:
    for text in (data, b"-----BEGIN PRIVATE KEY-----\n" + data + b"\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(UnusableSigningKey):
            read_signing_key(text, created_at=0, not_before=0)


def test_unsupported_kinds_are_no_key() -> None:
    for private_key in (rsa.generate_private_key(65537, 1024), ed448.Ed448PrivateKey.from_private_bytes(b"\1" * 57)):
        pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(UnusableSigningKey):
            read_signing_key(pem, created_at=0, not_before=0)
