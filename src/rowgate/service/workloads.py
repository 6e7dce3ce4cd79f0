"""Jobs that prove who they are by a token of their platform: which issuer, its keys, which application.

Rule: what the token says of itself chooses among what an administrator has written, and adds nothing to it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from rowgate.oauth.client_assertion import MAX_ASSERTION_LENGTH
from rowgate.oauth.errors import InvalidClient, InvalidGrant
from rowgate.oauth.jwk_set import UnusableJwkSet, parse_jwk_set
from rowgate.oauth.jws import UNREADABLE_JSON, UnverifiableJws, VerificationKeys, read_unverified_payload
from rowgate.oauth.model import Application
from rowgate.oauth.workload import (
    Refusal,
    TrustedIssuer,
    WorkloadRule,
    find_trusted_issuer,
    match_workload,
    verify_workload_assertion,
)
from rowgate.ports import Clock
from rowgate.service.remote_keys import SERVING_USES, KeysForbidden, RemoteKeys
from rowgate.service.state import LiveState

_CLIENT_FAILED = "Client authentication failed."
_GRANT_FAILED = "The assertion is not valid."


class _Names(msgspec.Struct, frozen=True):
    iss: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class ProvedWorkload:
    """A workload that is an application."""

    application: Application
    told: str  # for the record: the issuer's name and the subject
    once: tuple[tuple[bytes, int], ...]  # see `clients.Authenticated`


_decode_names = msgspec.json.Decoder(_Names).decode


class Workloads:
    """The trusted issuers of the settings, and the rules of every application as the state has them."""

    def __init__(
        self, issuers: Sequence[TrustedIssuer], state: LiveState, remote_keys: RemoteKeys, *, clock: Clock
    ) -> None:
        """Take what is believed.

        Raises:
            UnusableJwkSet: The keys that stand in an issuer's file cannot serve.
        """
        self._issuers = issuers
        self._state = state
        self._remote_keys = remote_keys
        self._clock = clock
        self._keys = {
            issuer.name: parse_jwk_set(issuer.jwks, uses=SERVING_USES) for issuer in issuers if issuer.jwks is not None
        }
        self._rules: Sequence[WorkloadRule] = ()
        self._rules_of: int | None = None  # the state's sequence number

    @property
    def is_on(self) -> bool:
        """Tell whether there is anybody to believe."""
        return bool(self._issuers)

    def find_issuer(self, unverified_assertion: str) -> TrustedIssuer | None:
        """Give the issuer that an assertion claims to be of; None when it is none of ours, or no assertion."""
        if not self._issuers:
            return None
        try:
            names = _decode_names(read_unverified_payload(unverified_assertion, max_length=MAX_ASSERTION_LENGTH))
        except (UnverifiableJws, *UNREADABLE_JSON):
            return None
        return find_trusted_issuer(self._issuers, names.iss, names.sub)

    def prove(
        self, unverified_assertion: str, issuer: TrustedIssuer | None, *, client_id: str | None, refusal: Refusal
    ) -> ProvedWorkload:
        """Give the application that a workload is; what counts once is not yet used up.

        Args:
            unverified_assertion: As it came.
            issuer: From `find_issuer`.
            client_id: Which application it must be; None: the only one whose rules it meets.
            refusal: What to raise.

        Raises:
            InvalidClient: It is none, of a client_assertion.
            InvalidGrant: It is none, of a grant.
            KeysUnavailable: The platform's keys cannot be had at the moment.

        Source: RFC 7523 §2.1, §2.2, §3
        """
        if issuer is None:
            raise _refuse(refusal, "unknown_issuer")
        keys = self._find_keys(issuer, refusal)
        workload = verify_workload_assertion(unverified_assertion, issuer, keys, now=self._clock(), refusal=refusal)
        rule = match_workload(workload, self._list_rules(), client_id=client_id, refusal=refusal)
        application = self._state.find_application(rule.client_id)
        assert application is not None, "internal error: a rule of no application"
        if not application.enabled:
            raise _refuse(refusal, "disabled")
        once: tuple[tuple[bytes, int], ...] = ()
        if issuer.single_use:
            # the length, so that no two pairs of issuer and jti give one text
            used = f"workload jti {len(issuer.name)} {issuer.name} {workload.jti}".encode()
            once = ((hashlib.sha256(used).digest(), int(workload.expires_at) + 1),)
        return ProvedWorkload(application, f"{issuer.name}: {workload.subject}", once)

    def _find_keys(self, issuer: TrustedIssuer, refusal: Refusal) -> VerificationKeys:
        if issuer.jwks_uri is None:
            return self._keys[issuer.name]
        try:
            return self._remote_keys.get(issuer.jwks_uri)
        except UnusableJwkSet:
            raise _refuse(refusal, "unusable_keys") from None
        except KeysForbidden:
            raise _refuse(refusal, "key_host_not_allowed") from None

    def _list_rules(self) -> Sequence[WorkloadRule]:
        if self._rules_of != self._state.sequence:
            self._rules = [
                WorkloadRule(application.client_id, rule.issuer_name, rule.claims)
                for application in self._state.list_applications()
                for rule in application.policy.workloads
            ]
            self._rules_of = self._state.sequence
        return self._rules


def _refuse(refusal: Refusal, reason: str) -> InvalidClient | InvalidGrant:
    return refusal(_CLIENT_FAILED if refusal is InvalidClient else _GRANT_FAILED, reason=f"workload_{reason}")
