"""What every keeper of counts promises, and what workers that share them promise together."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowgate.ports.buckets import Buckets
from rowgate.service.throttle import OwnBuckets
from rowgate.store.shared_buckets import SharedBuckets
from support.laws import choose_examples

NOW = 1_800_000_000.0
_law = settings(
    derandomize=True,
    database=None,
    max_examples=choose_examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=["own", "shared"])
def buckets(request: pytest.FixtureRequest, tmp_path: Path) -> Buckets:
    """Each keeper, with nothing counted yet."""
    return OwnBuckets() if request.param == "own" else SharedBuckets(tmp_path / "tokens.counts")


def take(buckets: Buckets, number: int, times: int, now: float, *, size: int = 5) -> int:
    """Take so often; give how often there was one."""
    return sum(buckets.take(number, size=size, per_minute=size, now=now) == 0 for _ in range(times))


def test_a_bucket_is_full_then_empty_then_fills_evenly(buckets: Buckets) -> None:
    assert take(buckets, 1, 9, NOW) == 5
    assert buckets.take(1, size=5, per_minute=5, now=NOW) == 13
    assert take(buckets, 1, 9, NOW + 24) == 2
    assert take(buckets, 1, 9, NOW + 3600) == 5


def test_a_look_tells_what_taking_would_and_takes_nothing(buckets: Buckets) -> None:
    for now in (NOW, NOW + 1, NOW + 30, NOW - 60, NOW + 3600):
        for _ in range(8):
            told = [buckets.look(1, size=5, per_minute=5, now=now) for _ in range(3)]
            assert told == [buckets.take(1, size=5, per_minute=5, now=now)] * 3


def test_buckets_are_each_applications_own(buckets: Buckets) -> None:
    assert [take(buckets, number, 9, NOW) for number in (1, 2, 1)] == [5, 5, 0]


def test_a_quota_that_is_changed_counts_from_the_next_token(buckets: Buckets) -> None:
    take(buckets, 1, 5, NOW)
    assert take(buckets, 1, 99, NOW + 60, size=3) == 3
    assert take(buckets, 1, 99, NOW + 120, size=50) == 50


@_law
@given(
    doings=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 3), st.integers(1, 10)), min_size=1, max_size=20),
    size=st.integers(1, 60),
)
def test_workers_together_give_no_more_than_one_would(
    tmp_path: Path, doings: list[tuple[float, int, int]], size: int
) -> None:
    """Whichever of four is asked, each answer is that of one that is asked alone."""
    (tmp_path / "tokens.counts").unlink(missing_ok=True)
    workers, alone, now = [SharedBuckets(tmp_path / "tokens.counts") for _ in range(4)], OwnBuckets(), NOW
    for step, worker, times in doings:
        now += step
        for _ in range(times):
            wait = workers[worker].take(7, size=size, per_minute=size, now=now)
            assert wait == alone.take(7, size=size, per_minute=size, now=now)


_TAKE = """
import sys
from pathlib import Path
from rowgate.store.shared_buckets import SharedBuckets
buckets = SharedBuckets(Path(sys.argv[1]))
sys.stdin.readline()
print(sum(buckets.take(7, size=120, per_minute=120, now=1.8e9) == 0 for _ in range(400)))
"""


def test_of_processes_that_take_at_once_none_takes_what_another_has(tmp_path: Path) -> None:
    """Exactly the bucket: nothing is given twice and nothing is lost between them."""
    command = [sys.executable, "-c", _TAKE, str(tmp_path / "tokens.counts")]
    children = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(3)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert sum(int(child.communicate(timeout=30)[0]) for child in children) == 120


@_law
@given(numbers=st.sets(st.integers(1, 2**31), min_size=2, max_size=6))
def test_no_two_applications_have_a_count_between_them(tmp_path: Path, numbers: set[int]) -> None:
    """By turns each gets what is its own and no more; the file is as large on disk as what is counted."""
    path = tmp_path / "tokens.counts"
    path.unlink(missing_ok=True)
    shared = SharedBuckets(path)
    given_out = [sum(take(shared, number, 1, NOW) for _ in range(9)) for number in numbers]
    by_turns = [take(shared, number, 1, NOW + 24) for _ in range(9) for number in numbers]
    assert given_out == [5] * len(numbers)
    assert sum(by_turns) == 2 * len(numbers)
    assert path.stat().st_blocks * 512 <= 65_536 * len(numbers)


@pytest.mark.parametrize("left", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_file_that_is_none_of_ours_withholds_nothing(tmp_path: Path, left: float) -> None:
    path = tmp_path / "tokens.counts"
    path.write_bytes(b"\0" * 24 + struct.pack("=qdd", 1, left, NOW))
    assert take(SharedBuckets(path), 1, 9, NOW) == 5


def test_without_the_file_a_worker_counts_for_itself(tmp_path: Path) -> None:
    assert take(SharedBuckets(tmp_path / "nowhere" / "tokens.counts"), 1, 9, NOW) == 5


def test_every_fault_of_the_file_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And what a worker counted by itself meanwhile is forgotten when the file can be used."""
    shared = SharedBuckets(tmp_path / "home" / "tokens.counts")
    assert take(shared, 1, 9, NOW) == 5
    assert len(caplog.records) == 1
    (tmp_path / "home").mkdir()
    assert take(shared, 1, 9, NOW) == 5
    shared = SharedBuckets(tmp_path / "home" / "tokens.counts")
    assert take(shared, 1, 9, NOW) == 0
    assert len(caplog.records) == 1


def test_a_fault_that_comes_back_is_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedBuckets(tmp_path / "tokens.counts")

    def fail(*_arguments: object) -> bytes:
        raise OSError(5, "Input/output error")

    for told in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr("rowgate.store.shared_buckets.os.pread", fail)
            take(shared, 1, 3, NOW)
        assert len(caplog.records) == told
        take(shared, 1, 1, NOW)


def test_counts_are_their_owners_alone(tmp_path: Path) -> None:
    take(SharedBuckets(tmp_path / "tokens.counts"), 1, 1, NOW)
    assert (tmp_path / "tokens.counts").stat().st_mode & 0o777 == 0o600
