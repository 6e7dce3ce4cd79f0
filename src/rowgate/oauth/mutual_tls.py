"""Mutual TLS: which certificate is whose, and which token is bound to which certificate (RFC 8705).

Two ways to authenticate. `tls_client_auth`: a validated chain and one expected subject, compared as a parsed name
or address. `self_signed_tls_client_auth`: one of the certificates that the client registered, whole: a new
certificate for an old key is another certificate.
"""

import binascii
import re
from dataclasses import dataclass
from typing import Literal, assert_never

import msgspec
from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from rowgate.oauth.certificate_names import parse_address, parse_dns_name, parse_email, parse_uri
from rowgate.oauth.client_certificate import (
    ClientCertificate,
    DistinguishedName,
    normalize_name,
    read_certificate,
)
from rowgate.oauth.dpop_key import decode_base64url
from rowgate.oauth.errors import InvalidClient, InvalidClientMetadata, InvalidToken

TLS_CLIENT_AUTH = "tls_client_auth"
SELF_SIGNED_TLS_CLIENT_AUTH = "self_signed_tls_client_auth"
MAX_SUBJECT_LENGTH = 1024
MAX_JWKS_BYTES = 65_536  # 64 KiB
MAX_REGISTERED_CERTIFICATES = 20

SubjectKind = Literal["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"]
_FAILED = "Client authentication failed."
_SHA256_BYTES = 32
# Short names of RFC 4514 §3 and the ones that certificates and tools use beside them.
_SHORT_NAMES = {
    "CN": NameOID.COMMON_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "C": NameOID.COUNTRY_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "E": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "SN": NameOID.SURNAME,
    "GN": NameOID.GIVEN_NAME,
    "GIVENNAME": NameOID.GIVEN_NAME,
    "T": NameOID.TITLE,
    "TITLE": NameOID.TITLE,
    "POSTALCODE": NameOID.POSTAL_CODE,
    "ORGANIZATIONIDENTIFIER": NameOID.ORGANIZATION_IDENTIFIER,
    "BUSINESSCATEGORY": NameOID.BUSINESS_CATEGORY,
}


class _AnyCase(dict[str, ObjectIdentifier]):
    """The short names; their case does not count (RFC 4514 §3)."""

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]  # one use, below
        return super().get(key.upper(), default)


_NAMES = _AnyCase(_SHORT_NAMES)


@dataclass(frozen=True, slots=True)
class RegisteredSubject:
    """The one name by which a client's certificate is known.

    Attributes:
        kind: Which part of the certificate bears it: the end of the metadata's name.
        value: A parsed name for `subject_dn`, else text in its normal form.
    """

    kind: SubjectKind
    value: DistinguishedName | str


class TlsClientMetadata(msgspec.Struct, frozen=True):
    """The members of a client's metadata that name its certificate's subject.

    Source: RFC 8705 §2.1.2
    """

    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None


class _CertificateKey(msgspec.Struct, frozen=True):
    x5c: list[str] | msgspec.UnsetType = msgspec.UNSET
    thumbprint: str | msgspec.UnsetType = msgspec.field(name="x5t#S256", default=msgspec.UNSET)


class _CertificateKeys(msgspec.Struct, frozen=True):
    keys: list[_CertificateKey]


_decode_keys = msgspec.json.Decoder(_CertificateKeys).decode


def parse_registered_subject(metadata: TlsClientMetadata) -> RegisteredSubject:
    """Give the subject that a client registers.

    Raises:
        InvalidClientMetadata: None or several of the members, or one that cannot be read.

    Source: RFC 8705 §2.1.2 (exactly one of them), RFC 4514, RFC 5280 §4.2.1.6
    """
    members: dict[SubjectKind, str | None] = {
        "subject_dn": metadata.tls_client_auth_subject_dn,
        "san_dns": metadata.tls_client_auth_san_dns,
        "san_uri": metadata.tls_client_auth_san_uri,
        "san_ip": metadata.tls_client_auth_san_ip,
        "san_email": metadata.tls_client_auth_san_email,
    }
    given = [(kind, text) for kind, text in members.items() if text is not None]
    if len(given) != 1:
        raise InvalidClientMetadata("There must be one subject of the certificate.", reason="not_one_subject")
    kind, text = given[0]
    if not text.strip() or len(text) > MAX_SUBJECT_LENGTH:
        raise InvalidClientMetadata("The subject of the certificate is empty or too long.", reason="bad_subject")
    try:
        return RegisteredSubject(kind, _parse_subject(kind, text))
    except (ValueError, TypeError, UserWarning):
        raise InvalidClientMetadata("The subject of the certificate cannot be read.", reason="bad_subject") from None


def _parse_subject(kind: SubjectKind, text: str) -> DistinguishedName | str:
    match kind:
        case "subject_dn":
            if re.search(r"=\s*#", text):
                raise ValueError("hexadecimal BER is not read")
            name = normalize_name(x509.Name.from_rfc4514_string(text, _NAMES))
            if not name:
                raise ValueError("an empty name is everybody's")
            return name
        case "san_dns":
            return parse_dns_name(text)
        case "san_uri":
            return parse_uri(text)
        case "san_ip":
            return parse_address(text)
        case "san_email":
            return parse_email(text)
        case _:
            assert_never(kind)


def parse_registered_certificates(jwks: bytes) -> frozenset[str]:
    """Give the thumbprints of the certificates in a client's key set.

    A key counts by the first certificate of its `x5c`, by its `x5t#S256`, or by both when they agree. Keys with
    neither are for other uses.

    Raises:
        InvalidClientMetadata: No key set, a certificate that cannot be read, two that differ, or none at all.

    Source: RFC 8705 §2.2.2, RFC 7517 §4.7, §4.9
    """
    if len(jwks) > MAX_JWKS_BYTES:
        raise InvalidClientMetadata("The key set is too large.", reason="large_key_set")
    try:
        found = [_find_thumbprint(key) for key in _decode_keys(jwks).keys]
    except (ValueError, RecursionError, InvalidClient):
        raise InvalidClientMetadata("A certificate in the key set cannot be read.", reason="bad_key_set") from None
    thumbprints = frozenset(thumbprint for thumbprint in found if thumbprint)
    if not 0 < len(thumbprints) <= MAX_REGISTERED_CERTIFICATES:
        raise InvalidClientMetadata("The key set has no certificate, or too many.", reason="no_certificate")
    return thumbprints


def list_registered_certificates(jwks: bytes) -> tuple[bytes, ...]:
    """Give the certificates themselves, in DER, of a key set that `parse_registered_certificates` has read."""
    chains = [key.x5c for key in _decode_keys(jwks).keys if key.x5c is not msgspec.UNSET]
    return tuple(binascii.a2b_base64(chain[0].encode(), strict_mode=True) for chain in chains)


def _find_thumbprint(key: _CertificateKey) -> str:
    """Give the thumbprint of a key's certificate, empty when it has none; ValueError when it cannot be read."""
    thumbprint = "" if key.thumbprint is msgspec.UNSET else key.thumbprint
    if key.thumbprint is not msgspec.UNSET and len(decode_base64url(thumbprint.encode())) != _SHA256_BYTES:
        raise ValueError("no thumbprint")
    if key.x5c is msgspec.UNSET:
        return thumbprint
    if not key.x5c:
        raise ValueError("an empty chain")
    of_chain = read_certificate(binascii.a2b_base64(key.x5c[0].encode(), strict_mode=True)).thumbprint
    if thumbprint not in {"", of_chain}:
        raise ValueError("two certificates")
    return of_chain


def verify_tls_client(
    registered: RegisteredSubject | frozenset[str], certificate: ClientCertificate | None, *, now: float
) -> None:
    """Refuse a client whose certificate is not the registered one.

    Args:
        registered: What `parse_registered_subject` gave (`tls_client_auth`; the chain must have been validated),
            or what `parse_registered_certificates` gave (`self_signed_tls_client_auth`).
        certificate: What the TLS layer or a trusted proxy gave; None when there was none.
        now: Seconds since 1970. The dates count for both methods.

    Raises:
        InvalidClient: No certificate, out of its dates, another one, or one of which anybody could have written
            the subject.

    Source: RFC 8705 §2.1, §2.2
    """
    if certificate is None:
        raise InvalidClient("The request carries no client certificate.", reason="no_certificate")
    if not certificate.not_before <= now < certificate.not_after + 1:
        raise InvalidClient(_FAILED, reason="expired_certificate")
    if isinstance(registered, RegisteredSubject):
        if not certificate.has_valid_chain:
            raise InvalidClient(_FAILED, reason="chain_not_validated")
        if not _bears(certificate, registered):
            raise InvalidClient(_FAILED, reason="other_subject")
    elif certificate.thumbprint not in registered:
        raise InvalidClient(_FAILED, reason="other_certificate")


def _bears(certificate: ClientCertificate, registered: RegisteredSubject) -> bool:
    match registered.kind:
        case "subject_dn":
            return certificate.subject == registered.value
        case "san_dns":
            return registered.value in certificate.dns_names
        case "san_uri":
            return registered.value in certificate.uris
        case "san_ip":
            return registered.value in {str(address) for address in certificate.addresses}
        case "san_email":
            return registered.value in certificate.emails
        case _:
            assert_never(registered.kind)


def check_bound_certificate(bound_thumbprint: str, certificate: ClientCertificate | None) -> None:
    """Refuse an access token that is bound to another certificate than the request's.

    Args:
        bound_thumbprint: `x5t#S256` of the token; empty: bound to none, and any request may bring it.
        certificate: The request's certificate, if it has one.

    Raises:
        InvalidToken: Bound to another certificate, or there is none.

    Source: RFC 8705 §3
    """
    if bound_thumbprint and (certificate is None or certificate.thumbprint != bound_thumbprint):
        raise InvalidToken("The access token is bound to another certificate.", reason="other_certificate")
