"""When an application is about to have no good secret any more."""

from rowgate.oauth.model import NEVER, Application, Secret

WARNING_HOURS = (1, 6, 24)  # before the end, the shortest first
HOUR_SECONDS = 3600


def find_last_secret(application: Application) -> Secret | None:
    """Give the secret that ends last, ended or not; None when one never ends, or none is there but revoked ones."""
    kept = [secret for secret in application.secrets if not secret.revoked]
    if not kept or any(secret.expires_at == NEVER for secret in kept):
        return None
    return max(kept, key=lambda secret: (secret.expires_at, secret.number))


def find_warning(secret: Secret, now: float) -> int:
    """Give the warning that is due, in hours before the secret's end, or 0.

    A secret that never was to live for so long is not warned about: a life of 30 minutes is no emergency.

    Args:
        secret: The last good one of its application.
        now: Seconds since 1970.
    """
    if secret.is_expired(now):
        return 0
    for hours in WARNING_HOURS:
        seconds = hours * HOUR_SECONDS
        if secret.expires_at - now <= seconds:
            return hours if secret.expires_at - secret.created_at > seconds else 0
    return 0
