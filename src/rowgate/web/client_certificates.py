"""How this server learns of its clients' certificates: in the TLS handshake, or from a proxy that ended TLS.

Source: RFC 8705 §2, §6.5; RFC 9440 §4
"""

import contextlib
import hashlib
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from cryptography import x509

from rowgate.config import ConfigError, Settings
from rowgate.oauth.client_certificate import (
    CertificateHeaderFormat,
    ClientCertificate,
    parse_certificate_header,
    read_certificate,
)

Headers: TypeAlias = list[tuple[bytes, bytes]]
# Gives the certificate of a request on one connection, by the request's headers.
FindByHeaders: TypeAlias = Callable[[Headers], ClientCertificate | None]

_KEPT = 10_000  # certificates whose chain was seen to be valid


class ClientCertificates:
    """One for each worker. Nobody learns of a certificate unless the settings say where it comes from.

    In the handshake a certificate is asked for and need not come. OpenSSL refuses one that it cannot lead back to an
    anchor; anchors are the configured authorities and the certificates that applications have registered as their own,
    without which one that signs itself could not come at all. Who is who is not decided there: a registered
    certificate counts as itself alone, and a name in one counts only when its chain ends in a configured authority.
    """

    def __init__(
        self,
        *,
        from_handshake: bool,
        authorities: str,
        header: str,
        header_format: CertificateHeaderFormat,
        proxy_validates: bool,
    ) -> None:
        """Take what the settings say; see `make_client_certificates`."""
        self.from_handshake = from_handshake
        self._authorities = authorities
        self._header = header.lower().encode()
        self._header_format = header_format
        self._proxy_validates = proxy_validates
        self._context: ssl.SSLContext | None = None
        self._authority_digests: frozenset[bytes] = frozenset()
        self._anchors: set[bytes] = set()  # digests of what was made an anchor
        self._valid: OrderedDict[bytes, None] = OrderedDict()

    def prepare(self, context: ssl.SSLContext) -> None:
        """Have the handshake ask for certificates.

        Raises:
            ConfigError: The file of the authorities cannot be read.
        """
        self._context = context
        context.verify_mode = ssl.CERT_OPTIONAL
        # so that an anchor need not sign itself: an authority below the root, a registered certificate of another maker
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self._authorities:
            found = read_authorities(self._authorities)
            self._authority_digests = frozenset(hashlib.sha256(der).digest() for der in found)
            for der in found:
                context.load_verify_locations(cadata=der)

    def trust(self, certificates: Iterable[bytes]) -> None:
        """Let these certificates, in DER, through the handshake from now on. None is ever taken back there."""
        if self._context is None:
            return
        for der in certificates:
            digest = hashlib.sha256(der).digest()
            if digest not in self._anchors:
                self._anchors.add(digest)
                with contextlib.suppress(ssl.SSLError):  # one that OpenSSL cannot read helps nobody in
                    self._context.load_verify_locations(cadata=der)

    def look_at(self, ssl_object: Any, *, is_from_proxy: bool) -> FindByHeaders | None:
        """Give what finds the certificates of a connection's requests; None when they can have none.

        Args:
            ssl_object: Of the connection, None without TLS.
            is_from_proxy: Whether a trusted proxy opened it.
        """
        if is_from_proxy and self._header:
            return self._find_in_header
        if ssl_object is not None and self.from_handshake:
            der = ssl_object.getpeercert(binary_form=True)
            if der:
                return _Presented(der, self._has_valid_chain(ssl_object, der))
        # The header of whoever else sends it is not looked at: anybody can write one.
        return _find_none if self._header or self.from_handshake else None

    def _find_in_header(self, headers: Headers) -> ClientCertificate | None:
        values = [value for name, value in headers if name == self._header]
        if not any(value.strip() for value in values):  # nginx sends an empty one where there is none
            return None
        return parse_certificate_header(values, self._header_format, has_valid_chain=self._proxy_validates)

    def _has_valid_chain(self, ssl_object: Any, der: bytes) -> bool:
        """Tell whether OpenSSL has led a certificate back to an authority, now or when the session began."""
        digest = hashlib.sha256(der).digest()
        chain = _get_verified_chain(ssl_object)
        if chain and hashlib.sha256(chain[-1]).digest() in self._authority_digests:
            self._valid[digest] = None
            self._valid.move_to_end(digest)
            if len(self._valid) > _KEPT:
                self._valid.popitem(last=False)
        # a resumed session has no chain; it was begun in this process, with this certificate
        return digest in self._valid


class _Presented:
    """The certificate of a connection, read when it is first asked for."""

    def __init__(self, der: bytes, has_valid_chain: bool) -> None:  # noqa: FBT001 - private
        self._read = partial(read_certificate, der, has_valid_chain=has_valid_chain)
        self._certificate: ClientCertificate | None = None

    def __call__(self, _headers: Headers) -> ClientCertificate:
        if self._certificate is None:
            self._certificate = self._read()
        return self._certificate


def _find_none(_headers: Headers) -> None:
    return None


def _get_verified_chain(ssl_object: Any) -> list[bytes]:
    """Give the chain in DER, the client's certificate first; empty when there was no full handshake."""
    if hasattr(ssl_object, "get_verified_chain"):  # Python 3.13
        return list(ssl_object.get_verified_chain())
    chain = ssl_object._sslobj.get_verified_chain()  # noqa: SLF001 - so named since Python 3.10, public since 3.13
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain or ()]


def read_authorities(path: str) -> list[bytes]:
    """Give the certificates of a PEM file, in DER.

    Raises:
        ConfigError: It cannot be read, or holds none.
    """
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - at start-up only

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path of the settings
            found = x509.load_pem_x509_certificates(file.read())
    except (OSError, ValueError) as error:
        raise ConfigError(f"tls_client_ca cannot be used: {error}") from None
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def read_authority_ends(path: str) -> list[tuple[str, float]]:
    """Give the subjects of the certificates of a PEM file, each with its end in seconds since 1970.

    Raises:
        ConfigError: It cannot be read, or holds none.
    """
    found = (x509.load_der_x509_certificate(der) for der in read_authorities(path))
    return [(item.subject.rfc4514_string(), item.not_valid_after_utc.timestamp()) for item in found]


def make_client_certificates(settings: Settings) -> ClientCertificates | None:
    """Give what the settings say of clients' certificates; None when there are to be none."""
    if not settings.knows_client_certificates:
        return None
    return ClientCertificates(
        from_handshake=settings.tls_client_certificates,
        authorities=settings.tls_client_ca,
        header=settings.client_certificate_header,
        header_format=settings.client_certificate_format,  # type: ignore[arg-type] # held against the formats by check
        proxy_validates=settings.client_certificate_validated,
    )
