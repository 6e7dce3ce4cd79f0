"""Which applications are about to have no good secret, and which warning is due for each."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from rowgate.audit.events import SecretsExpiring
from rowgate.oauth.expiry import HOUR_SECONDS, WARNING_HOURS, find_last_secret, find_warning
from rowgate.oauth.model import Application, Secret
from rowgate.service.state import LiveState


class ExpiringSecrets:
    """Looks at the state's secrets; all of them only when the state has changed."""

    def __init__(self, state: LiveState) -> None:
        """Take the state to look at."""
        self._state = state
        self._watched: Sequence[tuple[Application, Secret]] = ()
        self._watched_of: int | None = None  # the state's sequence number

    def list_last(self) -> Sequence[tuple[Application, Secret]]:
        """Give the enabled applications whose secrets end, each with the one that ends last; the first end first."""
        if self._watched_of != self._state.sequence:
            enabled = [application for application in self._state.list_applications() if application.enabled]
            last = [(application, find_last_secret(application)) for application in enabled]
            self._watched = sorted(
                ((application, secret) for application, secret in last if secret is not None), key=_find_end
            )
            self._watched_of = self._state.sequence
        return self._watched

    def list_ending(self, now: float, within_seconds: float) -> Sequence[tuple[Application, Secret]]:
        """Give those of `list_last` that are good now and end within that time, without a look at the others."""
        last = self.list_last()
        return last[bisect_right(last, now, key=_find_end) : bisect_right(last, now + within_seconds, key=_find_end)]

    def find_due(self, now: float) -> Mapping[bytes, SecretsExpiring]:
        """Give the warnings that hold now, given or not, each by a handle of its own (32 bytes)."""
        due: dict[bytes, SecretsExpiring] = {}
        for application, secret in self.list_ending(now, max(WARNING_HOURS) * HOUR_SECONDS):
            hours = find_warning(secret, now)
            if hours:
                due[_make_handle(application, secret, hours)] = SecretsExpiring(
                    at=now,
                    client_id=application.client_id,
                    application=application.name,
                    key_id=secret.key_id,
                    expires_at=secret.expires_at,
                    hours=hours,
                )
        return due


def _find_end(item: tuple[Application, Secret]) -> int:
    return item[1].expires_at


def _make_handle(application: Application, secret: Secret, hours: int) -> bytes:
    # by the end and not by the secret: a second secret of the same end is no news
    return hashlib.sha256(f"secrets expiring {application.number} {secret.expires_at} {hours}".encode()).digest()
