"""Certificates that tests make for themselves."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(directory: Path, *, days: int = 1) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, good for so many days, and its key; give both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = directory / "cert.pem", directory / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_path, key_path


class Authority:
    """A certificate authority, or whoever makes one up: it signs what it is asked to."""

    def __init__(self, name: str, *, days: int = 30) -> None:
        """Make its key and its own certificate; what it signs is good for so many days."""
        self.days = days
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, [], is_authority=True)

    def issue(self, directory: Path, common_name: str, *names: x509.GeneralName) -> Path:
        """Write a certificate for a client and its key into one PEM file."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        path = directory / f"{common_name}-{x509.random_serial_number():x}.pem"
        return write_pem(path, self._sign(subject, key, list(names), is_authority=False), key)

    def write(self, path: Path) -> Path:
        """Write its own certificate alone."""
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], *, is_authority: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=self.days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def write_pem(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
    """Write a certificate and its key into one file."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


def make_own_certificate(directory: Path, name: str) -> Path:
    """Write a certificate that signs itself, and its key, into one PEM file."""
    maker = Authority(name)
    return write_pem(directory / f"{name}.pem", maker.certificate, maker.key)


def read_certificate_alone(path: Path) -> str:
    """Give the certificate of such a file without its key, in PEM."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def trust(cert: Path) -> ssl.SSLContext:
    """Give what a client needs to trust that certificate and no other."""
    return ssl.create_default_context(cafile=str(cert))


def serve_tls(cert: Path, key: Path) -> ssl.SSLContext:
    """Give what a server needs to show that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
