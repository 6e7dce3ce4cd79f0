"""What introspection answers: everything about a token that is good and the asker's business, else one word."""

from collections.abc import Sequence

import msgspec

from rowgate.oauth.jws import JwsSigner
from rowgate.oauth.jwt_access_token import Actor, Confirmation
from rowgate.oauth.tokens import TokenRecord

INTROSPECTION_TYPE = "token-introspection+jwt"  # RFC 9701 §5
INACTIVE = b'{"active":false}'  # RFC 7662 §2.2: and nothing that would tell why


class ActiveToken(msgspec.Struct, frozen=True, omit_defaults=True):
    """The members of the answer for a good token (RFC 7662 §2.2). Times are seconds since 1970."""

    active: bool  # always true
    scope: str
    client_id: str
    exp: int
    iat: int
    sub: str
    iss: str
    jti: str
    aud: str | tuple[str, ...] | None = None
    token_type: str | None = None  # RFC 6749 §5.1; none for a refresh token
    cnf: Confirmation | None = None  # RFC 8705 §3.2, RFC 9449 §6.2
    act: Actor | None = None  # RFC 8693 §4.1
    authorization_details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # RFC 9396 §9.2


class _SignedClaims(msgspec.Struct, frozen=True):
    iss: str
    aud: str
    iat: int
    token_introspection: msgspec.Raw


_encode = msgspec.json.Encoder().encode


def describe_token(
    token_id: bytes,
    record: TokenRecord,
    *,
    client_id: str,
    expires_at: int,
    scope: Sequence[str],
    issuer: str,
    audience: Sequence[str] = (),
    is_refresh_token: bool = False,
    confirmation: Confirmation | None = None,
    actor: Actor | None = None,
    authorization_details: bytes = b"",
) -> ActiveToken:
    """Give the answer for a token that `decide_bearer` or `decide_refresh` has let pass now.

    Args:
        token_id: 16 bytes; `jti` is its handle.
        record: What the token stands for.
        client_id: Whose it is: the subject. Who asked for it is its actor, where there is one.
        expires_at: When it ends as things stand today: at the latest when it was made to.
        scope: What it is worth today, which may be less than what it was issued for.
        issuer: Our identifier.
        audience: The resources it is for, where it names any.
        is_refresh_token: A refresh token has no token type.
        confirmation: The key that it is bound to; it makes the type DPoP where it is a DPoP key.
        actor: Who acts, after an exchange.
        authorization_details: JSON text, empty for none.

    Source: RFC 7662 §2.2
    """
    is_dpop = confirmation is not None and confirmation.jkt is not None
    return ActiveToken(
        active=True,
        scope=" ".join(sorted(scope)),
        client_id=client_id if actor is None else actor.sub,  # RFC 7662 §2.2: who requested it
        exp=expires_at,
        iat=record.issued_at,
        sub=client_id,
        iss=issuer,
        jti=token_id.hex(),
        aud=None if not audience else audience[0] if len(audience) == 1 else tuple(audience),
        token_type=None if is_refresh_token else "DPoP" if is_dpop else "bearer",
        cnf=confirmation,
        act=actor,
        authorization_details=msgspec.Raw(authorization_details) if authorization_details else msgspec.UNSET,
    )


def decide_introspection(token: ActiveToken | None, *, asking_client_id: str, asks_for_any: bool) -> ActiveToken | None:
    """Give the token when it is the asker's business, None when the answer is "inactive".

    An application may ask about its own tokens, and about those that it was given in exchange for another's; a
    resource server that is registered as one, about any. A token of somebody else is as inactive as one that never
    was (PROTOCOL 92).

    Source: RFC 7662 §2.2, §4
    """
    if token is None or asks_for_any or asking_client_id in (token.client_id, token.sub):
        return token
    return None


def render_introspection(token: ActiveToken | None) -> bytes:
    """Give the JSON answer; None, for whatever reason, is inactive and nothing else.

    >>> render_introspection(None)
    b'{"active":false}'

    Source: RFC 7662 §2.2; PROTOCOL 92
    """
    return INACTIVE if token is None else _encode(token)


def sign_introspection(
    token: ActiveToken | None, signer: JwsSigner, *, issuer: str, asking_client_id: str, now: int
) -> str:
    """Give the answer as a signed JWT.

    `typ` keeps it from passing as an access token, and so does the absence of `sub` and `exp` beside
    `token_introspection` (RFC 9701 §8.1).

    Args:
        token: As for `render_introspection`.
        signer: Made for `INTROSPECTION_TYPE`.
        issuer: Our identifier.
        asking_client_id: The audience: whoever asked.
        now: Whole seconds since 1970.

    Source: RFC 9701 §5; PROTOCOL 94
    """
    return signer.sign(_encode(_SignedClaims(issuer, asking_client_id, now, msgspec.Raw(render_introspection(token)))))
