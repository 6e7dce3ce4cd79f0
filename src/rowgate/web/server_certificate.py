"""The server's own certificate and key: whether they can be used, and until when.

Read at the start, at SIGHUP and by `doctor`.
"""

import ssl
from pathlib import Path

from rowgate.config import ConfigError, Settings


class _PassPhraseWanted(Exception):
    """The key is encrypted."""


def check_tls(settings: Settings) -> None:
    """Load the certificate once, so that a wrong one is told before anything starts.

    Raises:
        ConfigError: A file cannot be read, holds something else, or the two do not belong together.
    """
    for name in ("tls_cert", "tls_key"):
        try:
            Path(getattr(settings, name)).read_bytes()
        except OSError as error:
            raise ConfigError(f"{name} cannot be read: {error}") from None
    _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), settings.tls_cert, settings.tls_key)


def load_certificate(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Have a server that runs use the certificate and key as they are now in their files.

    Raises:
        ConfigError: They cannot be used; the ones before stay in use.
    """
    # first where a failure leaves nothing half taken over
    _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), cert, key)
    _load(context, cert, key)


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        context.load_cert_chain(cert, key, _refuse_to_ask)
    except _PassPhraseWanted:
        raise ConfigError(
            f"tls_key is encrypted, and nobody is there to type its pass phrase: decrypt {key}, "
            "and let this user alone read it"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError("tls_cert and tls_key do not belong together: the key is another certificate's") from None
        raise ConfigError(
            f"tls_cert and tls_key cannot be used: the first is a PEM file with the certificate and its chain, the "
            f"second one with its private key ({error})"
        ) from None
    except OSError as error:
        raise ConfigError(f"tls_cert or tls_key cannot be read: {error}") from None


def read_certificate_end(settings: Settings) -> float:
    """Give when the server's certificate ends, in seconds since 1970; `check_tls` has said that it can be used.

    Raises:
        ConfigError: It can not.
    """
    from cryptography import x509  # noqa: PLC0415 - plain HTTP does without

    try:
        # the first of the file is the server's own, whatever stands for it follows (RFC 8446 §4.4.2)
        certificate = x509.load_pem_x509_certificates(Path(settings.tls_cert).read_bytes())[0]
    except (OSError, ValueError) as error:
        raise ConfigError(f"tls_cert cannot be read: {error}") from None
    return certificate.not_valid_after_utc.timestamp()


def _refuse_to_ask() -> str:
    """Take the place of OpenSSL's question on the terminal, which every worker would ask, and a service nobody."""
    raise _PassPhraseWanted
