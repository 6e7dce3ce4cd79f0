"""The refusals of the authorization side.

OAuthError
├── InvalidRequest          invalid_request          RFC 6749 §5.2, RFC 6750 §3.1
├── InvalidClient           invalid_client           RFC 6749 §5.2
├── InvalidGrant            invalid_grant            RFC 6749 §5.2
├── UnauthorizedClient      unauthorized_client      RFC 6749 §5.2
├── UnsupportedGrantType    unsupported_grant_type   RFC 6749 §5.2
├── InvalidScope            invalid_scope            RFC 6749 §5.2
├── InvalidTarget           invalid_target           RFC 8707 §2, RFC 8693 §2.2.2
├── InvalidAuthorizationDetails  invalid_authorization_details  RFC 9396 §5
├── InvalidClientMetadata   invalid_client_metadata  RFC 7591 §3.2.2
├── InvalidRedirectUri      invalid_redirect_uri     RFC 7591 §3.2.2
├── UnsupportedTokenType    unsupported_token_type   RFC 7009 §2.2.1
├── TooManyRequests         slow_down                RFC 6585 §4
├── DpopRefusal             what a proof of possession may lack
│   ├── InvalidDpopProof    invalid_dpop_proof       RFC 9449 §5
│   │   └── InvalidDpopProofAtResource               RFC 9449 §7.1
│   └── UseDpopNonce        use_dpop_nonce           RFC 9449 §8
│       └── UseDpopNonceAtResource                   RFC 9449 §9
└── BearerRefusal           what a request for rows may lack
    ├── MissingToken        no code: RFC 6750 §3.1, last paragraph
    ├── InvalidToken        invalid_token            RFC 6750 §3.1
    └── InsufficientScope   insufficient_scope       RFC 6750 §3.1

Rule: the text that goes out is fixed; nothing that a client sent is repeated in it (RFC 6749 §5.2 limits
its characters, and a log reader must be able to trust it).
"""

from typing import ClassVar


class OAuthError(Exception):
    """A refusal that changed nothing.

    Attributes:
        code: The standard's error code.
        description: Public text; only characters of RFC 6749 §5.2.
        reason: Private, stable word for the audit record and for `rowgate explain`.
        key_id: Handle of the client secret that was presented, where it is known.
        client_id: As presented, where it was read; not proved.
    """

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, description: str, *, reason: str, key_id: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.reason = reason
        self.key_id = key_id
        self.client_id = ""


class InvalidRequest(OAuthError):
    """The request cannot be read, repeats a parameter or lacks one."""

    code = "invalid_request"
    status = 400


class InvalidClient(OAuthError):
    """Client authentication failed."""

    code = "invalid_client"
    status = 401


class InvalidGrant(OAuthError):
    """The refresh token is unknown, expired, revoked or another application's."""

    code = "invalid_grant"
    status = 400


class UnauthorizedClient(OAuthError):
    """The application may not use this grant type."""

    code = "unauthorized_client"
    status = 400


class UnsupportedGrantType(OAuthError):
    """The server has no such grant type."""

    code = "unsupported_grant_type"
    status = 400


class InvalidScope(OAuthError):
    """The scope is malformed, unknown or wider than allowed."""

    code = "invalid_scope"
    status = 400


class InvalidTarget(OAuthError):
    """The resource or audience is malformed, unknown or not allowed."""

    code = "invalid_target"
    status = 400


class InvalidAuthorizationDetails(OAuthError):
    """The authorization details are malformed, of an unknown type or wider than allowed."""

    code = "invalid_authorization_details"
    status = 400


class InvalidClientMetadata(OAuthError):
    """A member of the client's metadata cannot be read or contradicts another."""

    code = "invalid_client_metadata"
    status = 400


class InvalidRedirectUri(OAuthError):
    """A client is to be registered with addresses that nothing here would ever redirect to."""

    code = "invalid_redirect_uri"
    status = 400


class UnsupportedTokenType(OAuthError):
    """The server does not revoke tokens of this type."""

    code = "unsupported_token_type"
    status = 400


class TooManyRequests(OAuthError):
    """The client or its source asks too often (PROTOCOL 119).

    No registered code of the token endpoint means this. `temporarily_unavailable` belongs to the authorization
    endpoint (RFC 6749 §4.1.2.1) and blames the server; `slow_down` is registered for the token endpoint (RFC 8628
    §3.5) and says what is asked of the client. The status is what a client must go by (RFC 6585 §4).

    Attributes:
        retry_after_seconds: Whole seconds for the Retry-After header, at least 1.
        is_first: The first refusal of this wait; the record tells of that one, so that a flood does not fill it.
    """

    code = "slow_down"
    status = 429

    def __init__(
        self, description: str, *, reason: str, retry_after_seconds: int, key_id: str = "", is_first: bool = True
    ) -> None:
        super().__init__(description, reason=reason, key_id=key_id)
        self.is_first = is_first
        self.retry_after_seconds = max(1, retry_after_seconds)


class DpopRefusal(OAuthError):
    """A request whose proof of possession does not carry it."""


class InvalidDpopProof(DpopRefusal):
    """The proof is malformed, for another request, out of its time or badly signed; at the token endpoint."""

    code = "invalid_dpop_proof"
    status = 400


class InvalidDpopProofAtResource(InvalidDpopProof):
    """The same at the resource, where the answer is a challenge of the scheme DPoP (RFC 9449 §7.1)."""

    status = 401


class UseDpopNonce(DpopRefusal):
    """The proof lacks a nonce of this server, or has an old one; the answer brings a new one in DPoP-Nonce.

    Attributes:
        fresh_nonce: The new one, put in by whoever can make it.
    """

    code = "use_dpop_nonce"
    status = 400
    fresh_nonce = ""


class UseDpopNonceAtResource(UseDpopNonce):
    """The same at the resource, where the answer is a challenge of the scheme DPoP (RFC 9449 §9)."""

    status = 401


class BearerRefusal(OAuthError):
    """A request for rows whose token does not carry it."""


class MissingToken(BearerRefusal):
    """The request has no bearer token; the challenge carries no error code."""

    code = ""
    status = 401


class InvalidToken(BearerRefusal):
    """The access token is malformed, expired or revoked."""

    code = "invalid_token"
    status = 401


class InsufficientScope(BearerRefusal):
    """The token is good and does not allow this; 401 by the origin's rule, 403 by a setting (O-17)."""

    code = "insufficient_scope"
    status = 401
