"""The refusals of the authorization side.

OAuthError
├── InvalidRequest          invalid_request          RFC 6749 §5.2, RFC 6750 §3.1
├── InvalidClient           invalid_client           RFC 6749 §5.2
├── InvalidGrant            invalid_grant            RFC 6749 §5.2
├── UnauthorizedClient      unauthorized_client      RFC 6749 §5.2
├── UnsupportedGrantType    unsupported_grant_type   RFC 6749 §5.2
├── InvalidScope            invalid_scope            RFC 6749 §5.2
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
    """

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, description: str, *, reason: str, key_id: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.reason = reason
        self.key_id = key_id


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
