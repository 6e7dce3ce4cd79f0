"""What makes the head of a request invalid though the parser takes it. No connection here.

What the answer or the framing hangs on stands there once: of two, another server on the way could have gone by the
other one. Of credentials the endpoints see to that; of Content-Length the parser does.
"""

import re

from rowgate.web.exchange import Headers

_VERSIONS = ("1.1", "1.0")
_find_no_host = re.compile(rb"[^A-Za-z0-9._~!$&'()*+,;=%:\[\]-]").search  # RFC 3986 §3.2.2 and a port
_CONTINUE = b"100-continue"


def find_fault(headers: Headers, version: str) -> tuple[int, str] | None:
    """Give status and words of the refusal; None when the head is in order.

    >>> find_fault([(b"host", b"a")], "1.1")
    >>> find_fault([(b"host", b"a"), (b"host", b"a")], "1.1")
    (400, 'The request needs exactly one Host header, with a host.')
    >>> find_fault([(b"host", b"a/b c")], "1.1")
    (400, 'The request needs exactly one Host header, with a host.')

    Args:
        headers: Their names in lower case.
        version: Of HTTP, as the parser gives it.
    """
    names = [name for name, _ in headers]
    hosts = [value for name, value in headers if name == b"host"]
    # RFC 9112 §3.2: a server MUST respond with 400 to a request that lacks a Host, has more than one, or a wrong one.
    if len(hosts) > 1 or (not hosts and version == "1.1") or (hosts and _find_no_host(hosts[0])):
        return 400, "The request needs exactly one Host header, with a host."
    if version not in _VERSIONS:
        return 505, "Only HTTP/1.1 is spoken here."  # RFC 9110 §15.6.6
    if names.count(b"content-type") > 1:
        return 400, "The request has more than one Content-Type header."  # RFC 9110 §5.3
    if names.count(b"content-encoding") > 1:
        return 415, "Send the body without a content encoding."
    if b"expect" in names and _list_expectations(headers) - {_CONTINUE}:
        return 417, "Nothing but 100-continue can be expected here."  # RFC 9110 §10.1.1
    return _find_coding_fault(headers, version) if b"transfer-encoding" in names else None


def expects_continue(headers: Headers, version: str) -> bool:
    """Tell whether the client may hold its body back until it is told to go on.

    Source: RFC 9110 §10.1.1: a server MUST ignore that expectation in a request of HTTP/1.0.

    >>> expects_continue([(b"expect", b"100-Continue")], "1.1")
    True
    >>> expects_continue([(b"expect", b"100-Continue")], "1.0")
    False
    """
    return version == "1.1" and _CONTINUE in _list_expectations(headers)


def find_declared_bytes(headers: Headers) -> int:
    """Give the length of the body as its head declares it; 0 where it declares none. The parser has checked it."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return 0


def _list_expectations(headers: Headers) -> set[bytes]:
    values = [value for name, value in headers if name == b"expect"]
    return {member.strip().lower() for value in values for member in value.split(b",")} - {b""}


def _find_coding_fault(headers: Headers, version: str) -> tuple[int, str] | None:
    if version == "1.0":
        return 400, "HTTP/1.0 has no transfer codings."  # RFC 9112 §6.1: the framing is faulty
    if not all(value.strip().lower() == b"chunked" for name, value in headers if name == b"transfer-encoding"):
        return 501, "The transfer coding is not known."  # RFC 9112 §6.1
    return None
