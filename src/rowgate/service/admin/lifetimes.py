"""Holds what an administrator asks for against the server's maxima, and chooses where nothing was asked.

Rule: only what is asked for is judged. What an application has from before, when a maximum was higher, is left in
place, so that everything else about it can still be changed; it counts no more.
"""

from rowgate.oauth.lifetimes import Maxima, sooner
from rowgate.oauth.model import (
    ACCESS_LIFETIME_SECONDS,
    NEVER,
    REFRESH_LIFETIME_SECONDS,
    SECRET_LIFETIME_SECONDS,
)
from rowgate.service.admin.desk import AdminError


def choose_access_lifetime(maxima: Maxima, asked: int | None) -> int:
    """Give the life of access tokens in seconds; None: an hour, or the maximum where that is less.

    Raises:
        AdminError: It is longer than the maximum.
    """
    if asked is None:
        return sooner(ACCESS_LIFETIME_SECONDS, maxima.access_token_seconds)
    _refuse_longer("access tokens live", asked, maxima.access_token_seconds, "max_access_token_seconds")
    return asked


def choose_refresh_lifetime(maxima: Maxima, asked: int | None) -> int:
    """Give the life of refresh tokens in seconds; None: seven days, or the maximum where that is less.

    Raises:
        AdminError: It is longer than the maximum.
    """
    if asked is None:
        return sooner(REFRESH_LIFETIME_SECONDS, maxima.refresh_token_seconds)
    _refuse_longer("refresh tokens live", asked, maxima.refresh_token_seconds, "max_refresh_token_seconds")
    return asked


def choose_secret_end(maxima: Maxima, asked: int | None, now: int) -> int:
    """Give the end of a secret in seconds since 1970; None: 72 hours from now, or the maximum where that is less.

    Raises:
        AdminError: It is past already, or later than the maximum lets it be.
    """
    if asked is None:
        return now + sooner(SECRET_LIFETIME_SECONDS, maxima.secret_seconds)
    if asked != NEVER and asked <= now:
        raise AdminError("the secret would have expired already")
    check_secret_lifetime(maxima, 0 if asked == NEVER else asked - now)
    return asked


def check_secret_lifetime(maxima: Maxima, seconds: int) -> None:
    """Refuse a life of secrets that is longer than the maximum; 0 is a life without an end.

    Raises:
        AdminError: It is longer.
    """
    _refuse_longer("a secret lives", seconds, maxima.secret_seconds, "max_secret_seconds")


def _refuse_longer(what: str, seconds: int, most_seconds: int, setting: str) -> None:
    if sooner(seconds, most_seconds) != seconds:
        raise AdminError(f"{what} for {most_seconds} seconds at most: ask for less, or raise {setting} in rowgate.toml")
