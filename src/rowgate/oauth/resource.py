"""Resource indicators: for which of this server's resources a token is asked (RFC 8707)."""

import re
from collections.abc import Collection, Sequence

from rowgate.oauth.errors import InvalidTarget

MAX_RESOURCES = 10
MAX_RESOURCE_LENGTH = 2048  # 2 KiB

# absolute-URI = scheme ":" hier-part [ "?" query ], RFC 3986 §4.3, by its characters
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")


def parse_resources(values: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Give the audience that the `resource` parameters of a request name, each once, in their order.

    Args:
        values: Every `resource` of the request, decoded.
        known: The resources of this server, exactly as it publishes them.

    Returns:
        Members of `known`; empty when the request names none, and the caller's default counts.

    Raises:
        InvalidTarget: Relative, with a fragment, not one of ours, or too many.

    Source: RFC 8707 §2; PROTOCOL 23, 62
    """
    if len(values) > MAX_RESOURCES:
        raise InvalidTarget("There are too many resources.", reason="too_many_resources")
    for value in values:
        if "#" in value:  # RFC 8707 §2: it MUST NOT include a fragment component
            raise InvalidTarget("A resource must not have a fragment.", reason="resource_with_fragment")
        if len(value) > MAX_RESOURCE_LENGTH or not _ABSOLUTE_URI.fullmatch(value):
            raise InvalidTarget("A resource must be an absolute URI.", reason="resource_not_absolute")
        if value not in known:
            raise InvalidTarget("The resource is not one of this server.", reason="unknown_resource")
    return tuple(dict.fromkeys(values))


def narrow_audience(requested: tuple[str, ...], original: tuple[str, ...]) -> tuple[str, ...]:
    """Give the audience of a token that is made from another: what was asked, else the same.

    Args:
        requested: What `parse_resources` gave; empty when nothing was asked.
        original: The audience of the refresh or subject token; empty when it was issued for every resource.

    Raises:
        InvalidTarget: More than the original token was issued for.

    Source: RFC 8707 §2.2
    """
    if not requested:
        return original
    if original and not set(requested) <= set(original):
        raise InvalidTarget("The token was not issued for this resource.", reason="wider_audience")
    return requested
