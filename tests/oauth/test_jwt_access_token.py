"""JWT access tokens: all claims there, checked by us and by others, nothing else passes (PROTOCOL 70, 105, 106)."""

import base64
import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.jose_makers import ALGORITHMS, NOW, make_jwks, make_key, sign, sign_with_header, to_joserfc
from oauth.laws import law
from oauth.makers import make_application, make_record
from rowgate.oauth.bearer import decide_bearer
from rowgate.oauth.errors import InvalidToken
from rowgate.oauth.jwt_access_token import (
    ACCESS_TOKEN_TYPE,
    Actor,
    Confirmation,
    JwtAccessToken,
    issue_jwt_access_token,
    looks_like_jwt,
    verify_jwt_access_token,
)
from rowgate.oauth.signing import make_signer, read_verification_keys
from rowgate.oauth.token_exchange import MAX_EXCHANGES
from rowgate.oauth.tokens import TokenRecord

_ISSUER = "https://host.example/t1"
_AUDIENCE = "https://host.example/api"
_KEY = make_key("ES256")
_KEYS = read_verification_keys([_KEY, make_key("EdDSA")], NOW)
_SIGNER = make_signer(_KEY, ACCESS_TOKEN_TYPE)
_IDS = st.binary(min_size=16, max_size=16)
_RECORDS = st.builds(
    TokenRecord,
    application_number=st.integers(1, 2**31),
    epoch=st.integers(0, 2**20),
    secret_number=st.integers(1, 2**31),
    issued_at=st.integers(0, 2**40),
    expires_at=st.integers(NOW + 1, 2**40),
    family=_IDS,
    scope=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60),
    made_of=st.lists(_IDS, max_size=MAX_EXCHANGES).map(tuple),
)


def _issue(**members: Any) -> str:
    chosen: dict[str, Any] = {"issuer": _ISSUER, "audience": [_AUDIENCE], "client_id": "client", **members}
    return issue_jwt_access_token(_SIGNER, b"i" * 16, make_record(expires_at=NOW + 1), **chosen)


def _verify(token: str, *, now: float = NOW) -> JwtAccessToken:
    return verify_jwt_access_token(token, _KEYS, issuer=_ISSUER, audience=_AUDIENCE, now=now)


def _refused(token: str, *, now: float = NOW) -> str:
    with pytest.raises(InvalidToken) as caught:
        _verify(token, now=now)
    return caught.value.reason


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@law
@given(_IDS, _RECORDS, st.sampled_from([None, Confirmation(jkt="j"), Confirmation(x5t_s256="x")]), st.booleans())
def test_issuing_and_verifying_is_a_round_trip(
    token_id: bytes,
    record: TokenRecord,
    confirmation: Confirmation | None,
    exchanged: bool,  # noqa: FBT001
) -> None:
    actor = Actor("gateway", Actor("job")) if exchanged else None
    details = b'[{"type":"rowgate_object","object":"T"}]' if exchanged else b""
    token = issue_jwt_access_token(
        _SIGNER,
        token_id,
        record,
        issuer=_ISSUER,
        audience=["https://other.example", _AUDIENCE] if exchanged else [_AUDIENCE],
        client_id="client",
        confirmation=confirmation,
        actor=actor,
        authorization_details=details,
    )
    verified = _verify(token)
    # RFC 8693 §4.3: the one is who asked, the other whose it is
    asking = "gateway" if exchanged else "client"
    assert (verified.token_id, verified.record) == (token_id, record)
    assert (verified.client_id, verified.subject) == (asking, "client")
    assert (verified.confirmation, verified.actor, verified.authorization_details) == (confirmation, actor, details)
    assert looks_like_jwt(token)


def test_protocol_70_every_claim_of_the_standard_is_there() -> None:
    token = _issue()
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": _KEY.kid}
    claims = _claims(token)
    assert set(claims) == {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "rowgate"}
    assert claims["sub"] == claims["client_id"] == "client"
    assert claims["aud"] == _AUDIENCE
    assert _claims(_issue(confirmation=Confirmation(x5t_s256="x")))["cnf"] == {"x5t#S256": "x"}


def test_verified_token_is_what_the_bearer_check_asks_for() -> None:
    verified = _verify(_issue())
    application = make_application()
    access = decide_bearer(verified.token_id, verified.record, application, resource=_AUDIENCE, revoked=False, now=NOW)
    assert access.token_id == _claims(_issue())["jti"]
    with pytest.raises(InvalidToken):
        decide_bearer(
            verified.token_id, verified.record, make_application(epoch=1), resource=_AUDIENCE, revoked=False, now=NOW
        )


@pytest.mark.parametrize("claim", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "rowgate"])
def test_protocol_105_missing_or_strange_claim_is_refused(claim: str) -> None:
    claims = _claims(_issue())
    strange: Any
    for strange in (None, True, [1], {}, "\u0000", -1.5):
        altered = {**claims, claim: strange}
        if _accepts_text(claim) and strange == "\u0000":
            continue
        assert _refused(sign(_KEY, altered, "at+jwt")) in {"jwt_claims", "jwt_audience", "jwt_issuer"}
    del claims[claim]
    assert _refused(sign(_KEY, claims, "at+jwt")) == "jwt_claims"


def _accepts_text(claim: str) -> bool:
    return claim in {"sub", "client_id", "scope"}


@law
@given(st.binary(max_size=60))
def test_any_signed_payload_is_a_token_or_a_refusal(payload: bytes) -> None:
    _refused(_sign_raw(payload or b"\xff"))


def _sign_raw(payload: bytes) -> str:
    return _SIGNER.sign(payload)


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "", "at", "dpop+jwt", "token-introspection+jwt", "client-authentication+jwt", "logout+jwt"]
)
def test_protocol_105_other_type_is_refused(typ: str) -> None:
    assert _refused(sign(_KEY, _claims(_issue()), typ)) == "jwt_wrong_type"
    no_type = {"alg": "ES256", "kid": _KEY.kid}
    assert _refused(sign_with_header(_KEY, no_type, _claims(_issue()))) == "jwt_wrong_type"


def test_protocol_105_unknown_or_missing_key_id_is_refused() -> None:
    claims = _claims(_issue())
    for header in ({"alg": "ES256", "typ": "at+jwt"}, {"alg": "ES256", "typ": "at+jwt", "kid": "?"}):
        assert _refused(sign_with_header(_KEY, header, claims)) == "jwt_unknown_key"
    assert _refused(sign(make_key("ES256", 3), claims, "at+jwt")) == "jwt_unknown_key"


@pytest.mark.parametrize(
    "issuer",
    [_ISSUER + "/", _ISSUER[:-1], "https://host.example/t", _ISSUER.upper(), "", "https://host.example/t1.evil"],
)
def test_issuer_is_compared_whole(issuer: str) -> None:
    """CVE-2024-53861: a part of the issuer is not the issuer."""
    assert _refused(_issue(issuer=issuer)) == "jwt_issuer"


@pytest.mark.parametrize("audience", [_AUDIENCE + "/", _AUDIENCE[:-1], "", "https://host.example", f"{_AUDIENCE} x"])
def test_audience_is_compared_whole(audience: str) -> None:
    assert _refused(_issue(audience=[audience])) == "jwt_audience"
    assert _refused(_issue(audience=[audience, audience])) == "jwt_audience"
    assert _verify(_issue(audience=[audience, _AUDIENCE])).client_id == "client"


def test_expiry_instant_is_past() -> None:
    assert _verify(_issue(), now=NOW + 0.9).client_id == "client"
    assert _refused(_issue(), now=NOW + 1) == "expired_token"


def test_every_changed_character_is_refused() -> None:
    token = _issue()
    for place, there in enumerate(token):
        _refused(token[:place] + ("A" if there != "A" else "B") + token[place + 1 :])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_library_verifies_from_the_published_set(algorithm: str) -> None:
    """A resource server with Authlib reads our key set and our token, and its own token reads here."""
    with warnings.catch_warnings(record=True):  # it says that it will move, and will not be silenced otherwise
        warnings.simplefilter("ignore")
        from authlib.jose import JsonWebKey, JsonWebToken  # noqa: PLC0415
    key = make_key(algorithm)
    signer = make_signer(key, ACCESS_TOKEN_TYPE)
    token = issue_jwt_access_token(
        signer, b"i" * 16, make_record(expires_at=NOW + 1), issuer=_ISSUER, audience=[_AUDIENCE], client_id="client"
    )
    other = JsonWebToken([algorithm])
    claims = other.decode(token, JsonWebKey.import_key_set(json.loads(make_jwks(key))))
    assert dict(claims) == _claims(token)
    private = JsonWebKey.import_key(to_joserfc(key).as_dict(private=True))
    theirs = other.encode({"alg": algorithm, "typ": "at+jwt", "kid": key.kid}, dict(claims), private).decode()
    keys = read_verification_keys([key], NOW)
    assert verify_jwt_access_token(theirs, keys, issuer=_ISSUER, audience=_AUDIENCE, now=NOW).client_id == "client"
