"""Reads a client certificate, as the TLS layer gives it or as a trusted proxy forwards it in a header.

Rule: whatever comes, a certificate or InvalidClient. Whether the sender of a header is a proxy that may speak for
clients is the caller's question (RFC 9440 §4), and so is the chain: who ended TLS has validated it.
"""

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, assert_never
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from rowgate.oauth.dpop_key import encode_base64url
from rowgate.oauth.errors import InvalidClient

CertificateHeaderFormat = Literal["url_encoded_pem", "client_cert", "base64_der"]
URL_ENCODED_PEM: CertificateHeaderFormat = "url_encoded_pem"  # nginx: $ssl_client_escaped_cert
CLIENT_CERT: CertificateHeaderFormat = "client_cert"  # RFC 9440 §2.2
BASE64_DER: CertificateHeaderFormat = "base64_der"

MAX_CERTIFICATE_BYTES = 8192  # 8 KiB of DER
MAX_HEADER_LENGTH = 16_384  # 16 KiB: every byte of a PEM escaped would be three times as long, and is no PEM

DistinguishedName = tuple[frozenset[tuple[str, str | bytes]], ...]  # one set of (OID, value) for each RDN

_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_BYTE_SEQUENCE = re.compile(rb":([A-Za-z0-9+/=]+):")  # RFC 8941 §3.3.5; the item has no parameters
_SPACES = re.compile(r" +")
_WHITE = b" \t\r\n"
_REFUSED = "The client certificate is not valid."
# Everything that reading a certificate may raise; a warning is one where warnings are errors.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,
)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What of a certificate tells who the client is."""

    thumbprint: str  # x5t#S256: SHA-256 of the DER, base64url (RFC 8705 §3.1)
    subject: DistinguishedName
    dns_names: frozenset[str]  # lower case
    uris: frozenset[str]
    addresses: frozenset[IPv4Address | IPv6Address]
    emails: frozenset[str]  # the part after the @ in lower case
    not_before: float  # seconds since 1970
    not_after: float  # seconds since 1970, the last good second
    has_valid_chain: bool = False  # whoever ended TLS has validated it up to a configured authority


def parse_certificate_header(
    headers: Sequence[bytes], header_format: CertificateHeaderFormat, *, has_valid_chain: bool
) -> ClientCertificate:
    """Give the certificate in the one header of a trusted proxy.

    Args:
        headers: The values of every header of the configured name.
        header_format: How this proxy writes it.
        has_valid_chain: Whether the proxy forwards only what it has validated.

    Raises:
        InvalidClient: No header, several, too long, or no certificate in it.

    Source: RFC 8705 §2, RFC 9440 §2.2
    """
    if not headers:
        raise InvalidClient("The request carries no client certificate.", reason="no_certificate")
    if len(headers) > 1:
        raise InvalidClient(_REFUSED, reason="two_certificates")
    value = headers[0].strip(_WHITE)
    if not value:  # nginx sends an empty value when there is none
        raise InvalidClient("The request carries no client certificate.", reason="no_certificate")
    if len(value) > MAX_HEADER_LENGTH:
        raise InvalidClient(_REFUSED, reason="certificate_too_long")
    try:
        return read_certificate(_decode(value, header_format), has_valid_chain=has_valid_chain)
    except ValueError:
        raise InvalidClient(_REFUSED, reason="unreadable_certificate") from None


def _decode(value: bytes, header_format: CertificateHeaderFormat) -> bytes:
    """Give the DER of a header; ValueError when there is none."""
    match header_format:
        case "url_encoded_pem":
            match = _PEM.fullmatch(unquote_to_bytes(value))  # a plus is a plus here: this is no form
            encoded = match[1].translate(None, _WHITE) if match else b"!"
        case "client_cert":
            match = _BYTE_SEQUENCE.fullmatch(value)
            encoded = match[1] if match else b"!"
        case "base64_der":
            encoded = value
        case _:
            assert_never(header_format)
    return binascii.a2b_base64(encoded, strict_mode=True)


def read_certificate(der: bytes, *, has_valid_chain: bool = False) -> ClientCertificate:
    """Give what a certificate in DER says.

    Args:
        der: The whole of it.
        has_valid_chain: What the TLS layer said of it; nothing is validated here.

    Raises:
        InvalidClient: Too long, or not one whole readable certificate.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise InvalidClient(_REFUSED, reason="certificate_too_long")
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _find_alternative_names(certificate)
        return ClientCertificate(
            thumbprint=encode_base64url(hashlib.sha256(der).digest()),
            subject=normalize_name(certificate.subject),
            dns_names=frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName)),
            uris=frozenset(names.get_values_for_type(x509.UniformResourceIdentifier)),
            addresses=frozenset(
                address
                for address in names.get_values_for_type(x509.IPAddress)
                if not isinstance(address, (IPv4Network, IPv6Network))
            ),
            emails=frozenset(normalize_email(name) for name in names.get_values_for_type(x509.RFC822Name)),
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            has_valid_chain=has_valid_chain,
        )
    except _UNREADABLE:
        raise InvalidClient(_REFUSED, reason="unreadable_certificate") from None


def _find_alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def normalize_name(name: x509.Name) -> DistinguishedName:
    """Give a name so that equal names are equal: without string types, case and runs of spaces.

    Source: RFC 4517 §4.2.11 (caseIgnoreMatch), §4.2.15 (distinguishedNameMatch); case is ignored in ASCII only
    """
    return tuple(
        frozenset((attribute.oid.dotted_string, _normalize_value(attribute.value)) for attribute in part)
        for part in name.rdns
    )


def _normalize_value(value: str | bytes) -> str | bytes:
    if isinstance(value, bytes):
        return value
    return lower_ascii(_SPACES.sub(" ", value.strip(" ")))


def normalize_email(address: str) -> str:
    """Give an address with its domain in lower case; what stands before it is the mail system's own (RFC 5280 §7.5)."""
    local, at, domain = address.rpartition("@")
    return local + at + lower_ascii(domain)


def lower_ascii(text: str) -> str:
    """Give the text with A to Z in lower case and nothing else changed: no letter outside becomes one inside."""
    return text.translate(_ASCII_LOWER)


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
