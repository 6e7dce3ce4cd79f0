"""Exchanges access tokens for narrower ones: what the subject token stands for now, and who may have it (RFC 8693)."""

from rowgate.oauth.bearer import decide_bearer
from rowgate.oauth.errors import InvalidDpopProof, InvalidRequest, InvalidToken
from rowgate.oauth.grants import GRANT_TYPES
from rowgate.oauth.lifetimes import NO_MAXIMA, Maxima
from rowgate.oauth.model import NEVER, Application
from rowgate.oauth.scope import render_scope
from rowgate.oauth.token_exchange import TOKEN_EXCHANGE, SubjectToken, TokenExchangeRequest, decide_token_exchange
from rowgate.oauth.tokens import TokenRecord
from rowgate.service.authenticated import Authenticated
from rowgate.service.mint import Granted, TokenMint
from rowgate.service.state import LiveState


class TokenExchange:
    """Decides requests of the token exchange grant, but for their authorization details (`service.narrowing`)."""

    def __init__(self, state: LiveState, mint: TokenMint, *, issuer: str, maxima: Maxima = NO_MAXIMA) -> None:
        """Take the state, what opens tokens, and the longest lives; the issuer is the one resource."""
        self._state = state
        self._mint = mint
        self._issuer = issuer
        self._most_seconds = maxima.access_token_seconds

    def decide(self, request: TokenExchangeRequest, client: Authenticated, key_thumbprint: str, now: float) -> Granted:
        """Give the new token as it was decided, with the details of the subject token.

        Args:
            request: Of a client that may exchange tokens.
            client: Who asks.
            key_thumbprint: Of the key that the request proved; empty: none.
            now: Seconds since 1970.

        Raises:
            OAuthError: As `decide_token_exchange`; InvalidDpopProof when the subject's tokens must be bound.

        Source: RFC 8693 §2.1, §2.2.1
        """
        asking = client.application
        opened = self._open(request.unverified_subject_token, now)
        exchanged = decide_token_exchange(
            request,
            None if opened is None else opened[2],
            asking,
            known_resources=(self._issuer,),
            may_exchange=self._list_exchangeable(asking),
            proved_confirmation=key_thumbprint,
            lifetime_seconds=_find_lifetime(asking, asking if opened is None else opened[0]),
            now=now,
        )
        assert opened is not None, "internal error: a token that could not be opened was exchanged"
        application, record, _ = opened
        if record.certificate_thumbprint not in ("", client.certificate_thumbprint):
            raise InvalidRequest("The subject token is not valid.", reason="other_certificate")
        if application.policy.dpop_bound_tokens and not key_thumbprint:
            # RFC 9449 §5.2, for an older token of an application whose tokens are all bound by now
            raise InvalidDpopProof("The application's token requests need a DPoP proof.", reason="proof_required")
        secret = client.secret
        return Granted(
            application=application,
            secret_number=record.secret_number,
            client_secret_expires_at=NEVER if secret is None else secret.expires_at,
            secret_ends_soon=secret is not None and secret.ends_soon(now),
            key_id=client.key_id,
            grant_type=TOKEN_EXCHANGE,
            scope=render_scope(exchanged.scope),
            now=int(now),
            family=record.family,
            lifetime_seconds=exchanged.expires_at - int(now),
            audience=exchanged.audience,
            key_thumbprint=exchanged.confirmation,
            certificate_thumbprint=client.certificate_thumbprint,
            details=record.details,
            actors=exchanged.actors,
            made_of=exchanged.made_of,
            issued_token_type=exchanged.issued_token_type,
            asking=asking,
        )

    def _open(self, unverified_token: str, now: float) -> tuple[Application, TokenRecord, SubjectToken] | None:
        """Give what a token of ours stands for; None when it is none, or dead."""
        try:
            token_id, record = self._mint.open_access(unverified_token, now)
            application = self._state.find_application_by_number(record.application_number)
            revoked = self._state.is_revoked(token_id, record.family, record.made_of)
            access = decide_bearer(
                token_id,
                record,
                application,
                resource=self._issuer,
                revoked=revoked,
                now=now,
                most_seconds=self._most_seconds,
            )
        except InvalidToken:
            return None
        assert application is not None, "internal error: a token without its application was let pass"
        subject = SubjectToken(
            token_id=token_id,
            application_number=application.number,
            scope=tuple(name for name in record.scope.split(" ") if name in access.scope),
            audience=record.audience,
            expires_at=access.expires_at,
            alive=True,
            actors=record.actors,
            confirmation=record.key_thumbprint,
            made_of=record.made_of,
        )
        return application, record, subject

    def _list_exchangeable(self, asking: Application) -> frozenset[int]:
        found = map(self._state.find_application, asking.policy.exchanges_tokens_of)
        return frozenset(application.number for application in found if application is not None)


class GrantTypes:
    """Names the grants that are on, for the metadata: counted anew when the state has changed."""

    def __init__(self, state: LiveState, further: tuple[str, ...] = ()) -> None:
        """Take the state, and what the settings switch on besides."""
        self._state = state
        self._always = (*GRANT_TYPES, *further)
        self._counted_at: int | None = None
        self._names = self._always

    def __call__(self) -> tuple[str, ...]:
        """Give their names; token exchange is on while an application may exchange tokens."""
        if self._counted_at != self._state.sequence:
            self._counted_at = self._state.sequence
            is_on = any(one.enabled and one.policy.token_exchange for one in self._state.list_applications())
            self._names = (*self._always, TOKEN_EXCHANGE) if is_on else self._always
        return self._names


def _find_lifetime(asking: Application, subject: Application) -> int:
    limits = (
        asking.access_lifetime_seconds,
        subject.access_lifetime_seconds,
        asking.policy.exchanged_token_seconds,
    )
    return min(limit for limit in limits if limit)
