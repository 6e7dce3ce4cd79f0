"""Clients that prove who they are by a certificate, and tokens that are bound to one (RFC 8705)."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from rowgate.oauth.client_certificate import ClientCertificate
from rowgate.oauth.errors import InvalidClient, InvalidClientMetadata, InvalidRequest, InvalidToken
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.model import Application, ClientPolicy
from rowgate.oauth.mutual_tls import (
    SELF_SIGNED_TLS_CLIENT_AUTH,
    TLS_CLIENT_AUTH,
    RegisteredSubject,
    TlsClientMetadata,
    check_bound_certificate,
    list_registered_certificates,
    parse_registered_certificates,
    parse_registered_subject,
    verify_tls_client,
)
from rowgate.service.authenticated import Authenticated

# Gives the certificate of a request, or None when it has none; raises InvalidClient for one that cannot be read.
FindCertificate: TypeAlias = Callable[[], ClientCertificate | None]

_FAILED = "Client authentication failed."
_KEPT = 1000  # registrations that were read


def has_other_authentication(parameters: TokenParameters, authorization: Sequence[bytes]) -> bool:
    """Tell whether the request says that it authenticates in another way than by its connection."""
    return bool(
        authorization
        or parameters.client_secret is not None
        or parameters.client_assertion is not None
        or parameters.client_assertion_type is not None
    )


def list_own_certificates(policy: ClientPolicy) -> tuple[bytes, ...]:
    """Give the certificates, in DER, that an application has registered as its own and may prove itself by."""
    if not policy.tls_certificates or SELF_SIGNED_TLS_CLIENT_AUTH not in policy.authentication_methods:
        return ()
    return list_registered_certificates(policy.tls_certificates.encode())


def authenticate_by_certificate(
    application: Application | None, certificate: ClientCertificate | None, now: float
) -> Authenticated:
    """Give the client that a certificate proves; its tokens are bound to that certificate.

    Whether there is such an application, and whether it has a certificate, the answer does not tell.

    Raises:
        InvalidClient: No certificate, or none that is registered for the application, or it is disabled.

    Source: RFC 8705 §2.1, §2.2, §3
    """
    if certificate is None:
        raise InvalidClient("The request carries no client certificate.", reason="no_certificate")
    if application is None:
        raise InvalidClient(_FAILED, reason="unknown_client")
    policy = application.policy
    # not "method_not_registered", which says that something was proved
    refusal = InvalidClient(_FAILED, reason="no_registered_certificate")
    for method in (SELF_SIGNED_TLS_CLIENT_AUTH, TLS_CLIENT_AUTH):
        if method in policy.authentication_methods:
            try:
                verify_tls_client(_read_registration(method, policy), certificate, now=now)
            except InvalidClient as refused:
                refusal = refused
            else:
                break
    else:
        raise refusal
    if not application.enabled:
        raise InvalidClient("The application is disabled.", reason="disabled_application")
    return Authenticated(application, None, certificate.thumbprint, certificate_thumbprint=certificate.thumbprint)


def bind_to_certificate(client: Authenticated, find_certificate: FindCertificate | None) -> Authenticated:
    """Give a client whose tokens are to be bound to its certificate, however it has proved who it is.

    Raises:
        InvalidRequest: The request has no certificate.
        InvalidClient: It cannot be read.

    Source: RFC 8705 §3.4
    """
    if client.certificate_thumbprint:
        return client
    certificate = None if find_certificate is None else find_certificate()
    if certificate is None:
        raise InvalidRequest("The application's token requests need a client certificate.", reason="no_certificate")
    return msgspec.structs.replace(client, certificate_thumbprint=certificate.thumbprint)


def check_certificate(bound_thumbprint: str, find_certificate: FindCertificate | None) -> None:
    """Refuse a request whose token is bound to another certificate than it has.

    Raises:
        InvalidToken: Another one, one that cannot be read, or none.

    Source: RFC 8705 §3
    """
    try:
        certificate = None if find_certificate is None else find_certificate()
    except InvalidClient:
        raise InvalidToken("The client certificate cannot be read.", reason="unreadable_certificate") from None
    check_bound_certificate(bound_thumbprint, certificate)


def parse_subject(kind: str, text: str) -> RegisteredSubject:
    """Give the subject that is set for an application.

    Raises:
        InvalidClientMetadata: It cannot be read.
    """
    return parse_registered_subject(TlsClientMetadata(**{f"tls_client_auth_{kind}": text}))


def _read_registration(method: str, policy: ClientPolicy) -> RegisteredSubject | frozenset[str]:
    try:
        if method == TLS_CLIENT_AUTH:
            return _read_subject(policy.tls_subject_kind, policy.tls_subject)
        return _read_certificates(policy.tls_certificates)
    except (InvalidClientMetadata, TypeError):  # TypeError: a kind that this release does not know
        raise InvalidClient(_FAILED, reason="unusable_registered_certificate") from None


_read_subject = lru_cache(maxsize=_KEPT)(parse_subject)


@lru_cache(maxsize=_KEPT)
def _read_certificates(jwks: str) -> frozenset[str]:
    return parse_registered_certificates(jwks.encode())
