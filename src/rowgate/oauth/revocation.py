"""What a client asks about one token, at the introspection and the revocation endpoint, and how long a "no" must last.

Both endpoints take a form and nothing else; what the token endpoint reads besides for the sake of old scripts is not
read here.
"""

from urllib.parse import unquote_to_bytes

import msgspec

from rowgate.oauth.client_auth import SECRET_PREFIX, find_key_id
from rowgate.oauth.errors import InvalidRequest, UnsupportedTokenType
from rowgate.oauth.form import FORM, MEDIA_TYPE_HINT, TokenParameters, parse_token_parameters
from rowgate.oauth.tokens import TokenRecord

ACCESS_TOKEN = "access_token"  # noqa: S105 - a token type hint, RFC 7009 §2.1
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a token type hint, RFC 7009 §2.1
# Types of token that exist elsewhere and not here: UMA's (registered by UMA 2.0 §5), OpenID Connect's.
TOKEN_PARAMETER = frozenset({"token"})  # a credential where it stands in a URL
_OTHER_TOKEN_TYPES = frozenset({"pct", "id_token"})


class TokenQuestion(msgspec.Struct, frozen=True):
    """The parameters of an introspection or revocation request; None means absent or empty."""

    token: str | None = None
    token_type_hint: str | None = None

    def __repr__(self) -> str:
        return "<question about a token>"  # never the token


def parse_token_question(content_type: bytes | None, body: bytes) -> tuple[TokenParameters, TokenQuestion]:
    """Give the client's credentials and its question.

    As strict as `parse_token_parameters`, and a form only. Names match without regard to letter case there, so here.

    >>> parse_token_question(b"application/x-www-form-urlencoded", b"token=a%2Bb")[1].token
    'a+b'
    >>> parse_token_question(b"application/json", b"{}")
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidRequest: The media type is not supported. Send application/x-www-form-urlencoded.

    Raises:
        InvalidRequest: Another media type, undecodable body, repeated parameter, too many parameters.

    Source: RFC 7009 §2.1, RFC 7662 §2.1
    """
    if (content_type or b"").split(b";", 1)[0].strip().lower() != FORM.encode():
        raise InvalidRequest(f"The media type is not supported. {MEDIA_TYPE_HINT}", reason="media_type")
    parameters = parse_token_parameters(content_type, body)
    # From here on the body is known to be decodable.
    found: dict[str, str | None] = {}
    for field in body.replace(b"+", b" ").split(b"&"):
        raw_name, _, raw_value = field.partition(b"=")
        name = unquote_to_bytes(raw_name).decode("utf-8").lower()
        if name in TokenQuestion.__struct_fields__:
            if name in found:
                # RFC 6749 §3.2: parameters MUST NOT be included more than once.
                raise InvalidRequest("A parameter is included more than once.", reason="duplicate_parameter")
            found[name] = unquote_to_bytes(raw_value).decode("utf-8") or None
    return parameters, TokenQuestion(**found)


def require_token(question: TokenQuestion) -> str:
    """Give the token that the question is about, not yet checked.

    Raises:
        InvalidRequest: There is none.

    Source: RFC 7009 §2.1, RFC 7662 §2.1 (REQUIRED)
    """
    if question.token is None:
        raise InvalidRequest("The token parameter is missing.", reason="no_token_parameter")
    return question.token


def refuse_other_type(question: TokenQuestion) -> None:
    """Refuse to pretend that something was revoked which this endpoint cannot revoke; for a token that is none of ours.

    A hint that is wrong or unknown is ignored (PROTOCOL 87). But whoever presents a client secret, or says that the
    token is of a kind that this server does not make, must not be told that it is dead now.

    Raises:
        UnsupportedTokenType: It is a client secret, or by its hint of another kind.

    Source: RFC 7009 §2.2.1
    """
    token = question.token or ""
    if token.startswith(SECRET_PREFIX):
        raise UnsupportedTokenType(
            "A client secret is revoked by the administrator.",
            reason="client_secret_as_token",
            key_id=find_key_id(token),
        )
    if question.token_type_hint in _OTHER_TOKEN_TYPES:
        raise UnsupportedTokenType("The server has no tokens of this type.", reason="other_token_type")


def find_forget_at(record: TokenRecord, *, longest_access_seconds: int, takes_family: bool) -> int:
    """Give the second from which a revocation may be forgotten, since nothing that it kills can still live.

    Args:
        record: Of the token that was presented.
        longest_access_seconds: How long an access token of the application may live.
        takes_family: Whether all that was issued from the same refresh token dies with it; the last of it may have
            been issued in the refresh token's last second.
    """
    return record.expires_at + (longest_access_seconds if takes_family else 0) + 1
