"""Signatures: ours verify everywhere, and no forged shape verifies here (R19, RFC 8725 §3)."""

import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.jose_makers import ALGORITHMS, make_jwks, make_key, make_keys, sign, sign_with_header, write
from oauth.laws import law
from rowgate.oauth.jwk_set import parse_jwk_set
from rowgate.oauth.jws import (
    FORBIDDEN,
    MAX_JWS_LENGTH,
    UnverifiableJws,
    VerificationKeys,
    decode_base64url,
    encode_base64url,
    read_unverified_header,
    verify_jws,
)
from rowgate.oauth.signing import make_signer

_PAYLOAD = {"a": 1}
_KEY = make_key("ES256")


def _verify(token: str, keys: VerificationKeys, types: tuple[str | None, ...] = (None, "jwt")) -> bytes:
    return verify_jws(token, keys.find, types=types)[0]


def _refused(token: str, *, keys: VerificationKeys | None = None) -> str:
    with pytest.raises(UnverifiableJws) as caught:
        _verify(token, keys or make_keys(_KEY))
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_signed_verifies_as_itself(algorithm: str) -> None:
    key = make_key(algorithm)
    signer, keys = make_signer(key, "JWT"), make_keys(key)

    @law
    @given(st.binary(min_size=1, max_size=300))
    def check(payload: bytes) -> None:
        assert _verify(signer.sign(payload), keys) == payload

    check()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_changed_character_is_refused(algorithm: str) -> None:
    key = make_key(algorithm)
    keys, token = make_keys(key), sign(key, _PAYLOAD)
    for place, sign_there in enumerate(token):
        for other in "AB-=. \u00e9":
            if other != sign_there:
                _refused(token[:place] + other + token[place + 1 :], keys=keys)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_cut_or_extended_is_refused(algorithm: str) -> None:
    key = make_key(algorithm)
    keys, token = make_keys(key), sign(key, _PAYLOAD)
    for altered in (token[:-1], token + "A", token + "=", token + "\n", " " + token, token + ".", "." + token, ""):
        _refused(altered, keys=keys)


@law
@given(
    st.one_of(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
)
def test_anything_else_is_unverifiable(text: str) -> None:
    _refused(text)


@law
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_header_is_refused_or_read(value: Any) -> None:
    for header in (
        value,
        {"alg": value},
        {"alg": "ES256", "kid": value},
        {"alg": "ES256", "kid": _KEY.kid, "typ": value},
    ):
        _refused(write(header, _PAYLOAD))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_protocol_105_no_algorithm_is_refused(name: str) -> None:
    """CVE-2026-28802: with and without a signature, with and without a key id."""
    for header in ({"alg": name}, {"alg": name, "kid": _KEY.kid}):
        _refused(write(header, _PAYLOAD))
        _refused(write(header, _PAYLOAD, b""))
        _refused(sign_with_header(_KEY, header, _PAYLOAD))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_public_key_is_no_shared_secret(algorithm: str) -> None:
    """CVE-2022-29217, CVE-2024-37568: HS256 under any spelling of the public key."""
    key = make_key(algorithm)
    jwks = make_jwks(key)
    for secret in (jwks, json.dumps(json.loads(jwks)["keys"][0]).encode(), b"", key.kid.encode()):
        for header in ({"alg": "HS256"}, {"alg": "HS256", "kid": key.kid}):
            unsigned = write(header, _PAYLOAD).rpartition(".")[0]
            mac = hmac.digest(secret, unsigned.encode(), hashlib.sha256)
            assert _refused(f"{unsigned}.{encode_base64url(mac).decode()}", keys=make_keys(key)) in {
                "wrong_algorithm",
                "unknown_key",
            }


@pytest.mark.parametrize(
    "claimed", ["EdDSA", "ES256", "ES384", "RS256", "RS512", "PS256", "ES256K", "HS256", "Ed448", "dir"]
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_algorithm_is_the_keys_own(algorithm: str, claimed: str) -> None:
    key = make_key(algorithm)
    if claimed != algorithm:
        _refused(sign_with_header(key, {"alg": claimed, "kid": key.kid}, _PAYLOAD), keys=make_keys(key))


def test_signed_under_pss_verifies_only_as_pss() -> None:
    """One RSA key of a set without `alg` has two algorithms, and they are not taken for each other."""
    key = make_key("RS256")
    assert _refused(sign_with_header(key, {"alg": "PS256", "kid": key.kid}, _PAYLOAD), keys=_without_alg(key)) == (
        "forged_signature"
    )
    assert _verify(sign(key, _PAYLOAD), _without_alg(key))


def _without_alg(key: Any) -> VerificationKeys:
    members = json.loads(make_jwks(key))
    del members["keys"][0]["alg"]
    return parse_jwk_set(json.dumps(members).encode())


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("value", [None, "", "https://evil.example/keys", [], ["exp"], {}, True])
def test_header_that_brings_keys_or_demands_is_refused(name: str, value: Any) -> None:
    """CVE-2026-27962 (jwk), CVE-2025-59420 and CVE-2026-32597 (crit); truly signed by the right key."""
    header = {"alg": "ES256", "kid": _KEY.kid, name: value}
    assert _refused(sign_with_header(_KEY, header, _PAYLOAD)) == "forbidden_header"


def test_key_in_the_header_is_never_used() -> None:
    """CVE-2026-27962: an attacker signs with a key of his own and sends it along."""
    attacker = make_key("ES256", 9)
    own = json.loads(make_jwks(attacker))["keys"][0]
    for header in ({"alg": "ES256", "jwk": own}, {"alg": "ES256", "kid": _KEY.kid, "jwk": own}):
        assert _refused(sign_with_header(attacker, header, _PAYLOAD)) == "forbidden_header"
    assert _refused(sign_with_header(attacker, {"alg": "ES256", "kid": _KEY.kid}, _PAYLOAD)) == "forged_signature"
    assert _refused(sign_with_header(attacker, {"alg": "ES256"}, _PAYLOAD)) == "forged_signature"


def test_unknown_members_of_a_header_are_ignored() -> None:
    """RFC 7515 §4: what is not understood and not critical is ignored."""
    header = {"alg": "ES256", "kid": _KEY.kid, "x5t": "abc", "something": [1]}
    assert json.loads(_verify(sign_with_header(_KEY, header, _PAYLOAD), make_keys(_KEY))) == _PAYLOAD


def test_length_is_judged_before_anything_is_decoded() -> None:
    """CVE-2025-61920: a long header costs nothing."""
    long = "A" * 10_000_000
    assert _refused(f"{long}.e30.AA") == "too_long"
    assert _refused("." * (MAX_JWS_LENGTH + 1)) == "too_long"
    assert _refused("A" * 1025 + ".e30.AA") == "too_long"
    assert _refused("." * MAX_JWS_LENGTH) == "malformed"


def test_deep_nesting_is_refused() -> None:
    deep = encode_base64url(b'{"alg":"ES256","x":' + b"[" * 700).decode()
    assert _refused(f"{deep}.e30.AA") == "malformed"


def test_other_serializations_and_encryption_are_refused() -> None:
    """JSON serialization, five parts, and a token inside a token."""
    header, payload, signature = sign(_KEY, _PAYLOAD).split(".")
    for text in (
        json.dumps({"protected": header, "payload": payload, "signature": signature}),
        f"{header}.{payload}.{signature}.{payload}.{signature}",
        f"{header}..{signature}",
        f"{header}.{payload}.",
    ):
        assert _refused(text) == "malformed"
    nested = sign_with_header(_KEY, {"alg": "ES256", "kid": _KEY.kid, "cty": "JWT"}, sign(_KEY, _PAYLOAD))
    assert _refused(nested) == "forbidden_header"


@pytest.mark.parametrize("signature", [b"\0" * 64, b"\xff" * 64, b"\0" * 63, b"\0", b"0" * 132])
def test_degenerate_signatures_are_refused(signature: bytes) -> None:
    """r = s = 0 and other lengths (CVE-2022-21449)."""
    for algorithm in ALGORITHMS:
        key = make_key(algorithm)
        token = write({"alg": algorithm, "kid": key.kid}, _PAYLOAD, signature)
        assert _refused(token, keys=make_keys(key)) == "forged_signature"


def test_types_are_compared_as_media_types() -> None:
    token = sign(_KEY, _PAYLOAD, "application/AT+jwt")
    assert _verify(token, make_keys(_KEY), ("at+jwt",))
    for types in ((None, "jwt"), ("at",), ()):
        with pytest.raises(UnverifiableJws):
            _verify(token, make_keys(_KEY), types)


def test_no_key_id_tries_the_keys_of_the_algorithm() -> None:
    """A client that sends no key id survives the exchange of its key."""
    old, new = make_key("ES256", 1), make_key("ES256", 2)
    for key in (old, new):
        assert _verify(sign_with_header(key, {"alg": "ES256"}, _PAYLOAD), make_keys(old, new))
    assert _refused(sign_with_header(new, {"alg": "ES256"}, _PAYLOAD), keys=make_keys(old)) == "forged_signature"
    assert _refused(sign_with_header(old, {"alg": "ES256", "kid": "?"}, _PAYLOAD)) == "unknown_key"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_library_verifies_ours_and_we_verify_its(algorithm: str) -> None:
    """Authlib, by its own code for keys and signatures."""
    with warnings.catch_warnings(record=True):  # it says that it will move, and will not be silenced otherwise
        warnings.simplefilter("ignore")
        from authlib.jose import JsonWebKey, JsonWebSignature  # noqa: PLC0415
    key = make_key(algorithm)
    other = JsonWebSignature(algorithms=[algorithm])
    public = JsonWebKey.import_key(json.loads(make_jwks(key))["keys"][0])
    assert json.loads(other.deserialize_compact(sign(key, _PAYLOAD), public)["payload"]) == _PAYLOAD
    private = JsonWebKey.import_key(
        key.private_key, {"kty": {"EdDSA": "OKP", "ES256": "EC", "RS256": "RSA"}[algorithm]}
    )
    theirs = other.serialize_compact({"alg": algorithm, "kid": key.kid}, json.dumps(_PAYLOAD).encode(), private)
    assert json.loads(_verify(theirs.decode(), make_keys(key))) == _PAYLOAD


@law
@given(st.binary(max_size=100))
def test_base64url_is_a_round_trip(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data).decode()) == data


@law
@given(st.text(max_size=20))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        decoded = decode_base64url(text)
    except UnverifiableJws:
        return
    assert encode_base64url(decoded).decode() == text


def test_header_of_another_key_id_type_is_refused() -> None:
    with pytest.raises(UnverifiableJws):
        read_unverified_header(write({"alg": "ES256", "kid": 1}, _PAYLOAD))
