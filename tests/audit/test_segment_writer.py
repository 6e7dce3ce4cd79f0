"""Segments on a disk that works and on one that does not: durable or not there at all."""

import errno
import os
from pathlib import Path

import pytest

from audit.conftest import FailingDisk, make_event
from rowgate.audit.reader import Search, find_break, find_events, list_segments
from rowgate.audit.segments import SegmentWriter


def list_ids(directory: Path) -> list[int]:
    """Give the numbers of the events that a reader finds; every segment must verify."""
    assert [find_break(path) for path in list_segments(directory)] == [None] * len(list_segments(directory))
    return [int(event["token_id"], 16) for event in find_events(directory, Search())]


def test_events_are_appended_in_order_and_durable(tmp_path: Path, disk: FailingDisk) -> None:
    writer = SegmentWriter(tmp_path / "audit")
    writer.append([make_event(0), make_event(1)])
    writer.append([make_event(2)])
    assert disk.calls == ["fsync", "write", "fdatasync", "write", "fdatasync"]  # first the segment's name
    writer.close()
    assert list_ids(tmp_path / "audit") == [0, 1, 2]


def test_segments_are_private_and_rotate_by_size(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "audit", segment_bytes=1000)
    for number in range(20):
        writer.append([make_event(number)])
    writer.close()
    segments = list_segments(tmp_path / "audit")
    assert len(segments) > 3
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in segments)
    assert all(path.stat().st_size < 1000 + 500 for path in segments)
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    assert list_ids(tmp_path / "audit") == list(range(20))


def test_writers_never_share_a_segment(tmp_path: Path) -> None:
    writers = [SegmentWriter(tmp_path) for _ in range(5)]
    for number, writer in enumerate(writers):
        writer.append([make_event(number)])
        writer.close()
    assert len(list_segments(tmp_path)) == 5
    assert sorted(list_ids(tmp_path)) == [0, 1, 2, 3, 4]


def test_a_writer_that_never_wrote_leaves_no_segment(tmp_path: Path) -> None:
    SegmentWriter(tmp_path).close()
    assert list_segments(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("is_short", [False, True], ids=["whole writes", "short writes"])
@pytest.mark.parametrize("failing", range(12))
def test_the_nth_call_fails_and_nothing_of_its_group_appears(
    tmp_path: Path, disk: FailingDisk, failing: int, code: int, *, is_short: bool
) -> None:
    """For every n: what was acknowledged is readable, what was not is not, and the next group works."""
    disk.code, disk.is_short, disk.fails_at = code, is_short, frozenset({failing})
    writer = SegmentWriter(tmp_path, segment_bytes=900)  # so that segments are opened on the way too
    acknowledged, failures = [], 0
    for number in range(0, 12, 2):
        try:
            writer.append([make_event(number), make_event(number + 1)])
        except OSError as error:
            assert error.errno == code  # noqa: PT017 - only the n-th call fails
            failures += 1
        else:
            acknowledged += [number, number + 1]
        assert sorted(list_ids(tmp_path)) == acknowledged
    writer.close()
    assert failures == 1 or len(disk.calls) <= failing
    assert len(acknowledged) == 12 - 2 * failures


@pytest.mark.parametrize("is_short", [False, True])
def test_two_calls_in_a_row_fail(tmp_path: Path, disk: FailingDisk, *, is_short: bool) -> None:
    """The write fails, and so does taking back what it left: nothing is written before that succeeds."""
    disk.is_short = is_short
    writer = SegmentWriter(tmp_path)
    writer.append([make_event(0)])
    start = len(disk.calls)
    disk.fails_at = frozenset({start + 1, start + 2, start + 3})  # fdatasync or write, and ftruncate twice
    for number in (1, 2):
        with pytest.raises(OSError, match="No space left"):
            writer.append([make_event(number)])
    writer.append([make_event(3)])
    writer.close()
    assert list_ids(tmp_path) == [0, 3]


def test_a_full_disk_is_not_filled_with_empty_segments(tmp_path: Path, disk: FailingDisk) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append([make_event(0)])
    disk.fails_at = frozenset(n for n in range(2000) if n >= len(disk.calls))

    def only_ftruncate_works(name: str) -> None:
        disk.calls.append(name)
        if name in ("write", "fdatasync"):
            raise OSError(errno.ENOSPC, "full")

    disk.check = only_ftruncate_works  # type: ignore[method-assign]
    for number in range(1, 50):
        with pytest.raises(OSError, match="full"):
            writer.append([make_event(number)])
    assert len(list_segments(tmp_path)) == 1
    disk.check = disk.calls.append  # type: ignore[method-assign, assignment]
    writer.append([make_event(99)])
    writer.close()
    assert list_ids(tmp_path) == [0, 99]
    assert [path.name[-12:-6] for path in list_segments(tmp_path)] == ["000000", "000001"]


def test_a_segment_is_not_used_again_after_a_failed_fdatasync(tmp_path: Path, disk: FailingDisk) -> None:
    """The kernel reports a lost page once; a second fdatasync would say that all is well."""
    writer = SegmentWriter(tmp_path)
    writer.append([make_event(0)])
    disk.fails_at = frozenset({len(disk.calls) + 1})
    with pytest.raises(OSError, match="No space left"):
        writer.append([make_event(1)])
    writer.append([make_event(2)])
    writer.close()
    assert len(list_segments(tmp_path)) == 2
    assert list_ids(tmp_path) == [0, 2]


def test_a_directory_that_is_gone_is_made_again(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "audit", segment_bytes=1)
    writer.append([make_event(0)])
    os.rename(tmp_path / "audit", tmp_path / "moved")  # noqa: PTH104
    writer.append([make_event(1)])
    writer.close()
    assert list_ids(tmp_path / "audit") == [1]


def test_an_event_that_is_no_unicode_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    with pytest.raises(ValueError, match="surrogates"):
        writer.append([make_event(0), make_event(1, application="\ud800")])
    assert list_segments(tmp_path) == []
    writer.append([make_event(2)])
    writer.close()
    assert list_ids(tmp_path) == [2]


@pytest.mark.parametrize("whole_folder", [False, True], ids=["the file", "the folder"])
def test_a_segment_that_was_deleted_is_written_to_no_more(tmp_path: Path, *, whole_folder: bool) -> None:
    """What is acknowledged is on record, though somebody cleared the folder."""
    directory = tmp_path / "audit"
    writer = SegmentWriter(directory)
    writer.append([make_event(0)])
    for path in list_segments(directory):
        path.unlink()
    if whole_folder:
        directory.rmdir()
    writer.append([make_event(1)])
    writer.append([make_event(2)])
    writer.close()
    assert list_ids(directory) == [1, 2]
    assert len(list_segments(directory)) == 1
