"""What an administrator sets for an application: how it proves who it is, what its tokens are, how many it gets."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_auth import CLIENT_SECRET_BASIC, CLIENT_SECRET_POST
from rowgate.oauth.jwk_set import UnusableJwkSet, parse_jwk_set
from rowgate.oauth.jws import SigningAlgorithm
from rowgate.oauth.model import JWT, ORDINARY, Application, ClientPolicy
from rowgate.oauth.mutual_tls import SELF_SIGNED_TLS_CLIENT_AUTH, TLS_CLIENT_AUTH
from rowgate.oauth.scope import parse_scope
from rowgate.ports import StoreWriter
from rowgate.service.admin.certificates import check_subject, list_certificate_thumbprints, read_own_certificates
from rowgate.service.admin.desk import AdminError, Desk, load_application
from rowgate.service.admin.keys import KeyDesk
from rowgate.service.admin.lifetimes import choose_access_lifetime, choose_refresh_lifetime

METHODS = (CLIENT_SECRET_BASIC, CLIENT_SECRET_POST, PRIVATE_KEY_JWT, TLS_CLIENT_AUTH, SELF_SIGNED_TLS_CLIENT_AUTH)
SECRET_METHODS = frozenset({CLIENT_SECRET_BASIC, CLIENT_SECRET_POST})
MAX_URL_LENGTH = 2048
MAX_ATTRIBUTE_LENGTH = 1000
MOST_IN_A_BUDGET = 2**53  # beyond it JSON's numbers are not exact everywhere
_BUDGETS = ("max_reads", "statement_seconds", "rows_per_day", "bytes_per_day")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MOST_TOKENS_PER_MINUTE = 1_000_000
_A_SET = 'a JWK Set is {"keys": [ … ]} with a public RSA key from 2048 bits, P-256, P-384 or Ed25519'


class PolicyChange(msgspec.Struct, frozen=True):
    """What is to be different in an application's policy; None leaves it as it is."""

    authentication_methods: tuple[str, ...] | None = None  # RFC 7591 §2 token_endpoint_auth_method, some of METHODS
    jwks: str | None = None  # a JWK Set (RFC 7517 §5); empty: its keys are forgotten
    jwks_uri: str | None = None  # where it stands, in place of that; empty: nowhere
    access_token_format: Literal["sealed", "jwt"] | None = None
    access_token_algorithm: SigningAlgorithm | None = None
    dpop_bound_tokens: bool | None = None
    rotate_refresh_tokens: bool | None = None
    tokens_per_minute: int | None = None  # 0: no quota
    tls_subject_kind: str | None = None  # one of SUBJECT_KINDS, with the next; empty: none
    tls_subject: str | None = None
    tls_certificates: str | None = None  # PEM, or a JWK Set with x5c; empty: forgotten
    certificate_bound_tokens: bool | None = None
    token_exchange: bool | None = None
    exchanges_tokens_of: tuple[str, ...] | None = None  # names or client ids of other applications; empty: of none
    exchanged_token_seconds: int | None = None  # 0: no further limit
    attributes: tuple[tuple[str, str], ...] | None = None  # only these are touched; an empty value: it is forgotten
    max_reads: int | None = None  # of all of these 0: none of its own
    statement_seconds: int | None = None
    rows_per_day: int | None = None
    bytes_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class TermsChange:
    """What is to be different in what an application may ask for; None leaves it as it is."""

    scope: str | None = None
    refresh_tokens: bool | None = None
    access_lifetime_seconds: int | None = None
    refresh_lifetime_seconds: int | None = None


UNCHANGED = PolicyChange()
SAME_TERMS = TermsChange()


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A public key of an application, as people tell keys apart."""

    key_id: str  # as the application calls it; empty when it has no name
    thumbprint: str  # RFC 7638, SHA-256, base64url
    algorithms: tuple[str, ...]


class PolicyDesk:
    """Changes what is set for an application that is there already."""

    def __init__(self, desk: Desk, keys: KeyDesk) -> None:
        """Take the administrator's tools, and the keys that signed tokens need."""
        self._desk = desk
        self._keys = keys

    def set(self, name: str, policy: PolicyChange = UNCHANGED, terms: TermsChange = SAME_TERMS) -> Application:
        """Change an application; give it as it is then. What is so already is no change, and not on record.

        Tokens that were issued stay what they are.

        Args:
            name: Its name or client id.
            policy: What is to be different.
            terms: Likewise.

        Raises:
            AdminError: There is no such application, what is asked for does not fit together, or a life is longer than
                the server's maximum.
            InvalidScope: The scope is malformed.
        """
        if terms.access_lifetime_seconds is not None:
            choose_access_lifetime(self._desk.maxima, terms.access_lifetime_seconds)
        if terms.refresh_lifetime_seconds is not None:
            choose_refresh_lifetime(self._desk.maxima, terms.refresh_lifetime_seconds)
        with self._desk.store.reading() as look:
            policy = name_by_client_id(look, policy)
            decided = decide_change(load_application(look, name)[0], policy, terms)
        # The key comes first: from the moment that the application asks for signed tokens there is one to sign with.
        ensure_signing_key(self._keys, decided.policy)
        with self._desk.store.changing() as change:
            before, _ = load_application(change, name)
            after = decide_change(before, policy, terms)
            changed = describe_change(before, after)
            if after.policy != before.policy:
                change.set_policy(before.number, after.policy)
            if changed:
                change.set_terms(
                    before.number,
                    scope=after.scope,
                    refresh_tokens=after.refresh_tokens,
                    access_lifetime_seconds=after.access_lifetime_seconds,
                    refresh_lifetime_seconds=after.refresh_lifetime_seconds,
                )
                self._desk.tell("application.set", before.name, **changed)
        return after


def decide_change(application: Application, policy: PolicyChange, terms: TermsChange) -> Application:
    """Give the application as it would be.

    Raises:
        AdminError: What is asked for does not fit together.
        InvalidScope: The scope is malformed.
    """
    asked: dict[str, Any] = {
        name: value for name in TermsChange.__slots__ if (value := getattr(terms, name)) is not None
    }
    if terms.scope is not None:
        asked["scope"] = parse_scope(terms.scope)
    after = dataclasses.replace(application, **asked, policy=decide_policy(application.policy, policy))
    return dataclasses.replace(after, policy=_remember_lifetimes(application, after))


def _remember_lifetimes(before: Application, after: Application) -> ClientPolicy:
    """Give the policy with the longest lives before they are lowered: what was issued lives on as long as it was to."""
    lowered: dict[str, int] = {}
    if after.access_lifetime_seconds < before.access_lifetime_seconds:
        lowered["past_access_seconds"] = before.longest_access_seconds
    if after.refresh_lifetime_seconds < before.refresh_lifetime_seconds:
        lowered["past_refresh_seconds"] = before.longest_refresh_seconds
    return msgspec.structs.replace(after.policy, **lowered)


def decide_policy(policy: ClientPolicy, change: PolicyChange) -> ClientPolicy:
    """Give the policy as it would be; what the change does not speak of is left alone, whoever set it.

    Raises:
        AdminError: A key set that cannot serve, an unknown method, none at all, a key, a certificate or its name that
            a method lacks or that cannot be read, an absurd quota, or a rule for exchanges where it may not exchange.
    """
    asked: dict[str, Any] = {
        name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not None
    }
    if change.jwks and change.jwks_uri:
        raise AdminError("keys stand either here or at an address, not both (RFC 7591 §2): --jwks or --jwks-uri")
    if change.jwks:
        asked |= {"jwks": _read_jwks(change.jwks), "jwks_uri": ""}
    if change.jwks_uri:
        asked |= {"jwks": "", "jwks_uri": _read_jwks_uri(change.jwks_uri)}
    if change.tls_certificates:
        asked["tls_certificates"] = read_own_certificates(change.tls_certificates)
    if change.tls_subject:
        check_subject(change.tls_subject_kind or "", change.tls_subject)
    if change.authentication_methods is not None:
        asked["authentication_methods"] = tuple(name for name in METHODS if name in change.authentication_methods)
        if not asked["authentication_methods"] or not set(change.authentication_methods) <= set(METHODS):
            raise AdminError("an application proves who it is by one or more of: " + ", ".join(METHODS))
    _check_numbers(asked)
    asked["attributes"] = _set_attributes(policy.attributes, change.attributes or ())
    decided = msgspec.structs.replace(policy, **asked)
    if change.exchanges_tokens_of and not decided.token_exchange:
        raise AdminError("it may exchange no tokens, so none of others either: --token-exchange")
    _require_credentials(decided)
    return decided


def _check_numbers(asked: Mapping[str, Any]) -> None:
    if not 0 <= asked.get("tokens_per_minute", 0) <= MOST_TOKENS_PER_MINUTE:
        raise AdminError(f"a quota is 1 to {MOST_TOKENS_PER_MINUTE} tokens a minute, or 0 for none")
    for name in _BUDGETS:
        if not 0 <= asked.get(name, 0) <= MOST_IN_A_BUDGET:
            raise AdminError(f"{name} is 1 to {MOST_IN_A_BUDGET}, or 0 for none")


def _set_attributes(
    before: tuple[tuple[str, str], ...], change: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    for name, value in change:
        if not _ATTRIBUTE_NAME.fullmatch(name) or len(value) > MAX_ATTRIBUTE_LENGTH or not value.isprintable():
            raise AdminError(
                "an attribute has a name of up to 64 letters, digits, _, - and ., and a printable value of up to "
                f"{MAX_ATTRIBUTE_LENGTH} characters"
            )
    after = {**dict(before), **dict(change)}
    return tuple(sorted((name, value) for name, value in after.items() if value))


def _require_credentials(decided: ClientPolicy) -> None:
    if PRIVATE_KEY_JWT in decided.authentication_methods and not (decided.jwks or decided.jwks_uri):
        raise AdminError(f"{PRIVATE_KEY_JWT} needs the application's public keys: --jwks FILE or --jwks-uri URL")
    if TLS_CLIENT_AUTH in decided.authentication_methods and not decided.tls_subject:
        raise AdminError(
            f"{TLS_CLIENT_AUTH} needs the name in the application's certificate: --tls-subject-dn or --tls-san-…"
        )
    if SELF_SIGNED_TLS_CLIENT_AUTH in decided.authentication_methods and not decided.tls_certificates:
        raise AdminError(f"{SELF_SIGNED_TLS_CLIENT_AUTH} needs the application's certificates: --certificate FILE")


def name_by_client_id(look: StoreWriter, change: PolicyChange) -> PolicyChange:
    """Give the change with client ids where it names applications: a name may come to mean another one.

    Raises:
        AdminError: There is no such application.
    """
    if not change.exchanges_tokens_of:
        return change
    found = (load_application(look, name)[0].client_id for name in change.exchanges_tokens_of)
    return msgspec.structs.replace(change, exchanges_tokens_of=tuple(sorted(set(found))))


def ensure_signing_key(keys: KeyDesk, policy: ClientPolicy) -> None:
    """Have a key made when signed tokens are asked for and nothing signs them; the first one signs at once."""
    if policy.access_token_format != JWT:
        return
    algorithm = policy.access_token_algorithm
    listed = keys.list_all()
    if not any(key.use == "signing" and key.algorithm == algorithm and key.state == "current" for key in listed):
        keys.rotate_signing(algorithm, at_once=True)


def describe_change(before: Application, after: Application) -> dict[str, Any]:
    """Give what is different, for the record: the new values; of keys their thumbprints, which nobody can choose."""
    changed: dict[str, Any] = {
        name: getattr(after, name) for name in TermsChange.__slots__ if getattr(after, name) != getattr(before, name)
    }
    return {**changed, **describe_policy_change(before.policy, after.policy)}


def describe_policy_change(before: ClientPolicy, after: ClientPolicy) -> dict[str, Any]:
    """Give what is different in a policy, as `describe_change` does."""
    changed = {
        name: getattr(after, name)
        for name in PolicyChange.__struct_fields__
        if getattr(after, name) != getattr(before, name)
    }
    if "jwks" in changed:
        changed["jwks"] = [key.thumbprint for key in list_registered_keys(after)]
    if "tls_certificates" in changed:
        changed["tls_certificates"] = list_certificate_thumbprints(after)
    return changed


def list_registered_keys(policy: ClientPolicy = ORDINARY) -> list[RegisteredKey]:
    """Give the public keys that an application has registered."""
    if not policy.jwks:
        return []
    keys = parse_jwk_set(policy.jwks.encode()).keys
    return [RegisteredKey(key.kid or "", key.key.thumbprint(), tuple(sorted(key.algorithms))) for key in keys]


def _read_jwks_uri(url: str) -> str:
    parts = urlsplit(url)
    if (
        len(url) > MAX_URL_LENGTH
        or not (url.isascii() and url.isprintable())
        or " " in url
        or parts.scheme != "https"
        or not parts.hostname
        or "@" in parts.netloc
        or parts.fragment
    ):
        raise AdminError("the address of a key set is https://HOST/PATH, without credentials and fragment")
    return url


def _read_jwks(text: str) -> str:
    """Give a key set without the spaces of its file."""
    try:
        parse_jwk_set(text.encode())
        kept = msgspec.json.encode(msgspec.json.decode(text)).decode()
        parse_jwk_set(kept.encode())
    except UnusableJwkSet as error:
        match error.reason:
            case "jwks_private_key":
                raise AdminError(
                    f"{error} Nothing was changed. Keep that key with the application and give its public part alone"
                ) from None
            case "jwks_malformed" | "jwks_no_key" | "jwks_symmetric_key":
                raise AdminError(f"{error} ({_A_SET})") from None
            case _:
                raise AdminError(str(error)) from None
    return kept
