"""Compares the URL that a DPoP proof names with the URL that was asked for, as the standard normalizes them."""

import re

_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?)"
    r"(?:\?[^#\s]*)?(?:#\S*)?"
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def match_target_uri(unverified_uri: str, expected_uri: str) -> bool:
    """Tell whether both name the same target, query and fragment apart.

    >>> match_target_uri("HTTPS://Host.example:443/%7Ea/./b?x=1", "https://host.example/~a/b")
    True
    >>> match_target_uri("https://host.example/a/", "https://host.example/a")
    False

    Source: RFC 9449 §4.3 (9), RFC 3986 §6.2.2, §6.2.3
    """
    if unverified_uri == expected_uri:
        return True
    normal = normalize_target_uri(unverified_uri)
    return normal is not None and normal == normalize_target_uri(expected_uri)


def normalize_target_uri(uri: str) -> str | None:
    """Give an absolute URI in its normal form, without query and fragment; None when it is none.

    A URI with user information is none: no request has a target with it (RFC 9110 §4.2.4).
    """
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    scheme, port = match["scheme"].lower(), (match["port"] or "").lstrip("0")
    host, path = _normalize_escapes(match["host"].lower()), _normalize_escapes(match["path"])
    if host is None or path is None:
        return None
    authority = host.lower() if port == _DEFAULT_PORTS.get(scheme, "") or not port else f"{host.lower()}:{port}"
    return f"{scheme}://{authority}{_remove_dot_segments(path)}"


def _normalize_escapes(text: str) -> str | None:
    """Give the text with unreserved characters plain and other escapes in capitals; None for a broken escape."""
    if "%" not in text:
        return text
    if any(match[1] is None for match in _ESCAPE.finditer(text)):
        return None
    return _ESCAPE.sub(_normalize_escape, text)


def _normalize_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _remove_dot_segments(path: str) -> str:
    """Give the path without `.` and `..` (RFC 3986 §5.2.4); an empty one is the root (§6.2.3)."""
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
