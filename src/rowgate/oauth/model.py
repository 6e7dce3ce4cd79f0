"""What the authorization side knows of an application and of a token. Data only."""

from dataclasses import dataclass

import msgspec

DEFAULT_SCOPE = "read"
ACCESS_LIFETIME_SECONDS = 3600  # 1 h, O-9
REFRESH_LIFETIME_SECONDS = 604_800  # 7 d, O-10
SECRET_LIFETIME_SECONDS = 259_200  # 72 h, O-11

NEVER = 0  # an expiry of 0 means "does not expire" (RFC 7591 §3.2.1)


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

    def is_expired(self, now: float) -> bool:
        """Tell whether the secret is past its end; the instant itself is past (PROTOCOL 44)."""
        return self.expires_at != NEVER and now >= self.expires_at


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

    def find_secret(self, number: int) -> Secret | None:
        """Give the secret of that number, or None when it has been removed."""
        for secret in self.secrets:
            if secret.number == number:
                return secret
        return None


class IssuedTokens(msgspec.Struct, frozen=True):
    """An access token and perhaps a refresh token, sealed, with what the response tells of them.

    Source: RFC 6749 §5.1
    """

    access_token: str
    refresh_token: str | None
    scope: str
    expires_in: int
    client_secret_expires_at: int
    access_token_id: str  # hex handle
    family: str  # hex handle of the refresh token all of them hang on

    def __repr__(self) -> str:
        return f"<issued tokens {self.access_token_id}>"  # never the tokens
