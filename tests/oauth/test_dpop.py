"""DPoP proofs: what RFC 9449 §4.3 asks is held, one claim at a time; and whatever comes, a proof or a refusal."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from oauth.laws import law
from rowgate.oauth.dpop import (
    MAX_JTI_LENGTH,
    MAX_PROOF_LENGTH,
    DpopPolicy,
    DpopProof,
    check_bound_key,
    render_dpop_challenge,
    verify_dpop_proof,
)
from rowgate.oauth.dpop_key import ALGORITHMS, decode_base64url
from rowgate.oauth.dpop_nonce import check_nonce, make_nonce
from rowgate.oauth.errors import (
    DpopRefusal,
    InvalidDpopProof,
    InvalidDpopProofAtResource,
    InvalidToken,
    MissingToken,
    UseDpopNonce,
    UseDpopNonceAtResource,
)

_NOW = 1_700_000_000.5
_URL = "https://rowgate.example/token"
_TOKEN = "rgat_abc"
_ATH = "j0oNVoHyCsrNmxRWtnKP5TScYRlaXMBsb4lwCUMHnIk"
_POLICY = DpopPolicy(algorithms=ALGORITHMS)
_KEY = ECKey.generate_key("P-256")
_OTHER = ECKey.generate_key("P-256")
_NONCE_KEY = b"n" * 32
_WITH_NONCES = DpopPolicy(nonce_keys=(_NONCE_KEY, b"o" * 32), nonce_required=True)

# RFC 9449, Figures 2, 5, 9 and 13
_RFC_HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs"
    "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
_RFC_TOKEN_PROOF = (
    f"{_RFC_HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3"
    "Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
_RFC_RESOURCE_PROOF = (
    f"{_RFC_HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9y"
    "Zy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbV"
    "FFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
_RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _claims(**changed: Any) -> dict[str, Any]:
    claims = {"jti": "one", "htm": "POST", "htu": _URL, "iat": int(_NOW), **changed}
    return {name: value for name, value in claims.items() if value is not ...}


def _prove(key: Any = _KEY, *, alg: str = "ES256", header: dict[str, Any] | None = None, **changed: Any) -> bytes:
    """Give a proof made by a JOSE library that the server does not read proofs with."""
    protected = {"typ": "dpop+jwt", "alg": alg, "jwk": key.as_dict(private=False), **(header or {})}
    protected = {name: value for name, value in protected.items() if value is not ...}
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jws.serialize_compact(protected, json.dumps(_claims(**changed)), key, registry=registry).encode()


def _sign_raw(header: bytes, claims: bytes) -> bytes:
    """Give a proof signed by hand, whatever its parts are."""
    signed = f"{_base64url(header)}.{_base64url(claims)}".encode()
    r, s = utils.decode_dss_signature(_KEY.private_key.sign(signed, ec.ECDSA(hashes.SHA256())))  # type: ignore[union-attr]
    return signed + b"." + _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")).encode()


def _verify(*proofs: bytes, policy: DpopPolicy = _POLICY, **changed: Any) -> DpopProof:
    expected: dict[str, Any] = {"method": "POST", "url": _URL, "now": _NOW, **changed}
    return verify_dpop_proof(proofs, policy=policy, **expected)


def _reason(*proofs: bytes, **changed: Any) -> str:
    with pytest.raises(InvalidDpopProof) as refused:
        _verify(*proofs, **changed)
    return refused.value.reason


def test_the_standards_own_proofs_hold() -> None:
    """RFC 9449, Figures 5 and 13, with the thumbprint of Figure 9: made by none of the tools used here."""
    proof = _verify(_RFC_TOKEN_PROOF.encode(), url="https://server.example.com/token", now=1_562_262_616)
    assert (proof.jkt, proof.jti, proof.issued_at) == (_RFC_JKT, "-BwC3ESc6acc2lTc", 1_562_262_616)
    at_resource = _verify(
        _RFC_RESOURCE_PROOF.encode(),
        method="GET",
        url="https://resource.example.org/protectedresource",
        now=1_562_262_618,
        access_token="Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
    )
    assert at_resource.jkt == _RFC_JKT


@cache
def _make_rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048)


@pytest.mark.parametrize(
    ("alg", "make_key"),
    [
        ("ES256", lambda: _KEY),
        ("ES384", lambda: ECKey.generate_key("P-384")),
        ("ES512", lambda: ECKey.generate_key("P-521")),
        ("Ed25519", lambda: OKPKey.generate_key("Ed25519")),
        *((alg, _make_rsa_key) for alg in ("PS256", "RS256", "PS384", "RS384", "PS512", "RS512")),
    ],
)
def test_71_proofs_of_another_maker_hold(alg: str, make_key: Callable[[], Any]) -> None:
    """joserfc makes the proof and its thumbprint; the server reads both without it."""
    key = make_key()
    assert _verify(_prove(key, alg=alg)).jkt == key.thumbprint()


def test_71_eddsa_by_hand_holds() -> None:
    """The older name of Ed25519, which clients still send (RFC 8037 §3.1, RFC 9864 §4)."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _base64url(key.public_key().public_bytes_raw())}
    header = json.dumps({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk}).encode()
    signed = f"{_base64url(header)}.{_base64url(json.dumps(_claims()).encode())}".encode()
    assert _verify(signed + b"." + _base64url(key.sign(signed)).encode()).jkt == OKPKey.import_key(jwk).thumbprint()  # type: ignore[arg-type]


def test_71_not_more_and_not_less_than_one_header() -> None:
    assert _reason() == "no_proof"
    assert _reason(_prove(), _prove()) == "two_proofs"
    assert _reason(_prove() + b", " + _prove()) == "malformed_proof"


@pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat"])
def test_71_every_claim_is_required(claim: str) -> None:
    absent: dict[str, Any] = {claim: ...}
    assert _reason(_prove(**absent)) == "malformed_proof"
    wrong_values: tuple[Any, ...] = (None, [], {}, True)
    for wrong in wrong_values:
        changed: dict[str, Any] = {claim: wrong}
        assert _reason(_prove(**changed)) == "malformed_proof"


@pytest.mark.parametrize("member", ["typ", "jwk"])
def test_71_every_header_member_is_required(member: str) -> None:
    assert _reason(_prove(header={member: ...})) == "malformed_proof"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "DPoP+JWT", "application/dpop+jwt", ""])
def test_71_typ_is_dpop_jwt(typ: str) -> None:
    assert _reason(_prove(header={"typ": typ})) == "wrong_typ"


@pytest.mark.parametrize("alg", ["none", "NONE", "HS256", "HS512", "ES256K", "", "RSA1_5"])
def test_71_only_asymmetric_algorithms(alg: str) -> None:
    header = json.dumps({"typ": "dpop+jwt", "alg": alg, "jwk": _KEY.as_dict(private=False)}).encode()
    assert _reason(_sign_raw(header, json.dumps(_claims()).encode())) == "algorithm_not_accepted"


def test_71_only_algorithms_of_the_policy() -> None:
    assert _reason(_prove(), policy=DpopPolicy(algorithms=("EdDSA",))) == "algorithm_not_accepted"


def test_71_a_mac_with_the_public_key_is_no_proof() -> None:
    """RFC 8725 §2.1: the key in the header must not become the secret of a MAC."""
    jwk = {"kty": "oct", "k": _base64url(b"s" * 32)}
    header = json.dumps({"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk}).encode()
    signed = f"{_base64url(header)}.{_base64url(json.dumps(_claims()).encode())}".encode()
    proof = signed + b"." + _base64url(hmac.digest(b"s" * 32, signed, "sha256")).encode()
    assert _reason(proof) == "algorithm_not_accepted"


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_71_a_private_member_in_the_key_is_refused(member: str) -> None:
    jwk = {**_KEY.as_dict(private=False), member: None}
    header = json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}).encode()
    assert _reason(_sign_raw(header, json.dumps(_claims()).encode())) == "unusable_key"


def test_71_the_key_goes_with_the_algorithm() -> None:
    rsa, p384 = RSAKey.generate_key(2048), ECKey.generate_key("P-384")
    for alg, key in (("ES256", rsa), ("RS256", _KEY), ("EdDSA", _KEY), ("ES256", p384), ("ES384", _KEY)):
        header = json.dumps({"typ": "dpop+jwt", "alg": alg, "jwk": key.as_dict(private=False)}).encode()
        assert _reason(_sign_raw(header, json.dumps(_claims()).encode())) == "unusable_key"


@pytest.mark.parametrize(
    "changed",
    [
        {"x": _base64url(b"\x01" * 32)},  # not on the curve
        {"x": ""},
        {"x": str(_KEY.as_dict()["x"]) + "="},
        {"x": _base64url(b"\x00" + decode_base64url(str(_KEY.as_dict()["x"]).encode()))},
        {"crv": "P-384"},
        {"kty": "ec"},
        {"kty": "oct", "k": "AAAA"},
    ],
)
def test_71_a_key_that_is_none_is_refused(changed: dict[str, str]) -> None:
    header = json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": {**_KEY.as_dict(private=False), **changed}}).encode()
    assert _reason(_sign_raw(header, json.dumps(_claims()).encode())) == "unusable_key"


@pytest.mark.parametrize(("n", "e"), [(b"\xff" * 128, b"\x01\x00\x01"), (b"\xff" * 1024, b"\x01\x00\x01")])
def test_71_rsa_keys_are_neither_short_nor_costly(n: bytes, e: bytes) -> None:
    jwk = {"kty": "RSA", "n": _base64url(n), "e": _base64url(e)}
    header = json.dumps({"typ": "dpop+jwt", "alg": "RS256", "jwk": jwk}).encode()
    assert _reason(_sign_raw(header, json.dumps(_claims()).encode())) == "unusable_key"


def test_71_the_signature_is_of_the_key_in_the_header() -> None:
    assert _reason(_prove(header={"jwk": _OTHER.as_dict(private=False)})) == "bad_signature"


def test_71_an_extension_that_must_be_understood_is_refused() -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": _KEY.as_dict(private=False), "crit": ["b64"], "b64": False}
    assert _reason(_sign_raw(json.dumps(header).encode(), json.dumps(_claims()).encode())) == "critical_extension"


def test_71_unknown_members_are_ignored() -> None:
    """RFC 9449 §4.2: a proof MAY contain others; a key by reference is never fetched."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": _KEY.as_dict(private=False), "jku": "https://evil.example"}
    assert _verify(_sign_raw(json.dumps(header).encode(), json.dumps(_claims(x=[1])).encode())).jkt == _KEY.thumbprint()


@pytest.mark.parametrize("htm", ["GET", "post", "POST ", ""])
def test_71_htm_is_the_method(htm: str) -> None:
    assert _reason(_prove(htm=htm)) == "wrong_htm"


@pytest.mark.parametrize(
    "htu",
    [
        _URL,
        "HTTPS://ROWGATE.example:443/token",
        _URL + "?a=b#c",
        "https://rowgate.example:/%74oken",
        "https://rowgate.example/a/../token",
    ],
)
def test_71_htu_is_compared_in_its_normal_form(htu: str) -> None:
    _verify(_prove(htu=htu))
    _verify(_prove(htu=htu), url=_URL + "?query=1")


@pytest.mark.parametrize(
    "htu",
    [
        "http://rowgate.example/token",
        "https://rowgate.example:8443/token",
        "https://rowgate.example/Token",
        "https://rowgate.example/token/",
        "https://rowgate.example.evil/token",
        "https://rowgate.example@evil.example/token",
        "https://user@rowgate.example/token",
        "https://rowgate.example/%2574oken",
        "/token",
        "",
        "https://rowgate.example/tok\u0435n",
        _URL + "\n",
    ],
)
def test_71_htu_is_the_url(htu: str) -> None:
    assert _reason(_prove(htu=htu)) == "wrong_htu"


@pytest.mark.parametrize("ahead", [-59, -10, 0, 10])
def test_51_a_proof_near_now_holds(ahead: int) -> None:
    assert _verify(_prove(iat=int(_NOW) + ahead)).forget_at == int(_NOW) + ahead + 60


@pytest.mark.parametrize(
    ("iat", "reason"),
    [(_NOW + 10.5, "future_proof"), (10**300, "future_proof"), (_NOW - 60, "old_proof"), (0, "old_proof")],
)
def test_51_a_proof_out_of_its_time_is_refused(iat: float, reason: str) -> None:
    assert _reason(_prove(iat=iat)) == reason


def test_51_the_window_is_a_setting() -> None:
    policy = DpopPolicy(max_age_seconds=5, max_ahead_seconds=0)
    assert _reason(_prove(iat=int(_NOW) - 5), policy=policy) == "old_proof"
    assert _reason(_prove(iat=int(_NOW) + 1), policy=policy) == "future_proof"


@law
@given(st.floats(-100, 100), st.floats(0, 200))
def test_a_proof_that_is_forgotten_is_refused_for_its_age(ahead: float, later: float) -> None:
    """A replay is refused by memory until `forget_at`, and by age from then on: there is no gap."""
    sent = _prove(iat=_NOW + ahead)
    try:
        proof = _verify(sent)
    except InvalidDpopProof:
        return
    try:
        again = _verify(sent, now=_NOW + later)
    except InvalidDpopProof:
        return
    assert _NOW + later < proof.forget_at
    assert again.replay_handle == proof.replay_handle


def test_71_jti_is_bounded_and_not_empty() -> None:
    assert _reason(_prove(jti="")) == "bad_jti"
    assert _reason(_prove(jti="a" * (MAX_JTI_LENGTH + 1))) == "bad_jti"
    assert len(_verify(_prove(jti="a" * MAX_JTI_LENGTH)).replay_handle) == 16


def test_71_a_jti_is_one_keys_own() -> None:
    """Nobody can use up the jti of somebody else."""
    handles = {_verify(_prove(key, jti=jti)).replay_handle for key in (_KEY, _OTHER) for jti in ("a", "b")}
    assert len(handles) == 4


def test_107_at_the_resource_the_proof_is_for_this_token() -> None:
    expected = _base64url(hashlib.sha256(_TOKEN.encode()).digest())
    _verify(_prove(ath=expected), access_token=_TOKEN)
    for wrong in (..., _ATH, expected + "=", expected.lower()):
        with pytest.raises(InvalidDpopProofAtResource) as refused:
            _verify(_prove(ath=wrong), access_token=_TOKEN)
        assert (refused.value.status, refused.value.reason) == (401, "wrong_ath")
    with pytest.raises(InvalidDpopProof) as at_token:
        _verify(_prove(htm="GET"))
    assert at_token.value.status == 400


def test_107_a_bound_token_needs_its_key() -> None:
    proof, jkt = _verify(_prove()), str(_KEY.thumbprint())
    check_bound_key(jkt, proof)
    check_bound_key("", None)
    for bound, sent in ((jkt, None), ("", proof), (str(_OTHER.thumbprint()), proof)):
        with pytest.raises(InvalidToken):
            check_bound_key(bound, sent)


def test_107_the_challenge_names_the_algorithms() -> None:
    refusal = InvalidDpopProofAtResource("The DPoP proof is too old.", reason="old_proof")
    assert render_dpop_challenge(refusal, algorithms=("ES256", "PS256")) == (
        'DPoP realm="rowgate", error="invalid_dpop_proof", error_description="The DPoP proof is too old.", '
        'algs="ES256 PS256"'
    )
    for nothing in (None, MissingToken("x", reason="no_token")):
        assert render_dpop_challenge(nothing, algorithms=("ES256",)) == 'DPoP realm="rowgate", algs="ES256"'


def test_71_a_nonce_is_asked_for_and_taken() -> None:
    with pytest.raises(UseDpopNonce) as refused:
        _verify(_prove(), policy=_WITH_NONCES)
    assert (refused.value.status, refused.value.code) == (400, "use_dpop_nonce")
    for key in _WITH_NONCES.nonce_keys:
        nonce = make_nonce(key, _NOW - 1, b"r" * 8)
        assert not _verify(_prove(nonce=nonce), policy=_WITH_NONCES).renew_nonce
    old = make_nonce(_NONCE_KEY, _NOW - 200, b"r" * 8)
    assert _verify(_prove(nonce=old), policy=_WITH_NONCES).renew_nonce


@pytest.mark.parametrize(
    "nonce",
    [
        "",
        "x" * 39,
        "é" * 39,
        make_nonce(b"z" * 32, _NOW, b"r" * 8),
        make_nonce(_NONCE_KEY, _NOW - 300, b"r" * 8),
        make_nonce(_NONCE_KEY, _NOW + 30, b"r" * 8),
        make_nonce(_NONCE_KEY, _NOW, b"r" * 8) + "=",
    ],
)
def test_71_another_nonce_is_not_taken(nonce: str) -> None:
    with pytest.raises(UseDpopNonce):
        _verify(_prove(nonce=nonce), policy=_WITH_NONCES)
    ath = _base64url(hashlib.sha256(_TOKEN.encode()).digest())
    with pytest.raises(UseDpopNonceAtResource):
        _verify(_prove(nonce=nonce, ath=ath), policy=_WITH_NONCES, access_token=_TOKEN)


@law
@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**39), st.binary(min_size=8, max_size=8), st.data())
def test_a_nonce_lives_its_life_and_no_other_opens(key: bytes, now: int, random: bytes, data: st.DataObject) -> None:
    nonce = make_nonce(key, now, random)
    assert check_nonce(key, nonce, now + data.draw(st.integers(-10, 299)))
    assert not check_nonce(key, nonce, now + data.draw(st.integers(300, 10**6)))
    assert not check_nonce(bytes(32) if key != bytes(32) else b"1" * 32, nonce, now)
    place = data.draw(st.integers(0, len(nonce) - 1))
    changed = nonce[:place] + data.draw(st.sampled_from("Aa0-_")) + nonce[place + 1 :]
    assert changed == nonce or not check_nonce(key, changed, now)


@law
@given(
    st.one_of(
        st.binary(max_size=300), st.tuples(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
    )
)
def test_whatever_comes_only_refusals_come_out(sent: bytes | tuple[bytes, ...]) -> None:
    text = sent if isinstance(sent, bytes) else ".".join(_base64url(part) for part in sent).encode()
    with pytest.raises(DpopRefusal):
        _verify(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@law
@given(
    st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "crit", "x"]), _JSON, max_size=3),
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d"]), _JSON, max_size=3),
    st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce"]), _JSON, max_size=3),
    st.sampled_from(["ES256", "EdDSA", "RS256", "PS256"]),
)
def test_any_json_gives_a_proof_or_a_refusal(header: Any, jwk: Any, claims: Any, alg: str) -> None:
    whole = {"typ": "dpop+jwt", "alg": alg, "jwk": {**_KEY.as_dict(private=False), **jwk}, **header}
    sent = _sign_raw(json.dumps(whole).encode(), json.dumps({**_claims(), **claims}).encode())
    try:
        proof = _verify(sent)
    except DpopRefusal:
        return
    assert proof.jkt == _KEY.thumbprint()


@law
@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    sent = bytearray(_prove())
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InvalidDpopProof):
        _verify(bytes(sent))


def test_a_long_proof_is_not_even_read() -> None:
    begun = time.thread_time()
    assert _reason(b"e" * 10_000_000) == "malformed_proof"
    assert _reason(b"." * MAX_PROOF_LENGTH) == "malformed_proof"
    assert _reason(_sign_raw(b"[" * 2500, b"{}")) == "malformed_proof"
    assert time.thread_time() - begun < 1
