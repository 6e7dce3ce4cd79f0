"""What an administrator registers of an application's certificates (RFC 8705 §2)."""

import base64
from typing import Any, get_args

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rowgate.oauth.errors import InvalidClientMetadata
from rowgate.oauth.model import ClientPolicy
from rowgate.oauth.mutual_tls import SubjectKind, parse_registered_certificates
from rowgate.service.admin.desk import AdminError
from rowgate.service.certificates import list_own_certificates, parse_subject

SUBJECT_KINDS: tuple[str, ...] = get_args(SubjectKind)
_EXAMPLES: dict[str, str] = {
    "subject_dn": "CN=reports,O=Example",
    "san_dns": "reports.example.com",
    "san_uri": "spiffe://example.com/reports",
    "san_ip": "192.0.2.7",
    "san_email": "reports@example.com",
}


def check_subject(kind: str, text: str) -> None:
    """Refuse a subject that no certificate could bear.

    Raises:
        AdminError: It cannot be read.
    """
    if kind not in SUBJECT_KINDS:
        raise AdminError("a certificate is known by one of: " + ", ".join(SUBJECT_KINDS))
    try:
        parse_subject(kind, text)
    except InvalidClientMetadata:
        raise AdminError(f"no certificate bears {text!r} as its {kind}: write it as in {_EXAMPLES[kind]}") from None


def read_own_certificates(text: str) -> str:
    """Give the certificates of a file as a JWK Set with `x5c` members (RFC 7517 §4.7).

    Args:
        text: PEM, one certificate after the other, or a JWK Set.

    Raises:
        AdminError: It is neither, holds none or too many, or a private key.
    """
    if "PRIVATE KEY" in text:
        raise AdminError("this file holds a private key. Nothing was changed: give the certificate alone")
    try:
        kept = text if text.lstrip().startswith("{") else _write_jwks(x509.load_pem_x509_certificates(text.encode()))
        parse_registered_certificates(kept.encode())
        keys: list[dict[str, Any]] = msgspec.json.decode(kept)["keys"]
    except (ValueError, InvalidClientMetadata):
        raise AdminError(
            "certificates are PEM (-----BEGIN CERTIFICATE-----) or a JWK Set with x5c, 20 at most"
        ) from None
    if any({"d", "k"} & key.keys() for key in keys):
        raise AdminError("this file holds a private key. Nothing was changed: give the certificate alone")
    if not all(key.get("x5c") for key in keys):
        raise AdminError("each key needs its certificate: x5c")
    return msgspec.json.encode({"keys": [{"x5c": key["x5c"][:1]} for key in keys]}).decode()


def list_certificate_thumbprints(policy: ClientPolicy) -> list[str]:
    """Give the thumbprints (RFC 8705 §3.1 x5t#S256) of an application's own certificates."""
    return sorted(parse_registered_certificates(policy.tls_certificates.encode())) if policy.tls_certificates else []


def list_certificate_ends(policy: ClientPolicy) -> list[float]:
    """Give when each of an application's own certificates ends, in seconds since 1970."""
    found = (x509.load_der_x509_certificate(der) for der in list_own_certificates(policy))
    return [certificate.not_valid_after_utc.timestamp() for certificate in found]


def _write_jwks(certificates: list[x509.Certificate]) -> str:
    chains = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in certificates]
    return msgspec.json.encode({"keys": [{"x5c": [chain]} for chain in chains]}).decode()
