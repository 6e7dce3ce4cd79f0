"""What the authorization side knows of an application and of a token. Data only."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from rowgate.oauth.kept_registration import KeptRegistration
from rowgate.oauth.workload_rules import KeptWorkloadRule

DEFAULT_SCOPE = "read"
ACCESS_LIFETIME_SECONDS = 3600  # 1 h, O-9
REFRESH_LIFETIME_SECONDS = 604_800  # 7 d, O-10
SECRET_LIFETIME_SECONDS = 259_200  # 72 h, O-11

BEARER = "bearer"
SEALED = "sealed"
JWT = "jwt"

NEVER = 0  # an expiry of 0 means "does not expire" (RFC 7591 §3.2.1)


class ClientPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator may set for an application beyond the ordinary; kept as one JSON object.

    Members may be added with a default, never renamed or removed: old homes are read.
    """

    authentication_methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post")
    jwks: str = ""  # the client's public keys, a JWK Set (RFC 7517 §5)
    access_token_format: str = SEALED  # or JWT: RFC 9068
    access_token_algorithm: Literal["EdDSA", "ES256", "RS256"] = "EdDSA"  # noqa: S105 - of a JWT
    dpop_bound_tokens: bool = False  # RFC 9449 §5.2 dpop_bound_access_tokens
    rotate_refresh_tokens: bool = False
    tokens_per_minute: int = 0  # 0: no quota
    renew_secrets: bool = True  # the application may get its next secret with the one it has
    renewed_secret_seconds: int = SECRET_LIFETIME_SECONDS
    secret_overlap_seconds: int = 3600  # how long the one before stays good once the next is used
    lineage_seconds: int = 0  # the oldest that a line of renewed secrets may grow; 0: no limit
    tls_subject_kind: str = ""  # with the next: whose certificate it is (RFC 8705 §2.1.2); empty: none is registered
    tls_subject: str = ""
    tls_certificates: str = ""  # a JWK Set whose x5c members are its own certificates (RFC 8705 §2.2.2)
    certificate_bound_tokens: bool = False  # RFC 8705 §3.4 tls_client_certificate_bound_access_tokens
    token_exchange: bool = False  # it may exchange its own access tokens for narrower ones (RFC 8693)
    exchanges_tokens_of: tuple[str, ...] = ()  # and those of these applications: client ids
    workloads: tuple[KeptWorkloadRule, ...] = ()  # jobs of platforms that are the application; any one rule serves
    jwks_uri: str = ""  # where the client's public keys stand, in place of jwks (RFC 7591 §2)
    exchanged_token_seconds: int = 0  # how long what it gets in exchange lives at most; 0: no further limit
    registration: KeptRegistration | None = None  # it registered itself, and manages that (RFC 7592)
    past_access_seconds: int = 0  # the longest life that its tokens had before it was lowered; 0: it never was
    past_refresh_seconds: int = 0  # likewise, of refresh tokens
    attributes: tuple[tuple[str, str], ...] = ()  # values of its own by name, for the row rules of its grants
    max_reads: int = 0  # at once, in each worker; 0: what the server allows
    statement_seconds: int = 0  # likewise, for one statement
    rows_per_day: int = 0  # from midnight to midnight (UTC); 0: any number
    bytes_per_day: int = 0  # likewise


ORDINARY = ClientPolicy()


@dataclass(frozen=True, slots=True)
class Secret:
    """One client secret of an application, without its value."""

    number: int
    key_id: str
    name: str
    digest: bytes  # 32 bytes: keyed SHA-256 over client id and secret
    created_at: int
    expires_at: int  # seconds since 1970, NEVER = does not expire
    revoked: bool  # it no longer authenticates
    kills_tokens: bool  # and what was issued with it is dead
    parent: int = 0  # the number of the secret that it was renewed from; 0: an administrator made it
    lineage_began_at: int = 0  # when the first secret of its line was made; 0: with this one
    used_at: int = 0  # when a renewed secret first authenticated; 0: not yet, or nobody asks (no parent)

    def is_expired(self, now: float) -> bool:
        """Tell whether the secret is past its end; the instant itself is past (PROTOCOL 44)."""
        return self.expires_at != NEVER and now >= self.expires_at

    def ends_soon(self, now: float) -> bool:
        """Tell whether the secret is in the last quarter of its life."""
        return self.expires_at != NEVER and (self.expires_at - now) * 4 <= self.expires_at - self.created_at


@dataclass(frozen=True, slots=True)
class Application:
    """An application that may ask for tokens."""

    number: int
    client_id: str
    name: str
    enabled: bool
    epoch: int  # tokens of an earlier epoch are dead
    scope: tuple[str, ...]  # what it may ask for, and what it gets when it does not ask
    refresh_tokens: bool
    access_lifetime_seconds: int
    refresh_lifetime_seconds: int
    created_at: int
    secrets: tuple[Secret, ...]
    policy: ClientPolicy = ORDINARY

    @property
    def longest_access_seconds(self) -> int:
        """How long an access token of it may live, whenever it was issued."""
        return max(ACCESS_LIFETIME_SECONDS, self.access_lifetime_seconds, self.policy.past_access_seconds)

    @property
    def longest_refresh_seconds(self) -> int:
        """How long a refresh token of it may live, whenever it was issued."""
        return max(self.refresh_lifetime_seconds, self.policy.past_refresh_seconds)

    def has_killed(self, epoch: int, secret_number: int) -> bool:
        """Tell whether what was issued in an epoch with a secret is dead, whatever was revoked by itself."""
        secret = self.find_secret(secret_number)
        return epoch != self.epoch or (secret is not None and secret.kills_tokens)

    def find_secret(self, number: int) -> Secret | None:
        """Give the secret of that number, or None when it has been removed."""
        for secret in self.secrets:
            if secret.number == number:
                return secret
        return None


@dataclass(frozen=True, slots=True)
class RefreshFamily:
    """Where a family stands."""

    current: int  # number of the current token; the one before it may be repeated within the grace
    rotated_at: float  # seconds since 1970: when it became current
    revoked: bool = False


class IssuedTokens(msgspec.Struct, frozen=True):
    """An access token and perhaps a refresh token, sealed, with what the response tells of them.

    Source: RFC 6749 §5.1
    """

    access_token: str
    refresh_token: str | None
    scope: str
    expires_in: int
    client_secret_expires_at: int
    token_type: str = BEARER  # as O-8 spells it; DPoP for a token bound to a key (RFC 9449 §5)
    authorization_details: bytes = b""  # JSON text; empty: none were asked for (RFC 9396 §7)
    issued_token_type: str | None = None  # RFC 8693 §2.2.1
    dpop_nonce: str = ""  # the next that the client's proofs should carry (RFC 9449 §8.2); empty: go on as before
    secret_ends_soon: bool = False  # the client should get its next secret

    def __repr__(self) -> str:
        return "<issued tokens>"  # never the tokens
