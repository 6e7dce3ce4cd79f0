"""JWT access tokens: what a sealed token holds, readable and checkable by others.

Besides the standard's claims a token carries one of ours, `rowgate`, with what the revocation check needs
(application number, epoch, secret number, family), so that a JWT is looked up as little as a sealed token. None
of it is secret: they are handles that lead nowhere without the store.

Signing goes to `cryptography` and not through joserfc, which costs as much again as the signature; verifying goes
through joserfc. `jws.py` has the figures: issuing costs about 10 microseconds more than the signature alone.
"""

import re
from collections.abc import Sequence

import msgspec

from rowgate.oauth.errors import InvalidToken
from rowgate.oauth.jws import UNREADABLE_JSON, JwsSigner, UnverifiableJws, VerificationKeys, verify_jws
from rowgate.oauth.tokens import TOKEN_ID_BYTES, TokenRecord

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - the registered type, RFC 9068 §2.1
MAX_JWT_LENGTH = 8192  # 8 KiB
_TYPES = (ACCESS_TOKEN_TYPE,)
_HANDLE = re.compile(f"[0-9a-f]{{{2 * TOKEN_ID_BYTES}}}")


class Confirmation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The key that the sender of a token must hold (RFC 7800 §3.1): DPoP's or a certificate's, or both."""

    jkt: str | None = None  # RFC 9449 §6.1
    x5t_s256: str | None = msgspec.field(default=None, name="x5t#S256")  # RFC 8705 §3.1


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who acts for the subject after a token exchange, the last one outermost (RFC 8693 §4.1)."""

    sub: str
    act: "Actor | None" = None


def find_confirmation(record: TokenRecord) -> Confirmation | None:
    """Give what a token is bound to, None when to nothing."""
    if record.key_thumbprint or record.certificate_thumbprint:
        return Confirmation(record.key_thumbprint or None, record.certificate_thumbprint or None)
    return None


def find_actor(record: TokenRecord) -> Actor | None:
    """Give who acts with a token, None when its application itself does."""
    actor: Actor | None = None
    for client_id in reversed(record.actors):
        actor = Actor(client_id, actor)
    return actor


class RevocationClaim(msgspec.Struct, frozen=True, omit_defaults=True):
    """Our private claim: what the revocation check asks. Members may be added with defaults, never changed."""

    application: int
    epoch: int
    secret: int
    family: str  # 32 hexadecimal digits
    made_of: tuple[str, ...] = ()  # of 32 hexadecimal digits each: the tokens that it was exchanged for


class AccessTokenClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload of an access token (RFC 9068 §2.2). Times are whole seconds since 1970."""

    iss: str
    sub: str
    client_id: str
    aud: str | tuple[str, ...]
    iat: int
    exp: int
    jti: str  # 32 hexadecimal digits: the handle that the audit record shows
    scope: str
    rowgate: RevocationClaim
    cnf: Confirmation | None = None
    act: Actor | None = None
    authorization_details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # JSON text, RFC 9396 §9.1


class JwtAccessToken(msgspec.Struct, frozen=True):
    """A verified token: what `decide_bearer` asks for, and what binds or narrows it."""

    token_id: bytes
    record: TokenRecord
    client_id: str
    subject: str
    audience: tuple[str, ...]
    confirmation: Confirmation | None
    actor: Actor | None
    authorization_details: bytes  # JSON text, empty when the token has none


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AccessTokenClaims).decode


def issue_jwt_access_token(
    signer: JwsSigner,
    token_id: bytes,
    record: TokenRecord,
    *,
    issuer: str,
    audience: Sequence[str],
    client_id: str,
    confirmation: Confirmation | None = None,
    actor: Actor | None = None,
    authorization_details: bytes = b"",
) -> str:
    """Give the signed token for a record.

    Args:
        signer: Made for `ACCESS_TOKEN_TYPE`, with the key that signs now.
        token_id: 16 fresh random bytes, never used before.
        record: What the token stands for.
        issuer: Our identifier, as the metadata spells it.
        audience: One resource or several.
        client_id: The subject's, which is also who asked unless there is an actor (RFC 9068 §2.2, RFC 8693 §4.3).
        confirmation: The key that the token is bound to.
        actor: Who acts, after an exchange.
        authorization_details: JSON text of what is granted, empty for none.

    Source: RFC 9068 §2.1, §2.2
    """
    claims = AccessTokenClaims(
        iss=issuer,
        sub=client_id,
        client_id=client_id if actor is None else actor.sub,
        aud=audience[0] if len(audience) == 1 else tuple(audience),
        iat=record.issued_at,
        exp=record.expires_at,
        jti=token_id.hex(),
        scope=record.scope,
        rowgate=RevocationClaim(
            record.application_number,
            record.epoch,
            record.secret_number,
            record.family.hex(),
            tuple(token_id.hex() for token_id in record.made_of),
        ),
        cnf=confirmation,
        act=actor,
        authorization_details=msgspec.Raw(authorization_details) if authorization_details else msgspec.UNSET,
    )
    return signer.sign(_encode(claims))


def looks_like_jwt(unverified_token: str) -> bool:
    """Tell a JWT from a sealed token, which has no dot.

    >>> looks_like_jwt("eyJ.eyJ.abc"), looks_like_jwt("rgat_abc")
    (True, False)
    """
    return unverified_token.count(".") == 2  # noqa: PLR2004 - header.payload.signature


def verify_jwt_access_token(
    unverified_token: str, keys: VerificationKeys, *, issuer: str, audience: str, now: float
) -> JwtAccessToken:
    """Give what a token of our own stands for.

    1. The signature, by a key of ours that the token names, under that key's one algorithm. 2. `typ` is
    `at+jwt`: no assertion, proof or introspection answer signed by the same key passes. 3. All claims are there.
    4. Issuer and audience, character by character. 5. Not expired.
    Left to the caller: revocation and the application (`decide_bearer`), and the key that `confirmation` names.

    Raises:
        InvalidToken: Any step failed.

    Source: RFC 9068 §4, RFC 8725 §3; PROTOCOL 105
    """
    try:
        # RFC 9068 §2.1 lets typ be "application/at+jwt" as well; a key id is required: our own tokens have one
        payload, _ = verify_jws(
            unverified_token,
            lambda header: keys.find(header) if header.kid is not None else (),
            types=_TYPES,
            max_length=MAX_JWT_LENGTH,
        )
    except UnverifiableJws as refused:
        raise InvalidToken("The access token is malformed.", reason=f"jwt_{refused.reason}") from None
    try:
        claims = _decode(payload)
    except UNREADABLE_JSON:
        raise InvalidToken("The access token is malformed.", reason="jwt_claims") from None
    if not all(map(_HANDLE.fullmatch, (claims.jti, claims.rowgate.family, *claims.rowgate.made_of))):
        raise InvalidToken("The access token is malformed.", reason="jwt_claims")
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if claims.iss != issuer:
        raise InvalidToken("The access token is of another issuer.", reason="jwt_issuer")
    if audience not in audiences:
        raise InvalidToken("The access token is for another audience.", reason="jwt_audience")
    if now >= claims.exp:
        raise InvalidToken("The access token has expired.", reason="expired_token")
    ours, details = claims.rowgate, claims.authorization_details
    record = TokenRecord(
        application_number=ours.application,
        epoch=ours.epoch,
        secret_number=ours.secret,
        issued_at=claims.iat,
        expires_at=claims.exp,
        family=bytes.fromhex(ours.family),
        scope=claims.scope,
        made_of=tuple(map(bytes.fromhex, ours.made_of)),
    )
    return JwtAccessToken(
        token_id=bytes.fromhex(claims.jti),
        record=record,
        client_id=claims.client_id,
        subject=claims.sub,
        audience=audiences,
        confirmation=claims.cnf,
        actor=claims.act,
        authorization_details=b"" if isinstance(details, msgspec.UnsetType) else bytes(details),
    )
