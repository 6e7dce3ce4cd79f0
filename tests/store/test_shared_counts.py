"""What the workers of a server show each other: sums never fall, whoever is killed, and nothing is left behind."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from rowgate.ports.counts import Counts
from rowgate.store import shared_counts
from rowgate.store.shared_counts import SharedCounts, shared_folder

TOKENS, READS = ("tokens", "client_credentials"), ("reads_in_progress",)


def take(folder: Path, expected: Counts | None = None) -> SharedCounts:
    shared = SharedCounts(folder)
    assert shared.take_place() == (expected or {})
    return shared


def sum_of(found: Sequence[tuple[Counts, Counts]]) -> tuple[float, float]:
    return sum(lasting.get(TOKENS, 0) for lasting, _ in found), sum(now.get(READS, 0) for _, now in found)


def test_a_worker_hears_what_the_others_have_shown(tmp_path: Path) -> None:
    one, two, three = (take(tmp_path) for _ in range(3))
    assert sum_of(one.gather_others()) == (0, 0)
    two.publish({TOKENS: 5}, {READS: 1})
    two.publish({TOKENS: 6}, {})
    three.publish({TOKENS: 10}, {READS: 2})
    assert sum_of(one.gather_others()) == (16, 2)
    assert sum_of(two.gather_others()) == (10, 2)


def test_the_counts_of_a_worker_that_is_gone_stay_and_what_it_was_at_does_not(tmp_path: Path) -> None:
    one, two = take(tmp_path), take(tmp_path)
    two.publish({TOKENS: 6}, {READS: 2})
    two.close()
    assert sum_of(one.gather_others()) == (6, 0)
    successor = take(tmp_path, {TOKENS: 6})
    successor.publish({TOKENS: 7}, {})
    assert sum_of(one.gather_others()) == (7, 0)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_being_written_does_not_make_the_sum_fall(tmp_path: Path) -> None:
    one, two = take(tmp_path), take(tmp_path)
    two.publish({TOKENS: 6}, {})
    assert sum_of(one.gather_others()) == (6, 0)
    os.truncate(tmp_path / "1.counts", 12)
    assert sum_of(one.gather_others()) == (6, 0)


def test_a_folder_that_cannot_be_used_keeps_nobody_from_counting(tmp_path: Path) -> None:
    shared = take(tmp_path / "no" / "such" / "folder")
    shared.publish({TOKENS: 6}, {})
    assert shared.gather_others() == []
    with shared_folder(tmp_path / "no" / "such") as folder:
        assert folder is None


def test_a_servers_folder_ends_with_it_and_those_of_the_killed_with_the_next(tmp_path: Path) -> None:
    killed = tmp_path / "counts-killed"
    take(killed).close()
    with shared_folder(tmp_path) as folder:
        assert folder is not None
        assert not killed.exists()
        other = take(folder)
        with shared_folder(tmp_path) as second:
            assert second is not None
            assert folder.is_dir(), "another server of the home is at work in it"
        other.close()
    assert list(tmp_path.iterdir()) == []


def test_who_looks_at_a_place_does_not_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To find out whether somebody has a place its lock is tried; whoever comes then has the next."""
    one = take(tmp_path)
    gone = take(tmp_path)
    gone.publish({TOKENS: 3}, {})
    gone.close()
    met: list[SharedCounts] = []
    really_locks = shared_counts._lock

    def lock(descriptor: int) -> bool:
        is_locked = really_locks(descriptor)
        if not met:
            met.append(SharedCounts(tmp_path))
            met[0].take_place()
        return is_locked

    monkeypatch.setattr(shared_counts, "_lock", lock)
    assert sum_of(one.gather_others()) == (3, 0)
    assert len(list(tmp_path.iterdir())) == 3
    take(tmp_path, {TOKENS: 3})
