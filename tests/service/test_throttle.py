"""Laws of the throttle and the quota: what holds whatever strangers do and however the clock jumps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.oauth.errors import TooManyRequests
from rowgate.service.throttle import (
    FORGET_SECONDS,
    FREE_FAILURES,
    FREE_FAILURES_OF_SOURCE,
    LONGEST_WAIT_SECONDS,
    MAX_NAME_LENGTH,
    REVOCATIONS_PER_MINUTE,
    FailureThrottle,
    OwnBuckets,
    RevocationQuota,
    TokenQuota,
)
from support.laws import choose_examples

NOW = 1_700_000_000.0
_CLIENTS = st.sampled_from(["app", "other", "made-up"])
_STRANGERS = st.sampled_from(["198.51.100.1", "198.51.100.2"])
_STEPS = st.sampled_from([0.0, 0.0, 0.5, 1.0, 61.0, float(FORGET_SECONDS) + 1, -1.0, -3600.0])
_law = settings(max_examples=choose_examples(60), deadline=None)


def find_wait(throttle: FailureThrottle, client_id: str, source: str, now: float) -> int:
    """Give for how many seconds an attempt must wait; 0: it may try."""
    try:
        throttle.check(client_id, source, now)
    except TooManyRequests as refusal:
        return refusal.retry_after_seconds
    return 0


def fail(throttle: FailureThrottle, client_id: str, source: str, now: float, *, times: int) -> None:
    """Fail as often as one can: only who need not wait gets to fail."""
    for _ in range(times):
        if not find_wait(throttle, client_id, source, now):
            throttle.note_failure(client_id, source, now)


@_law
@given(st.lists(st.tuples(_CLIENTS, _STRANGERS, _STEPS, st.integers(1, 150)), max_size=20))
def test_strangers_cannot_lock_an_application_out(doings: list[tuple[str, str, float, int]]) -> None:
    """Whatever is guessed elsewhere, an application that comes from its own address never waits."""
    throttle, now = FailureThrottle(), NOW
    for client_id, source, step, times in doings:
        now += step
        fail(throttle, client_id, source, now, times=times)
        assert find_wait(throttle, "app", "203.0.113.1", now) == 0


@_law
@given(st.lists(st.tuples(st.sampled_from(["other", "made-up"]), _STEPS, st.integers(1, 150)), max_size=20))
def test_who_has_proved_itself_does_not_wait_for_others_behind_its_address(
    doings: list[tuple[str, float, int]],
) -> None:
    throttle, now = FailureThrottle(), NOW
    throttle.note_success("app", "203.0.113.1")
    for client_id, step, times in doings:
        now += step
        fail(throttle, client_id, "203.0.113.1", now, times=times)
        assert find_wait(throttle, "app", "203.0.113.1", now) == 0


@_law
@given(st.lists(st.tuples(_CLIENTS, _STRANGERS, _STEPS), max_size=300))
def test_no_wait_is_longer_than_the_longest(doings: list[tuple[str, str, float]]) -> None:
    """Also after the clock has jumped back; and who waits as long as it is told gets a try."""
    throttle, now = FailureThrottle(), NOW
    for client_id, source, step in doings:
        now += step
        throttle.note_failure(client_id, source, now)
        wait = find_wait(throttle, client_id, source, now)
        assert 0 <= wait <= LONGEST_WAIT_SECONDS + 1
        assert find_wait(throttle, client_id, source, now + wait) == 0


@_law
@given(st.integers(1, 40))
def test_each_failure_beyond_the_free_ones_doubles_the_wait(beyond: int) -> None:
    throttle = FailureThrottle()
    for _ in range(FREE_FAILURES - 1):
        throttle.note_failure("app", "198.51.100.1", NOW)
        assert find_wait(throttle, "app", "198.51.100.1", NOW) == 0
    for _ in range(beyond):
        throttle.note_failure("app", "198.51.100.1", NOW)
    assert find_wait(throttle, "app", "198.51.100.1", NOW) == min(2 ** (beyond - 1), LONGEST_WAIT_SECONDS) + 1


@_law
@given(st.integers(2, 50), st.integers(0, 400))
def test_flood_of_made_up_ids_has_bounded_memory_and_slows_its_address_down(max_kept: int, ids: int) -> None:
    throttle = FailureThrottle(max_kept=max_kept)
    for number in range(ids):
        throttle.note_failure(f"made-up-{number}", "198.51.100.1", NOW)
        assert len(throttle) <= max_kept
    is_slowed = find_wait(throttle, "never-seen", "198.51.100.1", NOW) > 0
    assert is_slowed == (ids >= FREE_FAILURES_OF_SOURCE)
    assert find_wait(throttle, "never-seen", "198.51.100.2", NOW) == 0


@_law
@given(st.integers(1, 50), st.integers(0, 400))
def test_flood_of_successes_has_bounded_memory(max_kept: int, ids: int) -> None:
    throttle = FailureThrottle(max_kept=max_kept)
    for number in range(ids):
        throttle.note_success(f"app-{number}", "198.51.100.1")
        assert len(throttle._good) <= max_kept


@_law
@given(st.integers(FREE_FAILURES, 40), st.floats(1, 1e9))
def test_time_without_a_failure_forgets_them(failures: int, more_seconds: float) -> None:
    throttle = FailureThrottle()
    for _ in range(failures):
        throttle.note_failure("app", "198.51.100.1", NOW)
    later = NOW + FORGET_SECONDS + more_seconds
    throttle.note_failure("app", "198.51.100.1", later)
    assert find_wait(throttle, "app", "198.51.100.1", later) == 0


@_law
@given(st.integers(1, 100_000), st.integers(0, 200))
def test_a_name_that_nobody_has_for_its_length_is_not_kept(more: int, ids: int) -> None:
    """A count costs the same whatever was typed; the address that types it is slowed down as a whole."""
    throttle, long_name = FailureThrottle(), "x" * (MAX_NAME_LENGTH + more)
    for number in range(ids):
        throttle.note_failure(f"{long_name}{number}", "198.51.100.1", NOW)
        throttle.note_success(f"{long_name}{number}", "198.51.100.1")
    assert len(throttle) <= 1
    assert len(throttle._good) == 0
    assert (find_wait(throttle, long_name, "198.51.100.1", NOW) > 0) == (ids >= FREE_FAILURES_OF_SOURCE)


def test_success_of_one_that_named_nobody_clears_nothing() -> None:
    """Else a good job among the guesses would let an address guess for ever."""
    throttle = FailureThrottle()
    for number in range(FREE_FAILURES_OF_SOURCE):
        throttle.note_failure(f"made-up-{number}", "198.51.100.1", NOW)
        throttle.note_success("", "198.51.100.1")
    assert find_wait(throttle, "never-seen", "198.51.100.1", NOW)
    assert find_wait(throttle, "", "198.51.100.1", NOW)


def test_success_forgets_the_failures_of_that_application_there() -> None:
    throttle = FailureThrottle()
    fail(throttle, "app", "198.51.100.1", NOW, times=FREE_FAILURES)
    assert find_wait(throttle, "app", "198.51.100.1", NOW)
    throttle.note_success("app", "198.51.100.1")
    assert not find_wait(throttle, "app", "198.51.100.1", NOW)


def test_first_refusal_of_each_wait_is_told_apart() -> None:
    """A flood leaves one refusal on record for each wait."""
    throttle, now, told = FailureThrottle(), NOW, 0
    waits = 5
    fail(throttle, "app", "198.51.100.1", now, times=FREE_FAILURES)
    for _ in range(waits):
        for attempt in range(3):
            with pytest.raises(TooManyRequests) as refused:
                throttle.check("app", "198.51.100.1", now)
            assert refused.value.is_first == (attempt == 0)
            assert (refused.value.reason, refused.value.status) == ("too_many_failures", 429)
            told += refused.value.is_first
        now += refused.value.retry_after_seconds
        throttle.note_failure("app", "198.51.100.1", now)
    assert told == waits


@_law
@given(
    st.integers(1, 600),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 20)), min_size=1, max_size=30),
)
def test_quota_is_never_exceeded_and_never_withheld(per_minute: int, doings: list[tuple[float, int]]) -> None:
    """In any stretch there are no more tokens than the bucket holds and what has run in; told to wait, one gets one."""
    quota, now, taken = TokenQuota(), NOW, 0
    for step, times in doings:
        now += step
        for _ in range(times):
            try:
                quota.take(1, per_minute, now)
            except TooManyRequests as refusal:
                now += refusal.retry_after_seconds
                quota.take(1, per_minute, now)
            taken += 1
            assert taken <= per_minute + (now - NOW) * per_minute / 60 + 1e-3


@_law
@given(st.integers(1, 60), st.lists(st.floats(-1e6, 0), min_size=1, max_size=50))
def test_clock_that_jumps_back_gives_no_token_more(per_minute: int, jumps: list[float]) -> None:
    quota, taken = TokenQuota(), 0
    for jump in jumps:
        for _ in range(5):
            try:
                quota.take(1, per_minute, NOW + jump)
            except TooManyRequests:
                continue
            taken += 1
    # each jump back and forth fills the bucket once at most
    assert taken <= per_minute * (1 + len(jumps))


@_law
@given(st.integers(1, 10))
def test_quotas_are_each_applications_own(per_minute: int) -> None:
    quota = TokenQuota()
    for _ in range(per_minute):
        quota.take(1, per_minute, NOW)
    with pytest.raises(TooManyRequests) as refused:
        quota.take(1, per_minute, NOW)
    assert (refused.value.reason, refused.value.status) == ("quota_used_up", 429)
    quota.take(2, per_minute, NOW)


def test_no_quota_counts_nothing() -> None:
    buckets = OwnBuckets()
    quota = TokenQuota(buckets)
    for _ in range(1000):
        quota.take(1, 0, NOW)
    assert len(buckets) == 0


def test_who_revokes_all_the_time_must_wait() -> None:
    """A burst passes; then only so many a minute, of each application for itself."""
    quota = RevocationQuota(at_once=3)
    for _ in range(3):
        quota.take(1, NOW)
    with pytest.raises(TooManyRequests) as refused:
        quota.take(1, NOW)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("revokes_too_often", 3)
    quota.take(2, NOW)
    passed = 0
    for second in range(3600):
        try:
            quota.take(1, NOW + second)
        except TooManyRequests:
            continue
        passed += 1
    assert passed == pytest.approx(REVOCATIONS_PER_MINUTE * 60, abs=5)


def test_reuse_is_counted_and_then_every_rotation_is() -> None:
    """What ends a family always passes; who does that too often has as many rotations as revocations."""
    quota = RevocationQuota(at_once=3)
    for _ in range(3):
        quota.check_rotation(1, NOW)
        quota.note_reuse(1, NOW)
    for _ in range(100):
        quota.check_rotation(1, NOW)  # none of them ended anything
    quota.note_reuse(1, NOW)
    with pytest.raises(TooManyRequests) as refused:
        quota.check_rotation(1, NOW)
    assert refused.value.reason == "revokes_too_often"
    quota.check_rotation(2, NOW)
    with pytest.raises(TooManyRequests):
        quota.take(1, NOW)
    later = NOW + refused.value.retry_after_seconds
    quota.check_rotation(1, later)
    with pytest.raises(TooManyRequests):
        quota.check_rotation(1, later)
    much_later = NOW + 3600
    for _ in range(100):
        quota.check_rotation(1, much_later)


@_law
@given(st.integers(1, 64))
def test_what_is_free_is_divided_between_workers(workers: int) -> None:
    """Whoever guesses reaches all of them: together they let little more pass than one would."""
    throttle, passed = FailureThrottle(workers=workers), 0
    while not find_wait(throttle, "app", "198.51.100.1", NOW):
        throttle.note_failure("app", "198.51.100.1", NOW)
        passed += 1
    assert passed >= 1
    assert FREE_FAILURES <= passed * workers < FREE_FAILURES + workers


def test_failures_of_nobody_do_not_keep_an_address_out_before_those_of_anybody() -> None:
    """A job's grant names no client: its failures count for the address alone."""
    throttle = FailureThrottle()
    fail(throttle, "", "198.51.100.1", NOW, times=FREE_FAILURES_OF_SOURCE - 1)
    assert not find_wait(throttle, "app", "198.51.100.1", NOW)
    fail(throttle, "", "198.51.100.1", NOW, times=1)
    assert find_wait(throttle, "app", "198.51.100.1", NOW)
