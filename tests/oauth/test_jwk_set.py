"""Key sets: public, strong and named once, or refused with a reason (RFC 7517 §5, RFC 8725 §3.5)."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.util import int_to_base64

from oauth.jose_makers import ALGORITHMS, make_jwks, make_key, make_p384_key, to_joserfc
from oauth.laws import law
from rowgate.oauth.jwk_set import MAX_JWK_SET_BYTES, MAX_KEYS, UnusableJwkSet, parse_jwk_set

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["kty", "kid", "use", "alg", "key_ops", "crv", "x", "y", "n", "e", "d", "k"])
_VALUES = _JSON | st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "AQAB", "sig"])


def _member(algorithm: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(make_jwks(make_key(algorithm)))["keys"][0]
    return found


def _refused(*members: Any) -> str:
    with pytest.raises(UnusableJwkSet) as caught:
        parse_jwk_set(json.dumps({"keys": members}).encode())
    return caught.value.reason


@law
@given(st.binary(max_size=100) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_keys_or_a_refusal(data: bytes) -> None:
    with pytest.raises(UnusableJwkSet):
        parse_jwk_set(data)


@law
@given(st.sampled_from(ALGORITHMS), st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_any_member_changed_is_a_key_or_a_refusal(algorithm: str, changes: dict[str, Any]) -> None:
    data = json.dumps({"keys": [_member(algorithm) | changes]}).encode()
    try:
        (key,) = parse_jwk_set(data).keys
    except UnusableJwkSet:
        return
    assert not {"d", "k"} & set(changes)
    assert key.algorithms
    assert not key.key.is_private


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_private_key_refuses_the_set(algorithm: str) -> None:
    private = to_joserfc(make_key(algorithm)).as_dict(private=True)
    assert _refused(private) == "jwks_private_key"
    assert _refused(_member("ES256"), private) == "jwks_private_key"


def test_symmetric_key_refuses_the_set() -> None:
    assert _refused({"kty": "oct", "k": "c2VjcmV0"}, _member("ES256")) == "jwks_symmetric_key"


def test_weak_rsa_refuses_the_set() -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    weak = {"kty": "RSA", "n": int_to_base64(numbers.n), "e": "AQAB"}
    assert _refused(weak) == "jwks_rsa_size"
    assert _refused(weak | {"n": int_to_base64(2**8192)}) == "jwks_rsa_size"
    assert _refused(_member("RS256") | {"e": int_to_base64(2**32 + 1)}) == "jwks_rsa_exponent"


@pytest.mark.parametrize("change", [{"x": "AAAA"}, {"x": None}, {"y": "=="}, {"x": 1}, {"kid": 1}, {"kid": "k" * 257}])
def test_malformed_key_refuses_the_set(change: dict[str, Any]) -> None:
    """A point that is not on the curve among them."""
    assert _refused(_member("ES256") | change) == "jwks_malformed_key"


def test_key_that_is_not_for_us_is_left_out() -> None:
    others: list[dict[str, Any]] = [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        _member("ES256") | {"use": "enc"},
        _member("ES256") | {"key_ops": ["deriveKey"]},
        _member("ES256") | {"crv": "P-521"},
        _member("ES256") | {"alg": "ES384"},
    ]
    data = json.dumps({"keys": [*others, _member("EdDSA")]}).encode()
    assert [key.kid for key in parse_jwk_set(data).keys] == [make_key("EdDSA").kid]
    assert _refused(*others) == "jwks_no_key"


def test_two_keys_of_one_name_and_too_much_of_anything_are_refused() -> None:
    assert _refused(_member("ES256"), _member("EdDSA") | {"kid": make_key("ES256").kid}) == "jwks_same_kid"
    assert _refused(*[_member("ES256")] * (MAX_KEYS + 1)) == "jwks_too_many_keys"
    with pytest.raises(UnusableJwkSet):
        parse_jwk_set(b" " * (MAX_JWK_SET_BYTES + 1))
    with pytest.raises(UnusableJwkSet):
        parse_jwk_set(b'{"keys":' + b"[" * 60_000)


def test_algorithms_are_those_of_the_key() -> None:
    bare = {name: value for name, value in _member("RS256").items() if name != "alg"}
    (key,) = parse_jwk_set(json.dumps({"keys": [bare]}).encode()).keys
    assert key.algorithms == {"RS256", "PS256"}
    (key,) = parse_jwk_set(json.dumps({"keys": [bare]}).encode(), algorithms={"PS256"}).keys
    assert key.algorithms == {"PS256"}
    (key,) = parse_jwk_set(make_jwks(make_key("EdDSA"))).keys
    assert key.algorithms == {"EdDSA", "Ed25519"}
    (key,) = parse_jwk_set(make_p384_key()[1]).keys
    assert key.algorithms == {"ES384"}
