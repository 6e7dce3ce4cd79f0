"""What registering a client and managing a registration have in common."""

import logging

import msgspec

from rowgate.oauth.bearer import parse_presented_token
from rowgate.oauth.client_auth import digest_client_secret, refuse_credential_in_query
from rowgate.oauth.errors import InvalidToken, MissingToken, OAuthError
from rowgate.oauth.lineage import KEY_ID_RANDOM_BYTES, SECRET_RANDOM_BYTES, render_client_secret, render_handle
from rowgate.oauth.model import Application, Secret
from rowgate.oauth.registration import ClientInformation, inform_client
from rowgate.ports import AuditSink, Clock, Entropy, StoreError
from rowgate.service.client_requests import ClientRequest, record_refusal
from rowgate.service.origin import Origin
from rowgate.service.state import LiveState
from rowgate.service.throttle import FailureThrottle
from rowgate.service.writes import Writes

ENDPOINT = "register"
SECRET_NAME = "registered"  # noqa: S105 - what such a secret is called
REFUSED = "The access token is not valid."  # whatever is wrong with it: only the record knows

_log = logging.getLogger("rowgate.registrations")


class FreshSecret(msgspec.Struct, frozen=True):
    """A secret that may be made: drawn before the transaction, which may run twice."""

    key_id: str
    value: str

    def __repr__(self) -> str:
        return f"<fresh secret {self.key_id}>"


class RegistrationTools:
    """The worker's tools, and the steps that are the same."""

    def __init__(
        self,
        state: LiveState,
        *,
        endpoint_uri: str,
        max_secret_seconds: int = 0,
        throttle: FailureThrottle,
        writes: Writes,
        audit: AuditSink,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Take what the steps need; the throttle is this endpoint's own, the address is the one that clients use."""
        self.state = state
        self.throttle = throttle
        self.writes = writes
        self.audit = audit
        self.clock = clock
        self.entropy = entropy
        self.max_secret_seconds = max_secret_seconds
        self._endpoint_uri = endpoint_uri

    @property
    def digest_key(self) -> bytes:
        """The key of the digests that secrets and tokens are kept as."""
        return self.state.keys.digest

    def make_secret(
        self, fresh: FreshSecret, client_id: str, now: int, *, expires_at: int, lineage_began_at: int = 0
    ) -> Secret:
        """Give a secret as it is to be kept; its number comes with the keeping."""
        return Secret(
            number=0,
            key_id=fresh.key_id,
            name=SECRET_NAME,
            digest=digest_client_secret(self.digest_key, client_id, fresh.value),
            created_at=now,
            expires_at=expires_at,
            revoked=False,
            kills_tokens=False,
            lineage_began_at=lineage_began_at,
        )

    def inform(
        self, application: Application, registration_access_token: str, now: float, *, client_secret: str | None = None
    ) -> ClientInformation:
        """Give what the client is told."""
        return inform_client(
            application,
            registration_client_uri=f"{self._endpoint_uri}?client_id={application.client_id}",
            registration_access_token=registration_access_token,
            client_secret=client_secret,
            now=now,
        )

    async def refuse(
        self, refusal: OAuthError | StoreError, origin: Origin, *, client_id: str, counted_as: str = "", now: float
    ) -> None:
        """Put a refusal on record; where the token was at fault, count it as a guess.

        Raises:
            AuditUnavailable: It cannot be put on record.
        """
        if counted_as and isinstance(refusal, InvalidToken):
            self.throttle.note_failure(counted_as, origin.source, now)
        if isinstance(refusal, InvalidToken) and refusal.reason == "used_initial_token":
            _log.error("the initial access token %s came once more after it was used", refusal.key_id)
        await record_refusal(self.audit, refusal, origin, endpoint=ENDPOINT, client_id=client_id, now=now)


def draw_secret(entropy: Entropy) -> FreshSecret:
    """Give the randomness of a secret."""
    key_id = render_handle(entropy(KEY_ID_RANDOM_BYTES))
    return FreshSecret(key_id, render_client_secret(key_id, entropy(SECRET_RANDOM_BYTES)))


def read_token(request: ClientRequest) -> str:
    """Give the bearer token of a request.

    Raises:
        InvalidRequest: There are two, or a credential stands in the URL.
        MissingToken: There is none.
        InvalidToken: It has signs that no token has.

    Source: RFC 7591 §3, RFC 7592 §2, RFC 6750 §2.1
    """
    refuse_credential_in_query(request.query)
    presented = parse_presented_token(request.authorization)
    if presented.is_dpop:
        raise MissingToken("The request carries no bearer token.", reason="other_scheme")
    return presented.token
