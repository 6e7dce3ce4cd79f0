"""What a connection is told whose bytes are no request that could be answered."""

import logging
import os

import msgspec

from rowgate.web.exchange import CLOSE, PreparedHeaders
from rowgate.web.problems import NO_STORE, RETRY_SECONDS

_log = logging.getLogger("rowgate.web")

_OVERLOADED = 503
_HEADERS = PreparedHeaders([*NO_STORE, CLOSE])  # as every other error has them


def find_code(status: int) -> str:
    """Give the code of a refusal."""
    return "temporarily_unavailable" if status == _OVERLOADED else "invalid_request"


def render_refusal(status: int, text: str) -> bytes:
    """Give the answer without its first line and the server's own headers; the connection closes behind it."""
    code = find_code(status)
    request_id = os.urandom(8).hex()
    body = msgspec.json.encode({"error": code, "error_description": text, "request_id": request_id})
    # below what is shown: anybody can cause as many of these as they like
    _log.debug("a connection is refused: %d %s", status, text, extra={"request_id": request_id})
    head = b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
        _HEADERS.lines,
        b"retry-after: %d\r\n" % RETRY_SECONDS if status == _OVERLOADED else b"",
        request_id.encode(),
        len(body),
    )
    return head + body
