"""Applications and records for the laws."""

from typing import Any

from rowgate.oauth.model import Application
from rowgate.oauth.tokens import TokenRecord


def make_application(**members: Any) -> Application:
    """Give an application without secrets."""
    chosen: dict[str, Any] = {
        "number": 1,
        "client_id": "client",
        "name": "name",
        "enabled": True,
        "epoch": 0,
        "scope": ("read",),
        "refresh_tokens": True,
        "access_lifetime_seconds": 3600,
        "refresh_lifetime_seconds": 604_800,
        "created_at": 0,
        "secrets": (),
        **members,
    }
    return Application(**chosen)


def make_record(**members: Any) -> TokenRecord:
    """Give a record of that application, good for the first thousand seconds."""
    chosen: dict[str, Any] = {
        "application_number": 1,
        "epoch": 0,
        "secret_number": 1,
        "issued_at": 0,
        "expires_at": 1000,
        "family": b"\x01" * 16,
        "scope": "read",
        **members,
    }
    return TokenRecord(**chosen)
