"""Workload identity: a job proves who it is by a token that its platform signed, so that it holds no secret.

Rule: a claim matches when it is a text equal to one that the administrator wrote, and in no other way. No part
of a text, no pattern: `repo:acme/tool` would let `repo:acme/tool-of-somebody-else` in.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from rowgate.oauth.client_assertion import MAX_ASSERTION_LENGTH, MAX_JTI_LENGTH, find_fault_in_times
from rowgate.oauth.errors import InvalidClient, InvalidGrant
from rowgate.oauth.jwk_set import VERIFICATION_ALGORITHMS
from rowgate.oauth.jws import UNREADABLE_JSON, JwsHeader, UnverifiableJws, VerificationKey, VerificationKeys, verify_jws
from rowgate.oauth.workload_rules import ClaimRule

JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 §2.1
_TYPES = (None, "jwt", "jose")  # SPIFFE JWT-SVID §2.2 allows both names
_PATH = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+"
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")  # SPIFFE-ID §2.1
_SPIFFE_ID = re.compile(rf"spiffe://([a-z0-9._-]{{1,255}}){_PATH}")
_MAX_SPIFFE_ID_LENGTH = 2048

Claims = Mapping[str, object]
Refusal = type[InvalidClient] | type[InvalidGrant]


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """A platform whose tokens are believed, as far as the rules of the applications go.

    Raises:
        ValueError: A setting that would trust more than it says, or nothing.
    """

    name: str
    audience: str  # what the platform's tokens must be made out to
    issuer: str | None = None  # the exact `iss`; None only for SPIFFE, whose tokens need not have one
    spiffe_trust_domain: str | None = None  # then `sub` must be an id of it
    jwks: bytes | None = None  # the keys themselves, or
    jwks_uri: str | None = None  # where the caller gets them; nothing is fetched here, and never from a token's word
    algorithms: frozenset[str] = frozenset({"RS256", "ES256"})
    max_age_seconds: int = 3600  # 1 h; since it was made, and until its end
    single_use: bool = False  # `jti` is required, and the caller refuses replays by it

    def __post_init__(self) -> None:
        if self.issuer is None and self.spiffe_trust_domain is None:
            raise ValueError("A trusted issuer needs an issuer or a SPIFFE trust domain.")
        if self.spiffe_trust_domain is not None and not _TRUST_DOMAIN.fullmatch(self.spiffe_trust_domain):
            raise ValueError("The SPIFFE trust domain is malformed.")
        if (self.jwks is None) == (self.jwks_uri is None):
            raise ValueError("A trusted issuer needs either a key set or the address of one.")
        if not self.algorithms or not self.algorithms <= VERIFICATION_ALGORITHMS:
            raise ValueError("A trusted issuer needs algorithms, all of them asymmetric and supported.")
        if not self.audience or self.issuer == "" or self.max_age_seconds <= 0:
            raise ValueError("A trusted issuer needs an audience, an issuer that is not empty and a greatest age.")


@dataclass(frozen=True, slots=True)
class WorkloadRule:
    """Which workloads of an issuer are an application: those that meet every claim rule.

    Raises:
        ValueError: No claim rule: anybody who can run a job on the platform would be the application.
    """

    client_id: str
    issuer_name: str
    claims: tuple[ClaimRule, ...]

    def __post_init__(self) -> None:
        if not self.claims:
            raise ValueError("A workload rule needs at least one claim.")


@dataclass(frozen=True, slots=True)
class VerifiedWorkload:
    """A workload whose platform vouches for it; which application it is, the rules say."""

    issuer_name: str
    subject: str
    claims: Claims
    jti: str | None
    expires_at: float


class _Registered(msgspec.Struct, frozen=True):
    sub: str
    aud: str | tuple[str, ...]
    exp: int | float
    iss: str | None = None
    iat: int | float | None = None
    nbf: int | float | None = None
    jti: str | None = None


_decode_registered = msgspec.json.Decoder(_Registered).decode
_decode_claims = msgspec.json.Decoder(dict[str, object]).decode


def find_trusted_issuer(
    issuers: Iterable[TrustedIssuer], unverified_issuer: str, unverified_subject: str
) -> TrustedIssuer | None:
    """Give the issuer whose keys to try: by its exact name, else by the trust domain of the subject."""
    spiffe = _SPIFFE_ID.fullmatch(unverified_subject)
    by_domain = None
    for issuer in issuers:
        if issuer.issuer is not None and issuer.issuer == unverified_issuer:
            return issuer
        if issuer.issuer is None and spiffe is not None and issuer.spiffe_trust_domain == spiffe[1]:
            by_domain = issuer
    return by_domain


def verify_workload_assertion(
    unverified_assertion: str, issuer: TrustedIssuer, keys: VerificationKeys, *, now: float, refusal: Refusal
) -> VerifiedWorkload:
    """Give what the platform says of a workload.

    1. The signature, by a key of the issuer, under an algorithm of key and issuer both. 2. The issuer, character
    by character, and for SPIFFE the trust domain. 3. The audience is ours, or a list that holds ours. 4. The
    times; `iat` is required of all but SPIFFE. 5. `jti` where replays are to be refused.

    Args:
        unverified_assertion: What came.
        issuer: From `find_trusted_issuer`.
        keys: Its keys.
        now: Seconds since 1970.
        refusal: `InvalidClient` for a client_assertion, `InvalidGrant` for an assertion that is the grant.

    Raises:
        InvalidClient: Any step failed, of a client_assertion.
        InvalidGrant: Any step failed, of a grant.

    Source: RFC 7523 §3, §3.1, §3.2; SPIFFE JWT-SVID §2 to §4
    """

    def find_keys(header: JwsHeader) -> tuple[VerificationKey, ...]:
        return keys.find(header) if header.alg in issuer.algorithms else ()

    try:
        payload, _ = verify_jws(unverified_assertion, find_keys, types=_TYPES, max_length=MAX_ASSERTION_LENGTH)
        registered = _decode_registered(payload)
        claims = _decode_claims(payload)
    except UnverifiableJws as refused:
        raise _refuse(refusal, refused.reason) from None
    except UNREADABLE_JSON:
        raise _refuse(refusal, "claims") from None
    reason = (
        _find_fault_in_names(registered, issuer)
        or ("no_iat" if registered.iat is None and issuer.spiffe_trust_domain is None else "")
        or find_fault_in_times(
            registered.exp, registered.iat, registered.nbf, now=now, max_lifetime_seconds=issuer.max_age_seconds
        )
        or _find_fault_in_jti(registered.jti, issuer)
    )
    if reason:
        raise _refuse(refusal, reason)
    return VerifiedWorkload(issuer.name, registered.sub, claims, registered.jti, float(registered.exp))


def match_workload(
    workload: VerifiedWorkload, rules: Iterable[WorkloadRule], *, client_id: str | None, refusal: Refusal
) -> WorkloadRule:
    """Give the rule that makes the workload an application.

    Args:
        workload: From `verify_workload_assertion`.
        rules: Of every application.
        client_id: The parameter of the request, to choose among several applications; None when it has none.
        refusal: As for `verify_workload_assertion`.

    Raises:
        InvalidClient: No rule matches, or those of several applications do and the request names none.
        InvalidGrant: The same, of a grant.
    """
    met = [
        rule
        for rule in rules
        if rule.issuer_name == workload.issuer_name
        and client_id in {None, rule.client_id}
        and all(_meets(workload.claims, claim) for claim in rule.claims)
    ]
    if not met:
        raise _refuse(refusal, "no_rule")
    if len({rule.client_id for rule in met}) > 1:
        raise _refuse(refusal, "several_applications")
    return met[0]


def _meets(claims: Claims, rule: ClaimRule) -> bool:
    found: object = claims
    for name in rule.path:
        if not isinstance(found, Mapping) or name not in found:
            return False
        found = found[name]
    return isinstance(found, str) and found in rule.values


def _find_fault_in_names(registered: _Registered, issuer: TrustedIssuer) -> str:
    if issuer.issuer is not None and registered.iss != issuer.issuer:
        return "issuer"
    if issuer.spiffe_trust_domain is not None:
        spiffe = _SPIFFE_ID.fullmatch(registered.sub)
        if len(registered.sub) > _MAX_SPIFFE_ID_LENGTH or spiffe is None or spiffe[1] != issuer.spiffe_trust_domain:
            return "trust_domain"
    audiences = (registered.aud,) if isinstance(registered.aud, str) else registered.aud
    if issuer.audience not in audiences:
        return "audience"
    return "" if registered.sub else "subject"


def _find_fault_in_jti(jti: str | None, issuer: TrustedIssuer) -> str:
    if jti is None:
        return "jti" if issuer.single_use else ""
    return "" if 0 < len(jti) <= MAX_JTI_LENGTH else "jti"


def _refuse(refusal: Refusal, reason: str) -> InvalidClient | InvalidGrant:
    text = "Client authentication failed." if refusal is InvalidClient else "The assertion is not valid."
    return refusal(text, reason=f"workload_{reason}")
