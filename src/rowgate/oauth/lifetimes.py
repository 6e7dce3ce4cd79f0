"""How long what is handed out may live at most, whatever is set for an application.

A maximum counts from the making of a thing, and holds at once for what was made before it was set. Zero is none.
"""

from dataclasses import dataclass

from rowgate.oauth.model import NEVER


@dataclass(frozen=True, slots=True)
class Maxima:
    """The server's own, in seconds; 0: none."""

    access_token_seconds: int = 0
    refresh_token_seconds: int = 0
    secret_seconds: int = 0


NO_MAXIMA = Maxima()


def sooner(expires_at: int, limit: int) -> int:
    """Give the sooner of two ends, where NEVER is later than any; or the shorter of two lives, where 0 is no limit.

    >>> sooner(0, 5), sooner(7, 5), sooner(3, 0)
    (5, 5, 3)
    """
    if NEVER in (expires_at, limit):
        return max(expires_at, limit)
    return min(expires_at, limit)


def find_end(expires_at: int, made_at: int, most_seconds: int) -> int:
    """Give when a thing ends that was made to end at `expires_at`, under a maximum of so many seconds; 0: none.

    >>> find_end(5000, 1000, 3600), find_end(0, 1000, 3600), find_end(5000, 1000, 0)
    (4600, 4600, 5000)
    """
    return sooner(expires_at, made_at + most_seconds) if most_seconds else expires_at
