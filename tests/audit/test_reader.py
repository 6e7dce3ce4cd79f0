"""What is read back: torn lines, damaged lines, the chain, searches."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.conftest import make_event
from rowgate.audit.events import AdministrativeChange, Event, RowsOpened, TokenRefused
from rowgate.audit.reader import Search, find_break, find_events, list_segments
from rowgate.audit.segments import SegmentWriter


def write(directory: Path, *events: Event) -> Path:
    writer = SegmentWriter(directory)
    for event in events:
        writer.append([event])
    writer.close()
    return list_segments(directory)[-1]


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    return write(tmp_path, *(make_event(number) for number in range(5)))


def test_an_untouched_segment_holds(segment: Path) -> None:
    assert find_break(segment) is None


@pytest.mark.parametrize("cut", [1, 2, 76, 77, 78, 200])
def test_a_torn_last_line_is_left_out(segment: Path, cut: int) -> None:
    """It was never acknowledged."""
    segment.write_bytes(segment.read_bytes()[:-cut])
    assert [int(event["token_id"], 16) for event in find_events(segment.parent, Search())] == [0, 1, 2, 3]
    assert find_break(segment) is None


def edit_lines(segment: Path, edit: Callable[[list[bytes]], list[bytes]]) -> None:
    segment.write_bytes(b"".join(edit(segment.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda lines: [lines[0].replace(b'"app"', b'"apq"'), *lines[1:]], 1),
        (lambda lines: [*lines[:2], lines[2].replace(b"1002.0", b"1003.0"), *lines[3:]], 3),
        (lambda lines: [*lines[:2], lines[2].replace(b'"chain":"', b'"chain":"0'), *lines[3:]], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
        (lambda lines: [*lines[:1], b"\n", *lines[1:]], 2),
        (lambda lines: [*lines, b"{}\n"], 6),
        (lambda lines: [*lines[:4], lines[4].replace(b"\n", b" \n")], 5),
    ],
    ids=["first", "middle", "chain", "no first", "no middle", "order", "twice", "empty", "added", "space"],
)
def test_a_changed_record_is_found_by_its_line(
    segment: Path, edit: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    edit_lines(segment, edit)
    assert find_break(segment) == line


def test_a_single_changed_byte_is_found_wherever_it_is(segment: Path) -> None:
    whole = segment.read_bytes()
    for place in range(0, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[place] ^= 1
        if changed[place] == 0x0A:
            continue
        segment.write_bytes(changed)
        assert find_break(segment) is not None, place


def test_a_renamed_segment_is_found(segment: Path) -> None:
    renamed = segment.with_name("20200101T000000Z-1-00000000-000000.jsonl")
    shutil.move(segment, renamed)
    assert find_break(renamed) == 1


@pytest.mark.parametrize("damage", [b"no json\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"at":"x","kind":1}\n', b"\n"])
def test_a_damaged_line_is_told_and_the_others_are_read(segment: Path, damage: bytes) -> None:
    edit_lines(segment, lambda lines: [lines[0], damage, *lines[2:]])
    told: list[tuple[str, int]] = []
    found = find_events(segment.parent, Search(), on_damage=lambda path, line: told.append((path.name, line)))
    assert [int(event["token_id"], 16) for event in found] == [0, 2, 3, 4]
    assert told == [(segment.name, 2)]


EVENTS = (
    make_event(0, application="one", client_id="id-one", at=100.0),
    make_event(1, application='two "b" \\ é\n', client_id="id-two", at=200.0, key_id="k2"),
    TokenRefused(at=300.0, error="invalid_client", reason="wrong_secret", client_id="id-one", key_id="k1"),
    RowsOpened(
        at=400.0,
        client_id="id-one",
        application="one",
        token_id="a" * 32,
        object="T",
        columns=("token_issued",),
        actors=("id-three", "id-four"),
    ),
    AdministrativeChange(at=500.0, actor="root", action="object.block", target="T"),
    AdministrativeChange(at=600.0, actor="root", action="token.revoke", target="a" * 32),
    AdministrativeChange(at=700.0, actor="root", action="secret.revoke", target="one", details={"key_id": "k1"}),
    make_event(
        8,
        application="three",
        client_id="id-three",
        at=800.0,
        key_id="k3",
        family="e" * 32,
        subject_client_id="id-two",
        subject_token_id="a" * 32,
        actors=("id-three",),
    ),
)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), [100, 200, 300, 400, 500, 600, 700, 800]),
        (Search(kind="token_issued"), [100, 200, 800]),
        (Search(kind="token"), []),
        (Search(application="one"), [100, 400, 700]),
        (Search(application="id-one"), [100, 300, 400]),
        (Search(application='two "b" \\ é\n'), [200]),
        (Search(application="on"), []),
        (Search(object="T"), [400, 500]),
        (Search(application="id-two"), [200, 800]),
        (Search(application="id-three"), [400, 800]),
        (Search(application="id-four"), [400]),
        (Search(handle="a" * 32), [400, 600, 800]),
        (Search(handle="f" * 32), [100, 200]),
        (Search(handle="k1"), [100, 300, 700]),
        (Search(since=200), [200, 300, 400, 500, 600, 700, 800]),
        (Search(until=200), [100]),
        (Search(since=200, until=400, application="id-one"), [300]),
        (Search(kind="rows_opened", application="one", object="T", handle="a" * 32), [400]),
    ],
)
def test_a_search_finds_what_matches_in_every_respect(tmp_path: Path, search: Search, found: list[int]) -> None:
    write(tmp_path, *EVENTS)
    assert [event["at"] for event in find_events(tmp_path, search)] == found


def test_segments_are_read_oldest_first_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "20200101T000000Z-1-aaaaaaaa-000000.jsonl").write_bytes(b'{"kind":"server","at":1.0}\n')
    write(tmp_path, make_event(0))
    (tmp_path / "notes.txt").write_text("nothing")
    assert [event["kind"] for event in find_events(tmp_path, Search())] == ["server", "token_issued"]


def test_a_record_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    assert list(find_events(tmp_path / "audit", Search())) == []
