"""Mutual TLS: the registered certificate and no other; garbage is invalid_client (PROTOCOL 52)."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from rowgate.oauth.client_certificate import (
    BASE64_DER,
    CLIENT_CERT,
    MAX_CERTIFICATE_BYTES,
    URL_ENCODED_PEM,
    CertificateHeaderFormat,
    parse_certificate_header,
    read_certificate,
)
from rowgate.oauth.errors import InvalidClient, InvalidClientMetadata, InvalidToken
from rowgate.oauth.mutual_tls import (
    TlsClientMetadata,
    check_bound_certificate,
    parse_registered_certificates,
    parse_registered_subject,
    verify_tls_client,
)

_START = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(2030, 2, 1, tzinfo=dt.UTC)
_NOW = dt.datetime(2030, 1, 15, tzinfo=dt.UTC).timestamp()
_KEY = ec.derive_private_key(7, ec.SECP256R1())
_SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Käse, Söhne + Co"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Reports", _ASN1Type.PrintableString),
    ]
)
_ALTERNATIVES = [
    x509.DNSName("Reports.Example"),
    x509.UniformResourceIdentifier("spiffe://example/reports"),
    x509.IPAddress(ip_address("2001:db8::1")),
    x509.RFC822Name("Reports@Example.org"),
]


def _make(subject: x509.Name = _SUBJECT, names: Sequence[x509.GeneralName] = _ALTERNATIVES, serial: int = 1) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_KEY.public_key())
        .serial_number(serial)
        .not_valid_before(_START)
        .not_valid_after(_END)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


_DER = _make()
_OTHER = _make(serial=2)
_CERTIFICATE = read_certificate(_DER, has_valid_chain=True)
_THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(_DER).digest()).rstrip(b"=").decode()
_BASE64 = base64.b64encode(_DER)
_PEM = x509.load_der_x509_certificate(_DER).public_bytes(serialization.Encoding.PEM)
_HEADERS: dict[CertificateHeaderFormat, bytes] = {
    URL_ENCODED_PEM: quote(_PEM, safe="").encode(),
    CLIENT_CERT: b":" + _BASE64 + b":",
    BASE64_DER: _BASE64,
}


@pytest.mark.parametrize("header_format", _HEADERS)
def test_52_a_forwarded_certificate_is_the_certificate(header_format: CertificateHeaderFormat) -> None:
    assert parse_certificate_header([_HEADERS[header_format]], header_format, has_valid_chain=True) == _CERTIFICATE
    assert _CERTIFICATE.thumbprint == _THUMBPRINT


@pytest.mark.parametrize("header_format", _HEADERS)
def test_52_another_form_is_refused(header_format: CertificateHeaderFormat) -> None:
    others = [value for form, value in _HEADERS.items() if form != header_format]
    good = _HEADERS[header_format]
    twice = quote(_PEM + _PEM, safe="").encode()
    for headers in (
        [],
        [b""],
        [good, good],
        [good + b"x"],
        [good[:-9]],
        [twice],
        [good + b";a=1"],
        *[[o] for o in others],
    ):
        with pytest.raises(InvalidClient):
            parse_certificate_header(headers, header_format, has_valid_chain=True)


def test_52_certificates_are_bounded_and_whole() -> None:
    for der in (b"", b"0", _DER + b"\x00", _DER[:-1], b"0" * (MAX_CERTIFICATE_BYTES + 1)):
        with pytest.raises(InvalidClient):
            read_certificate(der)


@law
@given(st.binary(max_size=200), st.sampled_from(list(_HEADERS)), st.data())
def test_52_garbage_is_an_invalid_client(
    raw: bytes, header_format: CertificateHeaderFormat, data: st.DataObject
) -> None:
    value = data.draw(
        st.sampled_from([raw, base64.b64encode(raw), b":" + base64.b64encode(raw) + b":", quote(raw).encode()])
    )
    with pytest.raises(InvalidClient):
        parse_certificate_header([value], header_format, has_valid_chain=True)


@law
@given(st.data())
def test_52_a_damaged_certificate_is_another_or_none(data: st.DataObject) -> None:
    der = bytearray(_DER)
    der[data.draw(st.integers(0, len(der) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        damaged = read_certificate(bytes(der))
    except InvalidClient:
        return
    assert damaged.thumbprint != _THUMBPRINT


def _metadata(**members: str) -> TlsClientMetadata:
    return TlsClientMetadata(**{f"tls_client_auth_{name}": value for name, value in members.items()})


@pytest.mark.parametrize(
    "members",
    [
        {"subject_dn": "CN=Reports,O=Käse\\, Söhne \\+ Co,C=DE"},
        {"subject_dn": "cn=REPORTS,o=Käse\\2c  Söhne \\2b Co,2.5.4.6=de"},
        {"san_dns": "reports.EXAMPLE"},
        {"san_uri": "spiffe://example/reports"},
        {"san_ip": "2001:0db8:0:0:0:0:0:0001"},
        {"san_email": "Reports@example.ORG"},
    ],
)
def test_52_the_registered_subject_is_let_in(members: dict[str, str]) -> None:
    """RFC 8705 §2.1.2; names are compared parsed, addresses in binary."""
    verify_tls_client(parse_registered_subject(_metadata(**members)), _CERTIFICATE, now=_NOW)


@pytest.mark.parametrize(
    "members",
    [
        {"subject_dn": "CN=Reports"},
        {"subject_dn": "C=DE,O=Käse\\, Söhne \\+ Co,CN=Reports"},
        {"subject_dn": "CN=Reports+O=Käse\\, Söhne \\+ Co,C=DE"},
        {"subject_dn": "CN=Reports,O=KÄSE\\, Söhne \\+ Co,C=DE"},
        {"san_dns": "example"},
        {"san_dns": "*.example"},
        {"san_uri": "spiffe://example/Reports"},
        {"san_ip": "2001:db8::2"},
        {"san_email": "reports@example.org"},
        {"san_dns": "Reports"},
    ],
)
def test_52_another_subject_is_refused(members: dict[str, str]) -> None:
    registered = parse_registered_subject(_metadata(**members))
    with pytest.raises(InvalidClient) as refused:
        verify_tls_client(registered, _CERTIFICATE, now=_NOW)
    assert refused.value.reason == "other_subject"
    with pytest.raises(InvalidClient):
        verify_tls_client(registered, read_certificate(_make(x509.Name([]), ()), has_valid_chain=True), now=_NOW)


def test_52_no_certificate_and_one_out_of_its_dates_are_refused() -> None:
    registered = frozenset({_THUMBPRINT})
    verify_tls_client(registered, _CERTIFICATE, now=_START.timestamp())
    verify_tls_client(registered, _CERTIFICATE, now=_END.timestamp())
    for certificate, now in (
        (None, _NOW),
        (_CERTIFICATE, _START.timestamp() - 1),
        (_CERTIFICATE, _END.timestamp() + 1),
    ):
        with pytest.raises(InvalidClient):
            verify_tls_client(registered, certificate, now=now)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"san_dns": "a", "san_uri": "b"},
        {"subject_dn": ""},
        {"subject_dn": "CN"},
        {"subject_dn": "Nonsense=x"},
        {"subject_dn": "CN=#0c0161"},
        {"subject_dn": "CN=a\\zz"},
        {"subject_dn": "C=Deutschland"},
        {"subject_dn": "CN=" + "a" * 2000},
        {"san_ip": "1.2.3"},
        {"san_ip": "10.0.0.0/8"},
        {"san_ip": "fe80::1%eth0"},
        {"san_ip": " 10.0.0.1"},
        {"san_dns": " "},
        {"san_dns": "reports example"},
        {"san_dns": "reports..example"},
        {"san_dns": "reports.example."},
        {"san_dns": "-reports.example"},
        {"san_dns": "reports.*.example"},
        {"san_dns": "büro.example"},
        {"san_dns": "https://reports.example"},
        {"san_dns": "reports.example:443"},
        {"san_dns": "10.0.0.1"},
        {"san_dns": "a" * 64 + ".example"},
        {"san_dns": ".".join(["a" * 63] * 4)},
        {"san_uri": "reports.example"},
        {"san_uri": "//reports.example/a"},
        {"san_uri": "spiffe://"},
        {"san_uri": "spiffe:"},
        {"san_uri": "spiffe://example/re ports"},
        {"san_uri": "spiffe://example/%zz"},
        {"san_uri": "spiffe://example/büro"},
        {"san_email": "reports"},
        {"san_email": "@example.org"},
        {"san_email": "reports@"},
        {"san_email": "re ports@example.org"},
        {"san_email": "a@b@example.org"},
        {"san_email": "Reports <reports@example.org>"},
        {"san_email": "reports@*.example.org"},
        {"san_email": "büro@example.org"},
    ],
)
def test_metadata_that_names_no_subject_is_refused(members: dict[str, str]) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse_registered_subject(_metadata(**members))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("san_dns", "*.Example", "*.example"),
        ("san_dns", "xn--bro-hoa.example", "xn--bro-hoa.example"),
        ("san_dns", "my_service.default.svc", "my_service.default.svc"),
        ("san_dns", ".".join(["a" * 63] * 3), ".".join(["a" * 63] * 3)),
        ("san_uri", "urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff", "urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("san_uri", "https://example/%C3%A9?a=b#c", "https://example/%C3%A9?a=b#c"),
        ("san_email", '"re ports"@Example.org', '"re ports"@example.org'),
        ("san_email", "a+b.c@example.org", "a+b.c@example.org"),
    ],
)
def test_names_that_a_certificate_can_bear_are_taken(kind: str, text: str, expected: str) -> None:
    assert parse_registered_subject(_metadata(**{kind: text})).value == expected


@law
@given(
    st.sampled_from(["subject_dn", "san_ip", "san_email", "san_dns"]),
    st.text(max_size=30) | st.text('CN=,+\\#x1 "', max_size=12),
)
def test_any_metadata_is_a_subject_or_a_refusal(member: str, text: str) -> None:
    try:
        registered = parse_registered_subject(_metadata(**{member: text}))
    except InvalidClientMetadata:
        return
    with pytest.raises(InvalidClient):
        verify_tls_client(registered, read_certificate(_make(x509.Name([]), ()), has_valid_chain=True), now=_NOW)


def _jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": [{"kty": "EC", **key} for key in keys]}).encode()


def test_52_a_self_signed_certificate_is_one_of_the_registered() -> None:
    """RFC 8705 §2.2: whole, so another certificate of the same key is another."""
    x5c, both = {"x5c": [_BASE64.decode()]}, {"x5c": [_BASE64.decode()], "x5t#S256": _THUMBPRINT}
    for keys in ([x5c], [{"x5t#S256": _THUMBPRINT}], [both, {"kid": "for signing"}]):
        registered = parse_registered_certificates(_jwks(*keys))
        verify_tls_client(registered, _CERTIFICATE, now=_NOW)
        with pytest.raises(InvalidClient) as refused:
            verify_tls_client(registered, read_certificate(_OTHER), now=_NOW)
        assert refused.value.reason == "other_certificate"


@pytest.mark.parametrize(
    "jwks",
    [
        b"",
        b"[]",
        b"[" * 5000,
        _jwks(),
        _jwks({"kid": "for signing"}),
        _jwks({"x5c": []}),
        _jwks({"x5c": ["AAAA"]}),
        _jwks({"x5c": [base64.urlsafe_b64encode(_DER + b"\xff\xff\xff").decode()]}),
        _jwks({"x5t#S256": "AAAA"}),
        _jwks({"x5t#S256": _THUMBPRINT + "="}),
        _jwks({"x5c": [base64.b64encode(_OTHER).decode()], "x5t#S256": _THUMBPRINT}),
        b" " * 70_000,
    ],
    ids="abcdefghijkl",  # not by content: certificates are fresh in every process
)
def test_a_key_set_without_good_certificates_is_refused(jwks: bytes) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse_registered_certificates(jwks)


def test_84_a_bound_token_needs_its_certificate() -> None:
    check_bound_certificate(_THUMBPRINT, _CERTIFICATE)
    check_bound_certificate("", None)
    for certificate in (None, read_certificate(_OTHER)):
        with pytest.raises(InvalidToken):
            check_bound_certificate(_THUMBPRINT, certificate)
