"""What can be measured of the state: the same at every worker, whichever of them is asked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rowgate.oauth.expiry import HOUR_SECONDS, WARNING_HOURS
from rowgate.service.expiring_secrets import ExpiringSecrets
from rowgate.service.state import LiveState

MAX_APPLICATIONS_TOLD = 1000  # by name; those whose secrets end first


@dataclass(frozen=True, slots=True)
class Measured:
    """One look."""

    applications: int
    expiring: Mapping[int, int]  # by hours: how many applications have no good secret after so many
    expired: int  # how many have none now
    ends: Mapping[tuple[str, str], int]  # by client id and name: when the last secret ends, seconds since 1970


class Measures:
    """Looks at the state."""

    def __init__(self, state: LiveState) -> None:
        """Take it."""
        self._state = state
        self._expiring = ExpiringSecrets(state)

    def measure(self, now: float) -> Measured:
        """Give what is so now; disabled applications and those whose secrets never end do not count as expiring."""
        last = self._expiring.list_last()
        good = self._expiring.list_ending(now, math.inf)
        soonest = last[:MAX_APPLICATIONS_TOLD]
        return Measured(
            applications=len(self._state.list_applications()),
            expiring={hours: len(self._expiring.list_ending(now, hours * HOUR_SECONDS)) for hours in WARNING_HOURS},
            expired=len(last) - len(good),
            ends={(application.client_id, application.name): secret.expires_at for application, secret in soonest},
        )
