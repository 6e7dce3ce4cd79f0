"""A revocation is remembered for as long as anything it killed could live (R12)."""

from pathlib import Path

import pytest

from rowgate import wiring
from rowgate.oauth.tokens import ACCESS, REFRESH, TokenRecord, TokenSealer
from rowgate.service.admin.token_opener import HomeTokenOpener
from support.clock import MovableClock
from support.homes import add_application, administer, make_home

REFRESH_SECONDS = 1000
ACCESS_SECONDS = 5000
FAMILY, ACCESS_ID = b"f" * 16, b"a" * 16


@pytest.mark.parametrize("presented", ["refresh token", "family", "access token", "access token id"])
def test_a_revoked_token_never_comes_back_to_life(sample_database: Path, tmp_path: Path, presented: str) -> None:
    """An access token that was refreshed at the last moment outlives the refresh token it came from."""
    clock = MovableClock()
    start = int(clock.freeze())
    settings = make_home(tmp_path / "home", sample_database)
    made = add_application(
        settings,
        "app",
        clock=clock,
        access_lifetime_seconds=ACCESS_SECONDS,
        refresh_lifetime_seconds=REFRESH_SECONDS,
    )
    store = wiring.open_store(settings)
    sealer = TokenSealer(store.load_keys().sealing)

    def make_record(at: int, seconds: int) -> TokenRecord:
        number, secret = made.application.number, made.secret.number
        return TokenRecord(number, 0, secret, at, at + seconds, FAMILY, "read")

    clock.advance(REFRESH_SECONDS - 1)
    refresh = sealer.seal(REFRESH, FAMILY, make_record(start, REFRESH_SECONDS))
    access = sealer.seal(ACCESS, ACCESS_ID, make_record(int(clock()), ACCESS_SECONDS))
    given = {
        "refresh token": refresh,
        "family": FAMILY.hex(),
        "access token": access,
        "access token id": ACCESS_ID.hex(),
    }[presented]
    with administer(settings, clock) as desks:
        desks.tokens.revoke(given, HomeTokenOpener(store.load_keys()))
        for _ in range(8):
            assert desks.tokens.inspect(access, HomeTokenOpener(store.load_keys())).state in ("revoked", "expired")
            clock.advance(ACCESS_SECONDS / 8)
            with store.changing() as change:
                change.forget_revocations(clock())
    store.close()


def test_a_token_id_is_remembered_for_the_longest_life_there_is(sample_database: Path, tmp_path: Path) -> None:
    """A handle does not say when its token ends, and an access token may live longer than a refresh token."""
    clock = MovableClock()
    start = int(clock.freeze())
    settings = make_home(tmp_path / "home", sample_database, max_access_token_seconds=0)
    month = 30 * 86_400
    add_application(settings, "app", clock=clock, access_lifetime_seconds=month)
    store = wiring.open_store(settings)
    with administer(settings, clock) as desks:
        desks.tokens.revoke(ACCESS_ID.hex(), HomeTokenOpener(store.load_keys()))
    with store.changing() as change:
        change.forget_revocations(start + month - 1)
        assert change.is_revoked(ACCESS_ID)
    store.close()
