"""Long reads over HTTP: readers that leave, stall or outlast their time, and what is told of it."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from rowgate.rows.model import Format
from rows.harness import Reader, address, open_reader
from rows.streams import (
    BEGUN,
    CREATE_VIEWS,
    ENDLESS,
    STUCK,
    events,
    is_reading,
    looks_whole,
    receive_answer,
    receive_rest,
    slow_reader,
    wait_for_event,
)
from support.servers import wait_until
from support.stopwatch import Stopwatch

TABLE_ROWS = 150_000


def _make_database(path: Path) -> Path:
    with closing(apsw.Connection(str(path))) as owner:
        owner.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        for statement in CREATE_VIEWS:
            owner.execute(statement)
        owner.execute("CREATE TABLE small (n INTEGER); INSERT INTO small VALUES (1)")
        owner.execute(
            "CREATE TABLE long AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
            "SELECT n, printf('%.100c', 'x') AS filler FROM c",
            (TABLE_ROWS,),
        )
    return path


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Two reads at once; the time of the tests is not the server's."""
    folder = tmp_path_factory.mktemp("patient")
    limits: dict[str, Any] = {"max_reads": 2, "read_queue_seconds": 1}
    with open_reader(_make_database(folder / "long.sqlite"), folder / "home", **limits) as reader:
        yield reader


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One second for a statement, one for a reader that takes nothing."""
    folder = tmp_path_factory.mktemp("strict")
    limits: dict[str, Any] = {"statement_seconds": 1, "send_stall_seconds": 1}
    with open_reader(_make_database(folder / "long.sqlite"), folder / "home", **limits) as reader:
        yield reader


def test_client_that_goes_away_stops_the_query_within_a_second(patient: Reader) -> None:
    before = len(events(patient, "rows_ended", ENDLESS))
    with slow_reader(patient, ENDLESS) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        wait_for_event(patient, "rows_opened", ENDLESS)
    with Stopwatch() as watch:
        ended = wait_for_event(patient, "rows_ended", ENDLESS, after=before)
        wait_until(lambda: not is_reading())
    assert watch.seconds < 1
    assert (ended["outcome"], ended["reason"]) == ("cut", "client_went_away")
    assert ended["rows"] > 0


def test_client_that_goes_away_before_the_first_row_stops_the_query_within_a_second(patient: Reader) -> None:
    with slow_reader(patient, STUCK):
        wait_until(is_reading)
    wait_until(lambda: not is_reading(), seconds=1)
    refused = wait_for_event(patient, "rows_refused", STUCK)
    assert refused["error"] == "cancelled"
    assert not events(patient, "rows_opened", STUCK)


def test_reads_beyond_the_limit_wait_and_then_get_503_and_turns_are_given_back(patient: Reader) -> None:
    before = len(events(patient, "rows_ended", ENDLESS))
    with slow_reader(patient, ENDLESS) as first, slow_reader(patient, ENDLESS) as second:
        assert first.recv(100)
        assert second.recv(100)
        answer = patient.get("small")
        assert answer.status_code == 503
        assert answer.json()["error"] == "temporarily_unavailable"
        assert "retry-after" in answer.headers
    wait_for_event(patient, "rows_ended", ENDLESS, after=before + 1)
    assert patient.rows("small") == [{"n": 1}]


def test_every_way_to_end_gives_the_turn_back(patient: Reader) -> None:
    """More reads than there are turns: refused, failed, head, whole."""
    for _ in range(3):
        assert patient.get("nope").status_code == 404
        assert patient.get("small", "columns=nope").status_code == 400
        assert patient.client.head(address("small")).status_code == 200
        assert patient.client.head(address(ENDLESS)).status_code == 200
        assert patient.rows("small") == [{"n": 1}]
    ended = wait_for_event(patient, "rows_ended", "small", after=5)
    assert ended["outcome"] == "complete"


def test_head_of_an_endless_read_stops_it_and_says_so(patient: Reader) -> None:
    head = patient.client.head(address(ENDLESS))
    assert head.status_code == 200
    assert "content-length" not in head.headers
    ended = [event for event in events(patient, "rows_ended", ENDLESS) if event.get("reason") == "head"]
    assert ended
    assert all(event["rows"] == event["bytes"] == 0 for event in ended)


@pytest.mark.parametrize("form", sorted(set(Format) - {Format.XLSX}))  # a sheet is full sooner
def test_deadline_in_the_middle_cuts_the_connection_and_json_does_not_look_whole(strict: Reader, form: str) -> None:
    parts: list[bytes] = []
    before = len(events(strict, "rows_ended", BEGUN))
    with strict.client.stream("GET", address(BEGUN), params={"format": form}) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            parts.extend(answer.iter_bytes())  # as they come: a chunk that is not full would be lost
    assert parts
    assert not parts[-1].endswith((b"]", b"\xff\xff\xff\xff\0\0\0\0"))
    ended = wait_for_event(strict, "rows_ended", BEGUN, after=before)
    assert (ended["outcome"], ended["reason"]) == ("failed", "statement_timeout")


def test_deadline_before_the_first_row_is_told(strict: Reader) -> None:
    answer = strict.get(STUCK)
    assert answer.status_code == 503
    assert answer.json()["error"] == "statement_timeout"


def test_reader_that_takes_little_for_long_is_cut(tmp_path: Path) -> None:
    """It never stalls: it takes something a hundred times a second. Its turn is somebody else's afterwards."""
    limits: dict[str, Any] = {"max_reader_seconds": 1, "max_reads": 1, "read_queue_seconds": 1}
    with open_reader(_make_database(tmp_path / "long.sqlite"), tmp_path / "home", **limits) as reader:
        begun = time.monotonic()
        received = b""
        with slow_reader(reader, "long") as connection, contextlib.suppress(ConnectionResetError):
            while part := connection.recv(2048):
                received += part
                assert time.monotonic() - begun < 8, "it holds its turn for ever"
                time.sleep(0.01)
        assert not looks_whole(received)
        ended = wait_for_event(reader, "rows_ended", "long")
        assert (ended["outcome"], ended["reason"]) == ("cut", "reader_too_slow")
        assert ended["rows"] < TABLE_ROWS
        assert reader.rows("small") == [{"n": 1}]


def test_reader_that_takes_little_for_longer_than_a_stall_is_not_cut(strict: Reader) -> None:
    """The system holds megabytes for it: while it takes those, nothing more leaves the server."""
    before = len(events(strict, "rows_ended", "long"))
    with slow_reader(strict, "long") as connection:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert connection.recv(8192)
            time.sleep(0.05)
        assert len(events(strict, "rows_ended", "long")) == before
        receive_answer(connection)
    ended = wait_for_event(strict, "rows_ended", "long", after=before)
    assert (ended["outcome"], ended["rows"]) == ("complete", TABLE_ROWS)


def test_reader_that_takes_nothing_is_cut(strict: Reader) -> None:
    before = len(events(strict, "rows_ended", "long"))
    begun = time.monotonic()
    with Stopwatch() as watch, slow_reader(strict, "long") as connection:
        ended = wait_for_event(strict, "rows_ended", "long", after=before)
        assert (ended["outcome"], ended["reason"]) == ("cut", "client_stalled"), "it did not go away: it was cut"
        assert time.monotonic() - begun > 0.9
        assert watch.seconds < 4
        received = receive_rest(connection)
    assert not looks_whole(received)
    assert ended["rows"] < TABLE_ROWS


def test_reader_that_pauses_within_the_limit_gets_everything(patient: Reader) -> None:
    with slow_reader(patient, "long") as connection:
        assert connection.recv(100)
        wait_until(lambda: not is_reading())
        received = receive_answer(connection)
    assert received > TABLE_ROWS * 100


@pytest.mark.number("P120", "ours")
def test_database_taken_away_in_the_middle_is_read_to_its_end_and_then_unavailable(tmp_path: Path) -> None:
    path = _make_database(tmp_path / "long.sqlite")
    with open_reader(path, tmp_path / "home") as reader:
        with reader.client.stream("GET", address("long")) as answer:
            lines = answer.iter_bytes(1 << 16)
            received = len(next(lines))
            path.unlink()
            received += sum(map(len, lines))
        ended = wait_for_event(reader, "rows_ended", "long")
        assert (ended["outcome"], ended["rows"], ended["bytes"]) == ("complete", TABLE_ROWS, received)
        answer = reader.get("long")
        assert answer.status_code == 503
        assert answer.json()["error"] == "temporarily_unavailable"
        assert str(tmp_path) not in answer.text


def test_database_damaged_in_the_middle_cuts_the_answer(tmp_path: Path) -> None:
    path = _make_database(tmp_path / "long.sqlite")
    with open_reader(path, tmp_path / "home") as reader, slow_reader(reader, "long") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        wait_until(lambda: not is_reading())
        os.truncate(path, path.stat().st_size // 2)
        received = receive_rest(connection)
        assert not looks_whole(received)
        ended = wait_for_event(reader, "rows_ended", "long")
        assert ended["outcome"] == "failed"
        assert 0 < ended["rows"] < TABLE_ROWS
        assert reader.get("long").status_code in (500, 503)
