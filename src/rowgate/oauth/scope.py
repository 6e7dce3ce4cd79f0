"""Scope: a set of names, written with single spaces. Narrowing never widens."""

import re

from rowgate.oauth.errors import InvalidScope

# scope-token = 1*( %x21 / %x23-5B / %x5D-7E ), RFC 6749 §3.3
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


def parse_scope(text: str) -> tuple[str, ...]:
    """Give the names in a scope, each once, in the order they came.

    >>> parse_scope("read run read")
    ('read', 'run')
    >>> parse_scope(" read")
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidScope: The scope is malformed.

    Raises:
        InvalidScope: Other characters than the standard's, or spaces that are not single.

    Source: RFC 6749 §3.3, Appendix A.4
    """
    if not _SCOPE.fullmatch(text):
        raise InvalidScope("The scope is malformed.", reason="malformed_scope")
    return tuple(dict.fromkeys(text.split(" ")))


def narrow_scope(requested: str | None, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Give what is granted: all that is allowed when nothing was asked, else exactly what was asked.

    Raises:
        InvalidScope: Malformed, or not a part of what is allowed.

    Source: RFC 6749 §3.3, §6
    """
    if requested is None:
        return allowed
    names = parse_scope(requested)
    if not set(names) <= set(allowed):
        raise InvalidScope("The scope is not allowed to this application.", reason="scope_not_allowed")
    return names


def render_scope(names: tuple[str, ...]) -> str:
    """Give the scope as the standard writes it."""
    return " ".join(names)
