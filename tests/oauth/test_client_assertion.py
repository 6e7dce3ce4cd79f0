"""private_key_jwt: for us, short, once, by the client itself (PROTOCOL 48 to 51)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.jose_makers import ALGORITHMS, NOW, make_key, make_keys, make_p384_key, sign, sign_with_header, write
from oauth.laws import law
from rowgate.oauth.client_assertion import (
    JWT_BEARER,
    JWT_SPIFFE,
    MAX_JTI_LENGTH,
    PresentedAssertion,
    VerifiedAssertion,
    parse_client_assertion,
    verify_client_assertion,
)
from rowgate.oauth.errors import InvalidClient, InvalidRequest
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.jwk_set import parse_jwk_set

_ISSUER = "https://host.example"
_KEY = make_key("ES256")
_ENDPOINT = "https://host.example/token"


def _claims(**members: Any) -> dict[str, Any]:
    chosen = {"iss": "client", "sub": "client", "aud": _ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j", **members}
    return {name: value for name, value in chosen.items() if value is not ...}


def _present(token: str, **members: Any) -> PresentedAssertion:
    parameters = TokenParameters(client_assertion=token, client_assertion_type=JWT_BEARER, **members)
    presented = parse_client_assertion(parameters)
    assert presented is not None
    return presented


def _verify(token: str, **members: Any) -> VerifiedAssertion:
    keys = members.pop("keys", make_keys(_KEY))
    return verify_client_assertion(_present(token), keys, client_id="client", issuer=_ISSUER, now=NOW, **members)


def _refused(token: str, **members: Any) -> str:
    with pytest.raises(InvalidClient) as caught:
        _verify(token, **members)
    assert caught.value.description == "Client authentication failed."
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signed_by_a_registered_key_proves_the_client(algorithm: str) -> None:
    key = make_key(algorithm)
    verified = _verify(sign(key, _claims()), keys=make_keys(key))
    assert verified == VerifiedAssertion("client", "j", NOW + 60, key.kid)
    presented = _present(sign(key, _claims()), client_id="client")
    assert (presented.unverified_issuer, presented.unverified_subject, presented.is_of_a_client) == (
        "client",
        "client",
        True,
    )
    assert presented.unverified_assertion not in repr(presented)


@pytest.mark.parametrize("algorithm", ["PS256", "ES384", "Ed25519"])
def test_other_allowed_algorithms_of_another_maker(algorithm: str) -> None:
    from joserfc import jws  # noqa: PLC0415

    from oauth.jose_makers import make_jwks, to_joserfc  # noqa: PLC0415

    if algorithm == "ES384":
        private, jwks = make_p384_key()
        token = jws.serialize_compact({"alg": algorithm}, json.dumps(_claims()), private, algorithms=[algorithm])
    else:
        key = make_key("RS256" if algorithm == "PS256" else "EdDSA")
        members = json.loads(make_jwks(key))
        del members["keys"][0]["alg"]
        jwks = json.dumps(members).encode()
        token = jws.serialize_compact(
            {"alg": algorithm}, json.dumps(_claims()), to_joserfc(key), algorithms=[algorithm]
        )
    assert _verify(token, keys=parse_jwk_set(jwks)).client_id == "client"


@pytest.mark.parametrize("assertion_type", [None, "", "jwt-bearer", JWT_BEARER + " ", JWT_BEARER.upper()])
def test_protocol_48_assertion_needs_its_type(assertion_type: str | None) -> None:
    parameters = TokenParameters(client_assertion="a.b.c", client_assertion_type=assertion_type)
    with pytest.raises(InvalidRequest):
        parse_client_assertion(parameters)


def test_protocol_48_type_needs_its_assertion() -> None:
    for assertion_type in (JWT_BEARER, JWT_SPIFFE):
        with pytest.raises(InvalidRequest):
            parse_client_assertion(TokenParameters(client_assertion_type=assertion_type))
    assert parse_client_assertion(TokenParameters()) is None


def test_protocol_40_client_id_beside_it_is_the_same() -> None:
    with pytest.raises(InvalidRequest):
        _present(sign(_KEY, _claims()), client_id="another")


@law
@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda payload: sign(_KEY, payload or b"{")))
def test_anything_else_is_refused(text: str) -> None:
    _refused(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exp": NOW}, "assertion_expired"),
        ({"exp": NOW - 300}, "assertion_expired"),
        ({"exp": ...}, "assertion_claims"),
        ({"exp": None}, "assertion_claims"),
        ({"exp": True}, "assertion_claims"),
        ({"exp": str(NOW + 60)}, "assertion_claims"),
        ({"exp": NOW + 3700}, "assertion_lives_too_long"),
        ({"exp": 10**400}, "assertion_lives_too_long"),
        ({"iat": NOW - 3700}, "assertion_too_old"),
        ({"iat": ..., "exp": NOW + 86_400}, "assertion_lives_too_long"),
        ({"iss": "another"}, "assertion_subject"),
        ({"sub": "another"}, "assertion_subject"),
        ({"iss": "another", "sub": "another"}, "assertion_subject"),
        ({"sub": ...}, "assertion_claims"),
        ({"iss": ...}, "assertion_claims"),
        ({"jti": ...}, "assertion_claims"),
        ({"jti": ""}, "assertion_jti"),
        ({"jti": "j" * (MAX_JTI_LENGTH + 1)}, "assertion_jti"),
    ],
)
def test_protocol_49_faulty_claims_are_refused(change: dict[str, Any], reason: str) -> None:
    token = sign(_KEY, json.dumps(_claims(**change)).encode())
    assert _refused(token) == reason


def test_protocol_49_forged_signature_is_refused() -> None:
    own = make_key("ES256", 9)
    assert _refused(write({"alg": "none"}, _claims())) == "assertion_unknown_key"
    assert _refused(write({"alg": "HS256", "kid": _KEY.kid}, _claims())) == "assertion_wrong_algorithm"
    assert _refused(sign(own, _claims())) == "assertion_unknown_key"
    assert _refused(sign_with_header(own, {"alg": "ES256", "kid": _KEY.kid}, _claims())) == "assertion_forged_signature"


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "token-introspection+jwt", "secevent+jwt"])
def test_signed_for_another_use_is_refused(typ: str) -> None:
    assert _refused(sign(_KEY, _claims(), typ)) == "assertion_wrong_type"
    assert _verify(sign(_KEY, _claims(), "client-authentication+jwt")).client_id == "client"


@pytest.mark.parametrize(
    "audience",
    [
        [_ISSUER],
        [_ISSUER, "https://other.example"],
        [],
        _ISSUER + "/",
        _ISSUER + "/token",
        _ISSUER[:-1],
        "",
        "HTTPS://host.example",
    ],
)
def test_protocol_50_audience_is_us_and_nobody_else(audience: Any) -> None:
    assert _refused(sign(_KEY, _claims(aud=audience))) == "assertion_audience"


def test_protocol_50_token_endpoint_only_behind_the_switch() -> None:
    token = sign(_KEY, _claims(aud=_ENDPOINT))
    assert _refused(token) == "assertion_audience"
    assert _verify(token, compatible_audiences=(_ENDPOINT,)).client_id == "client"
    assert _refused(sign(_KEY, _claims(aud=[_ENDPOINT])), compatible_audiences=(_ENDPOINT,)) == "assertion_audience"


@law
@given(st.sampled_from(["iat", "nbf"]), st.integers(-3000, 120))
def test_protocol_51_clock_ahead_a_little_passes_and_much_does_not(name: str, ahead: int) -> None:
    token = sign(_KEY, _claims(exp=NOW + 500, **{name: NOW + ahead}))
    if ahead <= 10:
        assert _verify(token).client_id == "client"
    elif ahead > 60:
        assert _refused(token) == "assertion_not_yet"
