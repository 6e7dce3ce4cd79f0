"""Introspection: a good token of yours is told, everything else is one word (PROTOCOL 92, 94)."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oauth.jose_makers import NOW, make_key, make_keys
from oauth.laws import law
from oauth.makers import make_record
from rowgate.oauth.introspection import (
    INTROSPECTION_TYPE,
    ActiveToken,
    decide_introspection,
    describe_token,
    render_introspection,
    sign_introspection,
)
from rowgate.oauth.jws import verify_jws
from rowgate.oauth.jwt_access_token import Actor, Confirmation
from rowgate.oauth.signing import make_signer

_KEY = make_key("EdDSA")
_SIGNER = make_signer(_KEY, INTROSPECTION_TYPE)


def _describe(**members: Any) -> ActiveToken:
    chosen: dict[str, Any] = {"client_id": "client", "scope": ["run", "read"], "issuer": "https://h", **members}
    return describe_token(b"i" * 16, make_record(), expires_at=1000, **chosen)


def test_protocol_92_active_token_is_told() -> None:
    assert json.loads(render_introspection(_describe())) == {
        "active": True,
        "scope": "read run",
        "client_id": "client",
        "sub": "client",
        "exp": 1000,
        "iat": 0,
        "iss": "https://h",
        "jti": (b"i" * 16).hex(),
        "token_type": "bearer",
    }


def test_optional_members_stand_only_where_they_are() -> None:
    told = json.loads(
        render_introspection(
            _describe(
                audience=["a", "b"],
                confirmation=Confirmation(jkt="j"),
                actor=Actor("x"),
                authorization_details=b'[{"type":"rowgate_object"}]',
            )
        )
    )
    assert told["aud"] == ["a", "b"]
    assert told["token_type"] == "DPoP"
    assert told["cnf"] == {"jkt": "j"}
    assert told["act"] == {"sub": "x"}
    assert told["authorization_details"] == [{"type": "rowgate_object"}]
    assert json.loads(render_introspection(_describe(audience=["a"])))["aud"] == "a"
    assert "token_type" not in json.loads(render_introspection(_describe(is_refresh_token=True)))


@law
@given(st.sampled_from(["client", "another", ""]), st.booleans(), st.booleans())
def test_protocol_92_what_is_not_yours_is_inactive(
    asking: str,
    any_token: bool,  # noqa: FBT001
    exists: bool,  # noqa: FBT001
) -> None:
    token = _describe() if exists else None
    decided = decide_introspection(token, asking_client_id=asking, asks_for_any=any_token)
    if exists and (any_token or asking == "client"):
        assert decided == token
    else:
        assert render_introspection(decided) == b'{"active":false}'


def test_protocol_94_signed_answer_holds_the_plain_one() -> None:
    for token in (None, _describe()):
        signed = sign_introspection(token, _SIGNER, issuer="https://h", asking_client_id="rs", now=NOW)
        payload, _ = verify_jws(signed, make_keys(_KEY).find, types=(INTROSPECTION_TYPE,))
        assert json.loads(payload) == {
            "iss": "https://h",
            "aud": "rs",
            "iat": NOW,
            "token_introspection": json.loads(render_introspection(token)),
        }
