"""What a connection is told whose bytes are no request that could be answered."""

import logging
import os

import msgspec

_log = logging.getLogger("rowgate.web")

_OVERLOADED = 503


def render_refusal(status: int, text: str) -> bytes:
    """Give the answer without its first line; the connection closes behind it."""
    code = "temporarily_unavailable" if status == _OVERLOADED else "invalid_request"
    request_id = os.urandom(8).hex()
    body = msgspec.json.encode({"error": code, "error_description": text, "request_id": request_id})
    # below what is shown: anybody can cause as many of these as they like
    _log.debug("a connection is refused: %d %s", status, text, extra={"request_id": request_id})
    head = (
        b"content-type: application/json\r\ncache-control: no-store\r\npragma: no-cache\r\n"
        b"connection: close\r\nx-request-id: %b\r\n%bcontent-length: %d\r\n\r\n"
        % (request_id.encode(), b"retry-after: 5\r\n" if status == _OVERLOADED else b"", len(body))
    )
    return head + body
