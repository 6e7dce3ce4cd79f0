"""The documents that tell a client how to use this server."""

from collections.abc import Callable, Sequence

import msgspec

from rowgate.oauth.authorization_details import DETAIL_TYPE
from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_auth import CLIENT_SECRET_BASIC, CLIENT_SECRET_POST
from rowgate.oauth.dpop import DEFAULT_ALGORITHMS
from rowgate.oauth.jwk_set import VERIFICATION_ALGORITHMS
from rowgate.oauth.model import DEFAULT_SCOPE
from rowgate.service.inspection import INTROSPECT_SCOPE
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.jwks_endpoint import JWKS_PATH
from rowgate.web.problems import require_get

TOKEN_PATH = "/api/v1/token"  # noqa: S105 - an address
INTROSPECTION_PATH = "/api/v1/introspect"
REVOCATION_PATH = "/api/v1/revoke"
SECRET_PATH = "/api/v1/secret"  # noqa: S105 - an address
ENROLMENT_PATH = "/api/v1/enrol"
REGISTRATION_PATH = "/api/v1/register"
METRICS_SCOPE = "metrics"  # in a token's scope: it opens /metrics
_HEADERS: Headers = [(b"content-type", b"application/json"), (b"cache-control", b"public, max-age=300")]


class DocumentEndpoint:
    """Serves one JSON document."""

    def __init__(self, describe: Callable[[], dict[str, object]]) -> None:
        """Take what gives the document as it is now."""
        self._describe = describe

    async def __call__(self, exchange: Exchange) -> None:
        """Answer."""
        require_get(exchange.method)
        await exchange.respond(200, _HEADERS, msgspec.json.encode(self._describe()))


def describe_authorization_server(
    issuer: str,
    grant_types: Sequence[str],
    tls_methods: Sequence[str] = (),
    *,
    signing_algorithms: Sequence[str] = (),
    registers_clients: bool = False,
) -> dict[str, object]:
    """Give the authorization server's metadata.

    Args:
        issuer: Our identifier.
        grant_types: Those that are on.
        tls_methods: The methods by which clients prove who they are with a certificate, where they may have one.
        signing_algorithms: What introspection answers can be signed with now (RFC 9701 §7).
        registers_clients: Whether clients may register themselves (RFC 7591).

    Source: RFC 8414 §2, RFC 9396 §10, RFC 9449 §5.1; response_types_supported is required there, so it is there, empty
    (PROTOCOL 113)
    """
    methods = [
        CLIENT_SECRET_BASIC,
        CLIENT_SECRET_POST,
        PRIVATE_KEY_JWT,
        *tls_methods,
    ]  # clients prove who they are in one way at all three
    algorithms = sorted(VERIFICATION_ALGORITHMS)  # of assertions; RFC 8414 §2: never none
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "response_types_supported": [],
        "grant_types_supported": list(grant_types),
        "authorization_details_types_supported": [DETAIL_TYPE],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": issuer + INTROSPECTION_PATH,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        **({"introspection_signing_alg_values_supported": list(signing_algorithms)} if signing_algorithms else {}),
        "revocation_endpoint": issuer + REVOCATION_PATH,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": list(DEFAULT_ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": bool(tls_methods),  # RFC 8705 §3.3
        "scopes_supported": [DEFAULT_SCOPE, INTROSPECT_SCOPE, METRICS_SCOPE],  # those that this server acts upon
        # ours; RFC 8414 §2 lets additional members be there, and clients MUST ignore those that they do not know
        "rowgate_secret_endpoint": issuer + SECRET_PATH,
        "rowgate_enrolment_endpoint": issuer + ENROLMENT_PATH,
        **({"registration_endpoint": issuer + REGISTRATION_PATH} if registers_clients else {}),
    }


def describe_protected_resource(issuer: str, *, knows_certificates: bool = False) -> dict[str, object]:
    """Give the protected resource's metadata; tokens may be bound to certificates where clients may have one.

    Source: RFC 9728 §2
    """
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(DEFAULT_ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": knows_certificates,
        "authorization_details_types_supported": [DETAIL_TYPE],
        "scopes_supported": [DEFAULT_SCOPE, METRICS_SCOPE],
        "resource_name": "Rowgate",
    }
