"""Issues tokens and checks them: the text of `issue_token` is the order of the steps."""

from collections.abc import Sequence
from functools import partial

import msgspec

from rowgate.access import Access
from rowgate.oauth.bearer import decide_bearer, parse_presented_token
from rowgate.oauth.client_auth import refuse_credential_in_query
from rowgate.oauth.dpop import DpopProof, check_bound_key
from rowgate.oauth.errors import (
    InvalidDpopProof,
    InvalidGrant,
    InvalidToken,
    OAuthError,
)
from rowgate.oauth.form import NO_EXTENSION, TokenParameters, parse_token_parameters
from rowgate.oauth.grants import (
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    ClientCredentialsRequest,
    RefreshRequest,
    decide_grant,
    decide_refresh,
)
from rowgate.oauth.lifetimes import NO_MAXIMA, Maxima, find_end
from rowgate.oauth.model import NEVER
from rowgate.oauth.scope import narrow_scope, render_scope
from rowgate.oauth.token_exchange import TokenExchangeRequest
from rowgate.oauth.tokens import TokenRecord, UnreadableToken
from rowgate.oauth.workload import JWT_BEARER_GRANT
from rowgate.ports import AuditSink, Clock, StoreError
from rowgate.service.authenticated import Authenticated
from rowgate.service.certificates import FindCertificate, bind_to_certificate, check_certificate
from rowgate.service.client_requests import TokenRequest
from rowgate.service.clients import ClientAuthenticator
from rowgate.service.mint import Granted, TokenMint, UnsealedTokens
from rowgate.service.narrowing import Narrowing, Outcome
from rowgate.service.proofs import ProofChecker
from rowgate.service.rotation import RefreshRotation, Successor
from rowgate.service.state import LiveState
from rowgate.service.throttle import TokenQuota
from rowgate.service.token_answers import Asked, Reply, TokenAnswers
from rowgate.service.token_exchange import TokenExchange


class TokenService:
    """Proofs of a client in, tokens out; tokens in, an Access out."""

    def __init__(
        self,
        state: LiveState,
        clients: ClientAuthenticator,
        mint: TokenMint,
        proofs: ProofChecker,
        rotation: RefreshRotation,
        *,
        narrowing: Narrowing,
        exchange: TokenExchange,
        maxima: Maxima = NO_MAXIMA,
        quota: TokenQuota | None = None,
        issuer: str,
        audit: AuditSink,
        clock: Clock,
    ) -> None:
        """Take what the steps need."""
        self._state = state
        self._clients = clients
        self._mint = mint
        self._proofs = proofs
        self._rotation = rotation
        self._narrowing = narrowing
        self._exchange = exchange
        self._maxima = maxima
        self._issuer = issuer
        self._answers = TokenAnswers(mint, audit)
        self._clock = clock
        self._quota = quota or TokenQuota()

    def issue_token(self, request: TokenRequest, reply: Reply) -> None:
        """Decide a token request; what was decided is handed to `reply` when it is on record, durably.

        A refusal is on record too. When nothing can be put on record the reply is AuditUnavailable: no token.
        No step waits, but for the record, for using up what counts once, for the catalog where columns are named and
        for keys that stand elsewhere: then the request begins anew, as if it had come when they are there. So this is
        no coroutine: a task would cost as much as a step.

        Args:
            request: As it came.
            reply: Called once, on the event loop.

        Raises:
            AuditUnavailable: There is no record to write to; `reply` is not called.

        Source: RFC 6749 §4.4, §5, §6; RFC 8693 §2; RFC 9449 §5; the order of the checks: PROTOCOL 5.0
        """
        # What is handed on is handed on by partial: a function in here would make every step's names dearer.
        asked = Asked(request.origin, self._clock(), reply)
        find_certificate = request.find_certificate
        try:
            parameters = parse_token_parameters(request.content_type, request.body)
            asked.client_id = parameters.client_id or ""
            refuse_credential_in_query(request.query)
            if (
                (parameters.client_assertion is not None or parameters.assertion is not None)
                and not request.has_waited
                and self._clients.load_keys_then(parameters, partial(self._begin_anew, request, reply))
            ):
                return
            by_grant = parameters.grant_type == JWT_BEARER_GRANT and self._clients.takes_grants
            prove = self._clients.authenticate_by_grant if by_grant else self._clients.authenticate
            client = prove(parameters, request.authorization, request.origin.source, find_certificate)
            asked.client_id = client.application.client_id
            if client.application.policy.certificate_bound_tokens:
                client = bind_to_certificate(client, find_certificate)
            proof = self._proofs.verify_at_token_endpoint(request.dpop, url=request.url) if request.dpop else None
            granted = self._decide(parameters, client, proof, asked.at)
            if granted.details or parameters.extension is not NO_EXTENSION:
                self._narrowing.narrow_then(
                    granted, parameters.extension, partial(self._issue_narrowed, client, proof, asked)
                )
                return
            tokens = self._make_now(client, proof, granted, asked)
        except (OAuthError, StoreError) as refusal:
            self._answers.refuse(refusal, asked)
            return
        if tokens is not None:
            self._answers.tell(tokens, asked)

    def _begin_anew(self, request: TokenRequest, reply: Reply) -> None:
        """Go on when the keys that the request needs have been asked for, whatever came of it."""
        try:
            self.issue_token(msgspec.structs.replace(request, has_waited=True), reply)
        except Exception as error:  # noqa: BLE001 - nobody above would answer the request
            reply(error)

    def authorize(
        self,
        authorization: Sequence[bytes],
        *,
        dpop: Sequence[bytes] = (),
        method: str = "GET",
        url: str = "",
        find_certificate: FindCertificate | None = None,
    ) -> Access:
        """Give the access that the token of a request stands for now. Nothing is looked up outside memory.

        Args:
            authorization: The values of every Authorization header.
            dpop: The values of every DPoP header.
            method: The request's.
            url: As clients spell it, without its query.
            find_certificate: Gives the client's certificate; None where this server learns of none.

        Raises:
            OAuthError: MissingToken, InvalidToken, InvalidRequest or, for a token bound to a key, DpopRefusal.

        Source: RFC 6750 §2.1, §3.1; RFC 8705 §3; RFC 9449 §7
        """
        presented = parse_presented_token(authorization)
        now = self._clock()
        token_id, record = self._mint.open_access(presented.token, now)
        if record.audience and self._issuer not in record.audience:
            raise InvalidToken("The access token is for another audience.", reason="other_audience")
        access = self._decide_access(token_id, record, now)
        if record.certificate_thumbprint:
            check_certificate(record.certificate_thumbprint, find_certificate)
        bound = record.key_thumbprint
        if presented.is_dpop:
            proof = self._proofs.require_at_resource(dpop, bound, method=method, url=url, access_token=presented.token)
            if proof.renew_nonce:
                access = msgspec.structs.replace(access, dpop_nonce=self._proofs.renew_nonce(proof))
        elif bound:
            check_bound_key(bound, None)
        return access

    def confirm(self, access: Access, *, now: float) -> Access:
        """Decide once more on a token that was good: it may have been revoked since.

        Args:
            access: What `authorize` gave.
            now: Which moment counts for its expiry; a long read may outlive the token that began it.

        Raises:
            InvalidToken: It is revoked.
        """
        assert isinstance(access.proof, tuple), "internal error: an access without its proof"
        token_id, record = access.proof
        return self._decide_access(token_id, record, now)

    def _decide_access(self, token_id: bytes, record: TokenRecord, now: float) -> Access:
        application = self._state.find_application_by_number(record.application_number)
        revoked = self._state.is_revoked(token_id, record.family, record.made_of)
        most = self._maxima.access_token_seconds
        return decide_bearer(
            token_id, record, application, resource=self._issuer, revoked=revoked, now=now, most_seconds=most
        )

    def _make_now(
        self, client: Authenticated, proof: DpopProof | None, granted: Granted, asked: Asked
    ) -> UnsealedTokens | None:
        """Give the tokens; None when something must be used up first, after which the reply comes by itself."""
        if client.must_be_noted() or proof is not None or granted.rotates is not None:
            self._use_up_then_issue(client, proof, granted, asked)
            return None
        self._take_quota(client, asked)
        return self._mint.make(granted)

    def _take_quota(self, client: Authenticated, asked: Asked) -> None:
        self._quota.take(client.application.number, client.application.policy.tokens_per_minute, asked.at)

    def _issue_narrowed(self, client: Authenticated, proof: DpopProof | None, asked: Asked, outcome: Outcome) -> None:
        tokens: UnsealedTokens | Exception | None
        try:
            tokens = outcome if isinstance(outcome, Exception) else self._make_now(client, proof, outcome, asked)
        except Exception as error:  # noqa: BLE001 - nobody above would answer the request
            tokens = error
        if tokens is not None:
            self._answers.finish(tokens, asked)

    def _decide(
        self, parameters: TokenParameters, client: Authenticated, proof: DpopProof | None, now: float
    ) -> Granted:
        application = client.application
        request = (
            ClientCredentialsRequest(parameters.scope) if client.is_grant else decide_grant(parameters, application)
        )
        if proof is None and application.policy.dpop_bound_tokens:
            # RFC 9449 §5.2
            raise InvalidDpopProof("The application's token requests need a DPoP proof.", reason="proof_required")
        thumbprint = "" if proof is None else proof.jkt
        if isinstance(request, RefreshRequest):
            token_id, record, scope = self._decide_refresh(client, request, thumbprint, now)
            # By default not rotated (docs/choices.md): the client keeps its refresh token (RFC 6749 §6).
            rotates = (token_id, record) if application.policy.rotate_refresh_tokens else None
            return msgspec.structs.replace(
                _grant(client, REFRESH_TOKEN, scope, thumbprint, now),
                family=record.family,
                rotates=rotates,
                audience=record.audience,
                details=record.details,
            )
        if isinstance(request, TokenExchangeRequest):
            return self._exchange.decide(request, client, thumbprint, now)
        scope = narrow_scope(request.scope, application.scope)
        grant_type = JWT_BEARER_GRANT if client.is_grant else CLIENT_CREDENTIALS
        return _grant(client, grant_type, scope, thumbprint, now, has_refresh_token=application.refresh_tokens)

    def _decide_refresh(
        self, client: Authenticated, request: RefreshRequest, thumbprint: str, now: float
    ) -> tuple[bytes, TokenRecord, tuple[str, ...]]:
        try:
            token_id, record = self._mint.open_refresh(request.refresh_token)
        except UnreadableToken:
            raise InvalidGrant("The refresh token is not valid.", reason="unreadable_token") from None
        revoked = self._state.is_revoked(token_id, record.family)
        most = self._maxima.refresh_token_seconds
        scope = decide_refresh(record, client.application, request.scope, revoked=revoked, now=now, most_seconds=most)
        if record.key_thumbprint != thumbprint:
            raise InvalidGrant("The refresh token is bound to another key.", reason="other_key")  # PROTOCOL 84
        if record.certificate_thumbprint != client.certificate_thumbprint:
            raise InvalidGrant("The refresh token is bound to another certificate.", reason="other_certificate")
        return token_id, record, scope

    def _use_up_then_issue(
        self, client: Authenticated, proof: DpopProof | None, granted: Granted, asked: Asked
    ) -> None:
        """Spend the assertion and the proof and rotate for every worker, then go on; nothing was given before.

        The quota comes in between: what was replayed takes nothing of it, and nothing is rotated for whom it is over.

        Raises:
            TooManyRequests: It was over before; nothing was spent.
        """

        def rotate(refusal: OAuthError | StoreError | None) -> None:
            try:
                if refusal is None:
                    self._take_quota(client, asked)
            except OAuthError as over:
                refusal = over
            if refusal is None and granted.rotates is not None:
                record = granted.rotates[1]
                self._rotation.rotate_then(
                    *granted.rotates,
                    issue,
                    longest_access_seconds=granted.application.longest_access_seconds,
                    ends_at=find_end(record.expires_at, record.issued_at, self._maxima.refresh_token_seconds),
                )
            else:
                issue(refusal)

        def issue(outcome: Successor | OAuthError | StoreError | None) -> None:
            self._answers.finish(self._make(granted, outcome, proof), asked)

        if client.must_be_noted() or proof is not None:
            # else who is beyond its quota would have the state keep all that it sends
            self._quota.check(client.application.number, client.application.policy.tokens_per_minute, asked.at)
            self._clients.use_up(client, rotate, proof=proof)
        else:
            rotate(None)

    def _make(
        self, granted: Granted, outcome: Successor | OAuthError | StoreError | None, proof: DpopProof | None
    ) -> UnsealedTokens | Exception:
        if isinstance(outcome, Exception):
            return outcome
        try:
            tokens = self._mint.make(granted, outcome)
            if proof is not None and proof.renew_nonce:
                tokens = msgspec.structs.replace(tokens, dpop_nonce=self._proofs.renew_nonce(proof))
        except Exception as error:  # noqa: BLE001 - nobody above would answer the request
            return error
        return tokens


def _grant(
    client: Authenticated,
    grant_type: str,
    scope: tuple[str, ...],
    key_thumbprint: str,
    now: float,
    *,
    has_refresh_token: bool = False,
) -> Granted:
    secret = client.secret
    return Granted(
        application=client.application,
        secret_number=0 if secret is None else secret.number,
        client_secret_expires_at=NEVER if secret is None else secret.expires_at,
        secret_ends_soon=secret is not None and secret.ends_soon(now),
        key_id=client.key_id,
        workload=client.workload,
        grant_type=grant_type,
        scope=render_scope(scope),
        now=int(now),
        has_refresh_token=has_refresh_token,
        key_thumbprint=key_thumbprint,
        certificate_thumbprint=client.certificate_thumbprint,
    )
