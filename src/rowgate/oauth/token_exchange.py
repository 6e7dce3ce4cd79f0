"""Token exchange: an access token in, a narrower and shorter access token out (RFC 8693).

What this server chose:

- Only its own access tokens are exchanged, for access tokens. No refresh token comes out, and nothing that comes out
  lives longer or reaches further than the subject token.
- The client must have authenticated. Its own token it may always exchange; another application's only where a rule
  of the administrator allows it, which takes the place of the `may_act` claim (§4.4): by default none does.
- The new token stays the subject's (its application, secret, family and epoch) and knows the ids of the tokens that
  it was made of, so whatever kills the subject token kills it. A client that is not the subject is named in `act`,
  newest first (§4.1): there is delegation and no impersonation. An `actor_token` is refused: the authenticated client
  is the actor.
- A sender-constrained subject token is exchanged only by who proves the same key, and the new token is bound to the
  same key. A token that is not bound may become bound.
"""

from collections.abc import Collection
from dataclasses import dataclass

from rowgate.oauth.errors import InvalidRequest, InvalidScope, InvalidTarget
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.model import Application
from rowgate.oauth.resource import narrow_audience, parse_resources
from rowgate.oauth.scope import narrow_scope

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693 §2.1
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693 §3
MAX_ACTORS = 4
MAX_EXCHANGES = 8  # one after the other, each of what the one before gave


@dataclass(frozen=True, slots=True)
class TokenExchangeRequest:
    """What a client asks for; well formed, nothing of it decided. Its repr does not show the token."""

    unverified_subject_token: str
    scope: str | None
    resources: tuple[str, ...]  # every `resource`, then every `audience`

    def __repr__(self) -> str:
        return f"<token exchange for {self.scope!r}>"


@dataclass(frozen=True, slots=True)
class SubjectToken:
    """What the opened subject token says, and whether it still holds."""

    token_id: bytes
    application_number: int
    scope: tuple[str, ...]  # what it allows today
    audience: tuple[str, ...]  # empty: every resource
    expires_at: int  # seconds since 1970
    alive: bool  # neither revoked by anything nor of a disabled application
    actors: tuple[str, ...] = ()  # client ids, newest first
    confirmation: str = ""  # thumbprint of the key or certificate it is bound to
    made_of: tuple[bytes, ...] = ()  # ids of the tokens that it was made of, the last first


@dataclass(frozen=True, slots=True)
class ExchangedToken:
    """What the new token is to say; of authorization details as much as the subject token."""

    scope: tuple[str, ...]
    audience: tuple[str, ...]
    expires_at: int  # seconds since 1970, never after the subject's
    actors: tuple[str, ...]
    confirmation: str
    made_of: tuple[bytes, ...]  # ids, the subject token's first: who revokes one of them means this one too
    issued_token_type: str = ACCESS_TOKEN_TYPE  # a member of the response, RFC 8693 §2.2.1


def parse_token_exchange(parameters: TokenParameters) -> TokenExchangeRequest:
    """Give the request that the parameters of a form make.

    Raises:
        InvalidRequest: A parameter missing, an actor token, or a token type that is not exchanged.

    Source: RFC 8693 §2.1
    """
    extension = parameters.extension
    if extension.actor_token or extension.actor_token_type:
        raise InvalidRequest("Actor tokens are not supported: the client is the actor.", reason="actor_token")
    if extension.subject_token is None:
        raise InvalidRequest("The subject_token parameter is missing.", reason="no_subject_token")
    if extension.subject_token_type is None:
        raise InvalidRequest("The subject_token_type parameter is missing.", reason="no_subject_token_type")
    if extension.subject_token_type != ACCESS_TOKEN_TYPE:
        raise InvalidRequest("Only access tokens are exchanged.", reason="subject_token_type")
    if extension.requested_token_type not in (None, ACCESS_TOKEN_TYPE):
        raise InvalidRequest("Only access tokens are issued in exchange.", reason="requested_token_type")
    return TokenExchangeRequest(
        unverified_subject_token=extension.subject_token,
        scope=parameters.scope,
        resources=(*extension.resource, *extension.audience),
    )


def decide_token_exchange(
    request: TokenExchangeRequest,
    subject: SubjectToken | None,
    client: Application,
    *,
    known_resources: Collection[str],
    may_exchange: Collection[int] = frozenset(),
    proved_confirmation: str = "",
    lifetime_seconds: int,
    now: float,
) -> ExchangedToken:
    """Give what the new token is to say.

    Args:
        request: What was asked.
        subject: The opened subject token; None when it is not one of ours.
        client: Who asks, and has proved it.
        known_resources: The resources of this server, exactly as it publishes them.
        may_exchange: Numbers of the other applications whose tokens this client may exchange.
        proved_confirmation: Thumbprint of the key that the request proved; empty: none.
        lifetime_seconds: How long the new token would live by itself.
        now: Seconds since 1970.

    Raises:
        InvalidRequest: The subject token is not good, not this client's, or bound to another key.
        InvalidScope: A scope that the subject token or the client does not have, or none is left.
        InvalidTarget: A resource that is not ours or that the subject token is not for.

    Source: RFC 8693 §2.1, §2.2.2 (an invalid subject token is invalid_request), §5
    """
    if subject is None or not subject.alive or now >= subject.expires_at:
        raise InvalidRequest("The subject token is not valid.", reason="bad_subject_token")
    own = subject.application_number == client.number
    if not own and subject.application_number not in may_exchange:
        # The same words as above: whether a token is good is nobody else's business.
        raise InvalidRequest("The subject token is not valid.", reason="another_applications_token")
    if subject.confirmation and subject.confirmation != proved_confirmation:
        raise InvalidRequest("The subject token is not valid.", reason="other_key")
    if not own and len(subject.actors) >= MAX_ACTORS:
        raise InvalidRequest("The subject token has been handed on too often.", reason="too_many_actors")
    if len(subject.made_of) >= MAX_EXCHANGES:
        raise InvalidRequest("The subject token has been exchanged too often.", reason="too_many_exchanges")
    expires_at = min(int(now) + lifetime_seconds, subject.expires_at)
    return ExchangedToken(
        scope=_narrow_to_both(request.scope, subject.scope, client.scope),
        audience=_narrow_audience(request.resources, subject.audience, known_resources),
        expires_at=expires_at,
        actors=subject.actors if own else (client.client_id, *subject.actors),
        confirmation=proved_confirmation,
        made_of=(subject.token_id, *subject.made_of),
    )


def _narrow_to_both(requested: str | None, subject: tuple[str, ...], client: tuple[str, ...]) -> tuple[str, ...]:
    scope = narrow_scope(requested, tuple(name for name in subject if name in client))
    if not scope:
        raise InvalidScope("Nothing of the subject token's scope is allowed to the client.", reason="no_common_scope")
    return scope


def _narrow_audience(requested: tuple[str, ...], subject: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    audience = narrow_audience(parse_resources(requested, known), subject)
    if audience and not set(audience) <= set(known):
        raise InvalidTarget("The subject token is for a resource that is gone.", reason="resource_gone")
    return audience
