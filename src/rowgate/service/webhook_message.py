"""What a webhook's receiver gets: a JSON document, signed so that it can tell who sent it. Pure.

Source: the Standard Webhooks specification 1.0.0, "Webhook Payload", "Webhook Headers", "Signature scheme"
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from rowgate.audit.events import SecretsExpiring
from rowgate.oauth.expiry import HOUR_SECONDS

KEY_PREFIX = "whsec_"
KEY_BYTES = 32
LEAST_KEY_BYTES, MOST_KEY_BYTES = 24, 64
EXPIRING = "secret.expiring"
TEST = "test"

_encode = msgspec.json.Encoder().encode


def render_key(key: bytes) -> str:
    """Give a signing key as its receiver is told it.

    >>> render_key(bytes(24))
    'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return KEY_PREFIX + base64.b64encode(key).decode()


def parse_key(text: str) -> bytes:
    """Give the signing key in such a text.

    Raises:
        ValueError: It is none, or not of 24 to 64 bytes; the text says so.
    """
    stripped = text.strip()
    try:
        key = base64.b64decode(stripped.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not stripped.startswith(KEY_PREFIX) or not LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES:
        raise ValueError(f"it is not {KEY_PREFIX} and the base64 of {LEAST_KEY_BYTES} to {MOST_KEY_BYTES} bytes")
    return key


def render_expiring(event: SecretsExpiring) -> bytes:
    """Give the document of a warning: the same whenever it is sent."""
    warned_at = event.expires_at - event.hours * HOUR_SECONDS
    return _render(
        EXPIRING,
        warned_at,
        {
            "client_id": event.client_id,
            "application": event.application,
            "key_id": event.key_id,
            "expires_at": _render_moment(event.expires_at),
            "hours": event.hours,
        },
    )


def render_test(now: float) -> bytes:
    """Give a document that tells nothing but that it arrived."""
    return _render(TEST, int(now), {})


def sign_message(key: bytes, message_id: str, now: float, body: bytes) -> dict[str, str]:
    """Give the headers of one attempt to deliver a document.

    Args:
        key: The signing key.
        message_id: The same for every attempt, so that a receiver can tell a repetition.
        now: Seconds since 1970, of this attempt; a receiver refuses what is older than some minutes.
        body: The document.
    """
    timestamp = str(int(now))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def is_success(status: int) -> bool:
    """Tell whether the receiver has taken the document, by the class of its answer (RFC 9110 §15)."""
    return status // 100 == HTTPStatus.OK // 100


def _render(kind: str, at: int, data: dict[str, Any]) -> bytes:
    return _encode({"type": kind, "timestamp": _render_moment(at), "data": data})


def _render_moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
