"""Makes the tokens that were decided, in the application's format, and opens them again."""

from typing import Protocol

import msgspec

from rowgate.oauth.errors import InvalidToken
from rowgate.oauth.jws import JwsSigner, SigningAlgorithm, VerificationKeys
from rowgate.oauth.jwt_access_token import (
    ACCESS_TOKEN_TYPE,
    Confirmation,
    JwtAccessToken,
    find_actor,
    find_confirmation,
    issue_jwt_access_token,
    looks_like_jwt,
    verify_jwt_access_token,
)
from rowgate.oauth.lifetimes import NO_MAXIMA, Maxima, sooner
from rowgate.oauth.model import BEARER, JWT, Application, IssuedTokens
from rowgate.oauth.tokens import ACCESS, REFRESH, TOKEN_ID_BYTES, TokenRecord, TokenSealer, UnreadableToken
from rowgate.ports import Entropy, StoreError
from rowgate.service.rotation import Successor

DPOP_TOKEN_TYPE = "DPoP"  # noqa: S105 - the type's name, RFC 9449 §5


class NoSigningKey(StoreError):
    """An application's tokens are to be signed under an algorithm for which there is no key yet."""


class Signers(Protocol):
    """The signing keys as a worker holds them."""

    def find_signer(self, algorithm: SigningAlgorithm, typ: str, now: float) -> JwsSigner | None:
        """Give what signs now, or None when there is no key for the algorithm."""

    def verification_keys(self, now: float) -> VerificationKeys:
        """Give the keys whose signatures count now."""


class Granted(msgspec.Struct, frozen=True):
    """What was decided for a token request, before any token is made."""

    application: Application
    secret_number: int  # 0: a key was proved instead
    client_secret_expires_at: int
    secret_ends_soon: bool
    key_id: str
    grant_type: str
    scope: str
    now: int
    family: bytes = b""  # of the refresh token that was used; empty: a new family
    has_refresh_token: bool = False  # whether a new one is issued
    rotates: tuple[bytes, TokenRecord] | None = None  # the presented refresh token, where it is to be replaced
    lifetime_seconds: int = 0  # of the access token; 0: the application's
    audience: tuple[str, ...] = ()
    key_thumbprint: str = ""
    certificate_thumbprint: str = ""
    details: bytes = b""
    actors: tuple[str, ...] = ()
    made_of: tuple[bytes, ...] = ()
    issued_token_type: str | None = None
    workload: str = ""  # see `audit.events.TokenIssued`
    asking: Application | None = None  # who asked for an exchange, which may be another application

    def has_extras(self) -> bool:
        """Tell whether there is more to put on record than of an ordinary token."""
        return bool(self.audience or self.details or self.made_of or self.actors or self.workload)

    def make_record(self, family: bytes, lifetime_seconds: int) -> TokenRecord:
        """Give what a token of this grant stands for."""
        return TokenRecord(
            application_number=self.application.number,
            epoch=self.application.epoch,
            secret_number=self.secret_number,
            issued_at=self.now,
            expires_at=self.now + lifetime_seconds,
            family=family,
            scope=self.scope,
            audience=self.audience,
            key_thumbprint=self.key_thumbprint,
            certificate_thumbprint=self.certificate_thumbprint,
            details=self.details,
            actors=self.actors,
            made_of=self.made_of,
        )


class UnsealedTokens(msgspec.Struct, frozen=True):
    """Tokens that are decided to the last member, before their texts are made; all that a record tells of them."""

    granted: Granted
    access_id: bytes
    family: bytes
    expires_in: int  # seconds, of the access token
    signed: str = ""  # the access token, where it is a signed one
    successor: Successor | None = None  # of the refresh token that was used, where it is replaced
    dpop_nonce: str = ""

    def __repr__(self) -> str:
        return f"<unsealed tokens {self.access_id.hex()}>"  # never a signed one


class TokenMint:
    """Sealed tokens, and signed ones for the applications that want them."""

    def __init__(
        self, sealer: TokenSealer, signers: Signers, *, issuer: str, entropy: Entropy, maxima: Maxima = NO_MAXIMA
    ) -> None:
        """Take the keys and the longest lives; the issuer is also the audience of tokens that name no other."""
        self._sealer = sealer
        self._signers = signers
        self._issuer = issuer
        self._entropy = entropy
        self._maxima = maxima

    def make(self, granted: Granted, successor: Successor | None = None) -> UnsealedTokens:
        """Give the tokens of a grant; with the successor of the refresh token that it replaces, where it does.

        Whatever can fail is done here; `seal` does the rest.

        Raises:
            NoSigningKey: The application wants signed tokens and there is no key for its algorithm yet.
        """
        random = self._entropy(2 * TOKEN_ID_BYTES)
        access_id, family = random[:TOKEN_ID_BYTES], granted.family or random[TOKEN_ID_BYTES:]
        application = granted.application
        lifetime = granted.lifetime_seconds or application.access_lifetime_seconds
        lifetime = sooner(lifetime, self._maxima.access_token_seconds)
        signed = ""
        if application.policy.access_token_format == JWT:
            signed = self._sign(application, access_id, granted.make_record(family, lifetime))
        return UnsealedTokens(granted, access_id, family, lifetime, signed, successor)

    def seal(self, tokens: UnsealedTokens) -> IssuedTokens:
        """Give the tokens with their texts."""
        granted, family, successor = tokens.granted, tokens.family, tokens.successor
        seal = self._sealer.seal
        refresh_token = None
        if successor is not None:
            refresh_token = seal(REFRESH, successor.token_id, successor.record)
        elif granted.has_refresh_token:
            longest = self._maxima.refresh_token_seconds
            lifetime = sooner(granted.application.refresh_lifetime_seconds, longest)
            refresh_token = seal(REFRESH, family, granted.make_record(family, lifetime))
        access = granted.make_record(family, tokens.expires_in)
        return IssuedTokens(
            access_token=tokens.signed or seal(ACCESS, tokens.access_id, access),
            refresh_token=refresh_token,
            scope=granted.scope,
            expires_in=tokens.expires_in,
            client_secret_expires_at=granted.client_secret_expires_at,
            secret_ends_soon=granted.secret_ends_soon,
            token_type=DPOP_TOKEN_TYPE if granted.key_thumbprint else BEARER,
            authorization_details=granted.details,
            issued_token_type=granted.issued_token_type,
            dpop_nonce=tokens.dpop_nonce,
        )

    def open_access(self, unverified_token: str, now: float) -> tuple[bytes, TokenRecord]:
        """Give the id and the record of an access token of either format.

        Raises:
            InvalidToken: It is none of ours; of a signed one also when it has expired.
        """
        if looks_like_jwt(unverified_token):
            return self._verify(unverified_token, now)
        try:
            return self._sealer.open(ACCESS, unverified_token)
        except UnreadableToken:
            raise InvalidToken("The access token is not valid.", reason="unreadable_token") from None

    def open_refresh(self, unverified_token: str) -> tuple[bytes, TokenRecord]:
        """Give the id and the record of a refresh token.

        Raises:
            UnreadableToken: It is none of ours.
        """
        return self._sealer.open(REFRESH, unverified_token)

    def _sign(self, application: Application, access_id: bytes, record: TokenRecord) -> str:
        signer = self._signers.find_signer(
            application.policy.access_token_algorithm, ACCESS_TOKEN_TYPE, record.issued_at
        )
        if signer is None:
            raise NoSigningKey(application.policy.access_token_algorithm)
        return issue_jwt_access_token(
            signer,
            access_id,
            record,
            issuer=self._issuer,
            audience=record.audience or (self._issuer,),
            client_id=application.client_id,
            confirmation=find_confirmation(record),
            actor=find_actor(record),
            authorization_details=record.details,
        )

    def _verify(self, unverified_token: str, now: float) -> tuple[bytes, TokenRecord]:
        keys = self._signers.verification_keys(now)
        token = verify_jwt_access_token(unverified_token, keys, issuer=self._issuer, audience=self._issuer, now=now)
        return read_signed_record(token)


def read_signed_record(token: JwtAccessToken) -> tuple[bytes, TokenRecord]:
    """Give the id and the record of a verified JWT, as a sealed token has them."""
    actors = []
    actor = token.actor
    while actor is not None:
        actors.append(actor.sub)
        actor = actor.act
    bound = token.confirmation or Confirmation()
    return token.token_id, msgspec.structs.replace(
        token.record,
        audience=token.audience,
        key_thumbprint=bound.jkt or "",
        certificate_thumbprint=bound.x5t_s256 or "",
        details=token.authorization_details,
        actors=tuple(actors),
    )
