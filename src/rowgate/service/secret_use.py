"""Keeps that a renewed secret was used. From then on the one before it has only the overlap left."""

from rowgate.oauth.model import Application, Secret
from rowgate.ports import StoreWriter


def note_use(change: StoreWriter, application: Application, secret: Secret, now: float) -> None:
    """Keep the first use of a secret that was renewed from another; later uses, and other secrets', change nothing.

    Raises:
        UnknownName: The secret or its application was removed a moment ago.
    """
    if not secret.parent or secret.used_at:
        return
    change.note_secret_use(secret.number, used_at=int(now))
    if application.find_secret(secret.parent) is not None:
        change.end_secret(secret.parent, expires_at=int(now) + application.policy.secret_overlap_seconds)
