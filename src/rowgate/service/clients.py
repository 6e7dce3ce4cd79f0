"""Finds out who a client is: by a secret or by an assertion that its key has signed."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, partial

import msgspec

from rowgate.oauth.client_assertion import (
    PRIVATE_KEY_JWT,
    PresentedAssertion,
    parse_client_assertion,
    verify_client_assertion,
    verify_in_vain,
)
from rowgate.oauth.client_auth import PresentedCredentials, parse_client_authentication, verify_client
from rowgate.oauth.dpop import DpopProof
from rowgate.oauth.errors import InvalidClient, InvalidDpopProof, InvalidGrant, InvalidRequest, OAuthError
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.jwk_set import UnusableJwkSet, parse_jwk_set
from rowgate.oauth.jws import UnverifiableJws, VerificationKeys, read_unverified_header
from rowgate.oauth.model import Application
from rowgate.oauth.workload import Refusal, TrustedIssuer
from rowgate.ports import Clock, StoreError, StoreWriter, UnknownName
from rowgate.service.authenticated import Authenticated
from rowgate.service.certificates import (
    FindCertificate,
    authenticate_by_certificate,
    has_other_authentication,
)
from rowgate.service.remote_keys import KeysForbidden, RemoteKeys
from rowgate.service.secret_use import note_use
from rowgate.service.state import LiveState
from rowgate.service.throttle import FailureThrottle
from rowgate.service.workloads import Workloads
from rowgate.service.writes import Writes

_FAILED = "Client authentication failed."
_KEPT_KEY_SETS = 1000
# refusals of who has proved itself all the same, or could not: nobody is guessing
_PROVED = frozenset(
    {
        "disabled_application",
        "expired_secret",
        "key_host_not_allowed",
        "method_not_registered",
        "revoked_secret",
        "unusable_remote_keys",
    }
)


class ClientAuthenticator:
    """One way for every endpoint that clients authenticate at."""

    def __init__(
        self,
        state: LiveState,
        *,
        digest_key: bytes,
        issuer: str,
        clock: Clock,
        throttle: FailureThrottle,
        writes: Writes,
        remote_keys: RemoteKeys,
        workloads: Workloads,
        compatible_audiences: Collection[str] = (),
    ) -> None:
        """Take what the steps need."""
        self._state = state
        self._digest_key = digest_key
        self._issuer = issuer
        self._clock = clock
        self._throttle = throttle
        self._writes = writes
        self._compatible_audiences = compatible_audiences  # of assertions, beside the issuer
        self._remote_keys = remote_keys
        self._workloads = workloads

    def load_keys_then(self, parameters: TokenParameters, then: Callable[[], None]) -> bool:
        """Tell whether keys that the request's assertion needs are to be loaded first; then call back, once and later.

        `authenticate` says afterwards how it went. Who sends no assertion never waits.
        """
        try:
            presented = parse_client_assertion(parameters)
            unverified = parameters.assertion if presented is None else presented.unverified_assertion
            if unverified is None:
                return False
            uri = self._find_jwks_uri(presented, unverified)
            key_id = read_unverified_header(unverified).kid if uri else None
        except (OAuthError, UnverifiableJws):
            return False  # it will be refused for that
        if not uri or not self._remote_keys.must_load(uri, key_id):
            return False
        self._remote_keys.load_then(uri, then)
        return True

    async def load_keys(self, parameters: TokenParameters) -> None:
        """Return when the keys that the request's assertion needs are loaded, or cannot be."""
        if parameters.client_assertion is None:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle() -> None:
            if not done.done():
                done.set_result(None)

        if self.load_keys_then(parameters, settle):
            await done

    def authenticate(
        self,
        parameters: TokenParameters,
        authorization: Sequence[bytes],
        source: str,
        find_certificate: FindCertificate | None = None,
    ) -> Authenticated:
        """Give the client of a request; an assertion it presents is not yet used up, see `use_up`.

        Args:
            parameters: Of the body.
            authorization: The values of every Authorization header.
            source: The client's address, which failures are counted by.
            find_certificate: Gives the client's certificate; None where this server learns of none.

        Raises:
            OAuthError: InvalidRequest, InvalidClient or TooManyRequests.

        Source: RFC 6749 §2.3, RFC 7521 §4.2, RFC 8705 §2; the order: PROTOCOL 5.0
        """
        now = self._clock()
        client_id = parameters.client_id
        if (
            find_certificate is not None
            and client_id is not None
            and not has_other_authentication(parameters, authorization)
        ):
            application = self._state.find_application(client_id)
            prove = partial(_authenticate_by_certificate, application, find_certificate, now)
            return self._count(client_id, source, now, prove)
        if parameters.client_assertion is None and parameters.client_assertion_type is None:
            presented = parse_client_authentication(authorization, parameters)
            return self._count(presented.client_id, source, now, partial(self._authenticate_secret, presented, now))
        if authorization or parameters.client_secret is not None:
            parse_client_authentication(authorization, parameters)  # refuses two mechanisms at once
        assertion = parse_client_assertion(parameters)
        assert assertion is not None, "internal error: an assertion that is not there"
        client_id = assertion.unverified_subject
        issuer = None if assertion.is_of_a_client else self._workloads.find_issuer(assertion.unverified_assertion)
        if issuer is not None:
            prove = partial(
                self._prove_workload,
                assertion.unverified_assertion,
                issuer,
                client_id=parameters.client_id,
                refusal=InvalidClient,
            )
            return self._count(parameters.client_id or client_id, source, now, prove)
        return self._count(client_id, source, now, partial(self._authenticate_assertion, assertion, now))

    @property
    def takes_grants(self) -> bool:
        """Tell whether a platform's token may be the grant (RFC 7523 §2.1)."""
        return self._workloads.is_on

    def authenticate_by_grant(
        self,
        parameters: TokenParameters,
        authorization: Sequence[bytes],
        source: str,
        find_certificate: FindCertificate | None = None,
    ) -> Authenticated:
        """Give the client whose grant is a platform's token; a proof of its own beside that must be the same client's.

        Raises:
            OAuthError: InvalidRequest, InvalidGrant, TooManyRequests; InvalidClient of the proof beside it.

        Source: RFC 7521 §4.1, RFC 7523 §2.1, §3.1
        """
        now = self._clock()
        client_id = parameters.client_id
        once: tuple[tuple[bytes, int], ...] = ()
        if authorization or parameters.client_secret is not None or parameters.client_assertion is not None:
            beside = self.authenticate(parameters, authorization, source, find_certificate)
            client_id, once = beside.application.client_id, beside.once
        unverified = parameters.assertion
        if unverified is None:
            raise InvalidRequest("The assertion parameter is missing.", reason="no_assertion")
        issuer = self._workloads.find_issuer(unverified)
        client = self._count(
            client_id or "",
            source,
            now,
            lambda: self._prove_workload(unverified, issuer, client_id=client_id, refusal=InvalidGrant),
        )
        return msgspec.structs.replace(client, is_grant=True, once=(*once, *client.once))

    def use_up(
        self,
        client: Authenticated,
        then: Callable[[OAuthError | StoreError | None], None],
        *,
        proof: DpopProof | None = None,
    ) -> None:
        """Spend what the client has used, for every worker and replica; call back with None or the refusal.

        Source: RFC 7523 §3 (7), RFC 9449 §11.1: jti values are kept so that nothing is replayed
        """
        now = int(self._clock())

        def spend(change: StoreWriter) -> OAuthError | None:
            for handle, forget_at in client.once:
                if not change.use_once(handle, forget_at):
                    if client.is_grant:
                        return InvalidGrant("The assertion is not valid.", reason="assertion_replayed")
                    return InvalidClient(_FAILED, reason="assertion_replayed", key_id=client.key_id)
            if proof is not None and not change.use_once(proof.replay_handle, int(proof.forget_at) + 1):
                return InvalidDpopProof("The DPoP proof was used before.", reason="proof_replayed")
            if client.is_first_use and client.secret is not None:
                try:
                    note_use(change, client.application, client.secret, now)
                except UnknownName:  # the secret or its application was removed a moment ago
                    return InvalidClient(_FAILED, reason="unknown_client", key_id=client.key_id)
            return None

        def settle(outcome: OAuthError | StoreError | None) -> None:
            self._count_use(client, outcome, now)
            then(outcome)

        try:
            self._writes.write_then(spend, settle)
        except StoreError as error:
            then(error)

    def _count(self, client_id: str, source: str, now: float, prove: Callable[[], Authenticated]) -> Authenticated:
        """Give what the proof gave, unless this client must wait here; count how it went."""
        try:
            self._throttle.check(client_id, source, now)
            client = prove()
        except OAuthError as refusal:
            refusal.client_id = client_id
            if isinstance(refusal, (InvalidClient, InvalidGrant)) and refusal.reason not in _PROVED:
                self._throttle.note_failure(client_id, source, now)
            raise
        if client.once:  # a proof that came before is no success: see `use_up`
            return msgspec.structs.replace(client, counted_as=(client_id, source))
        self._throttle.note_success(client_id, source)
        return client

    def _count_use(self, client: Authenticated, outcome: OAuthError | StoreError | None, now: float) -> None:
        """Count how a proof went that is good once only: one that came before is a failure."""
        if client.counted_as is None:
            return
        if outcome is None:
            self._throttle.note_success(*client.counted_as)
        elif isinstance(outcome, (InvalidClient, InvalidGrant)):
            self._throttle.note_failure(*client.counted_as, now)

    def _authenticate_secret(self, presented: PresentedCredentials, now: float) -> Authenticated:
        application = self._state.find_application(presented.client_id)
        secret = verify_client(application, presented, key=self._digest_key, now=now)
        assert application is not None, "internal error: an unknown client proved its secret"
        _require_method(application, presented.method, secret.key_id)
        is_first_use = bool(secret.parent) and not secret.used_at
        return Authenticated(application, secret, secret.key_id, is_first_use=is_first_use)

    def _authenticate_assertion(self, presented: PresentedAssertion, now: float) -> Authenticated:
        client_id = presented.unverified_subject
        application = self._state.find_application(client_id)
        try:
            keys = self._find_keys(application)
        except InvalidClient:
            verify_in_vain(presented)
            raise
        verified = verify_client_assertion(
            presented,
            keys,
            client_id=client_id,
            issuer=self._issuer,
            now=now,
            compatible_audiences=self._compatible_audiences,
        )
        assert application is not None, "internal error: an unknown client proved its key"
        _require_method(application, PRIVATE_KEY_JWT, verified.key_id)
        if not application.enabled:
            raise InvalidClient("The application is disabled.", reason="disabled_application", key_id=verified.key_id)
        # both lengths, so that no two pairs of client and jti give one text
        used = f"jti {len(application.client_id)} {application.client_id} {verified.jti}".encode()
        once = (hashlib.sha256(used).digest(), int(verified.expires_at) + 1)
        return Authenticated(application, None, verified.key_id, (once,))

    def _prove_workload(
        self, unverified: str, issuer: TrustedIssuer | None, *, client_id: str | None, refusal: Refusal
    ) -> Authenticated:
        proved = self._workloads.prove(unverified, issuer, client_id=client_id, refusal=refusal)
        return Authenticated(proved.application, None, "", proved.once, workload=proved.told)

    def _find_jwks_uri(self, presented: PresentedAssertion | None, unverified: str) -> str:
        issuer = self._workloads.find_issuer(unverified)
        if issuer is not None:
            return issuer.jwks_uri or ""
        if presented is None:
            return ""
        application = self._state.find_application(presented.unverified_subject)
        return "" if application is None else application.policy.jwks_uri

    def _find_keys(self, application: Application | None) -> VerificationKeys:
        if application is None:
            raise InvalidClient(_FAILED, reason="unknown_client")
        if application.policy.jwks_uri:
            return self._get_remote_keys(application.policy.jwks_uri)
        if not application.policy.jwks:
            raise InvalidClient(_FAILED, reason="no_registered_key")
        return _read_keys(application.policy.jwks)

    def _get_remote_keys(self, uri: str) -> VerificationKeys:
        try:
            return self._remote_keys.get(uri)
        except UnusableJwkSet:
            raise InvalidClient(_FAILED, reason="unusable_remote_keys") from None
        except KeysForbidden:
            raise InvalidClient(_FAILED, reason="key_host_not_allowed") from None


def _authenticate_by_certificate(
    application: Application | None, find_certificate: FindCertificate, now: float
) -> Authenticated:
    return authenticate_by_certificate(application, find_certificate(), now)


def _require_method(application: Application, method: str, key_id: str) -> None:
    # RFC 7591 §2 token_endpoint_auth_method; PROTOCOL 47
    if method not in application.policy.authentication_methods:
        raise InvalidClient(_FAILED, reason="method_not_registered", key_id=key_id)


@lru_cache(maxsize=_KEPT_KEY_SETS)
def _read_keys(jwks: str) -> VerificationKeys:
    try:
        return parse_jwk_set(jwks.encode())
    except UnusableJwkSet:
        raise InvalidClient(_FAILED, reason="unusable_registered_keys") from None
