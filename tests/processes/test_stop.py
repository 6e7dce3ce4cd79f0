"""SIGTERM: what runs ends, what runs for too long is cut loudly, and nothing is lost from the record."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psutil
import pytest

from processes.conftest import Home, put_load
from processes.test_kill import list_token_ids
from processes.test_workers import ask_workers, list_workers
from support.servers import ServerProcess, fetch_token, serve_process, wait_until


@contextmanager
def open_stream(server: ServerProcess, home: Home, name: str) -> Iterator[http.client.HTTPResponse]:
    """Begin to read rows; the first bytes are there."""
    token = fetch_token(server.url, home.made.application.client_id, home.made.client_secret)["access_token"]
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as connection:
        connection.request("GET", f"/api/v1/data/{name}/rows", headers={"Authorization": f"Bearer {token}"})
        with connection.getresponse() as answer:
            assert answer.status == 200
            assert answer.read(1000).startswith(b"[")
            yield answer


def read_on(stream: http.client.HTTPResponse) -> None:
    while stream.read(1_000_000):
        pass


def test_running_requests_end_and_the_exit_code_is_0(home: Home) -> None:
    """Under load, with a long read on its way: the read is whole, every answer is on record."""
    with (
        serve_process(home.path) as server,
        open_stream(server, home, "long") as stream,
        put_load(server.url, home.form) as load,
    ):
        wait_until(lambda: len(load.reads) > 50)
        server.process.terminate()
        rest = stream.read()
        assert rest.endswith(b"]")
        assert json.loads(rest[rest.rindex(b"{") : -1])["x"] == 300_000
        assert server.process.wait(20) == 0
        log = server.log.read_text()
    assert load.wrong == []
    assert "Traceback" not in log
    assert list_token_ids(home, load.tokens) <= {e["token_id"] for e in home.list_events(kind="token_issued")}
    ended = {event["request_id"]: event for event in home.list_events(kind="rows_ended")}
    assert set(load.reads) <= set(ended)
    assert [e["outcome"] for e in ended.values() if e["object"] == "long"] == ["complete"]
    assert [event["action"] for event in home.list_events(kind="server")] == ["started", "stopped"]


@pytest.mark.parametrize("is_reading", [True, False], ids=["the client reads", "the client is slow"])
def test_a_read_that_does_not_end_is_cut_loudly(
    home: Home, monkeypatch: pytest.MonkeyPatch, *, is_reading: bool
) -> None:
    monkeypatch.setenv("ROWGATE_SHUTDOWN_SECONDS", "1")
    with serve_process(home.path) as server, open_stream(server, home, "endless") as stream:
        begun = time.monotonic()
        server.process.terminate()
        if is_reading:
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                read_on(stream)
        assert server.process.wait(20) == 0
        assert time.monotonic() - begun < 8
        if not is_reading:
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                stream.read()
        log = server.log.read_text()
    assert "Traceback" not in log
    (ended,) = home.list_events(kind="rows_ended")
    assert (ended["outcome"], ended["reason"]) == ("cut", "server_stopped")


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_new_connection_is_refused_while_the_last_read_ends(home: Home, workers: str) -> None:
    with serve_process(home.path, "--workers", workers) as server, open_stream(server, home, "long") as stream:
        server.process.terminate()
        wait_until(lambda: _is_refused(server))
        assert stream.read().endswith(b"]")
        assert server.process.wait(20) == 0


def _is_refused(server: ServerProcess) -> bool:
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)) as connection:
        try:
            connection.connect()
        except ConnectionRefusedError:
            return True
    return False


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_second_ctrl_c_ends_at_once_and_on_record(home: Home, workers: str) -> None:
    """A terminal sends it to every process; the default is 30 s for what runs."""
    with (
        serve_process(home.path, "--workers", workers) as server,
        open_stream(server, home, "endless") as one,
        open_stream(server, home, "endless") as other,
    ):
        wait_until(lambda: len(ask_workers(server, "none")) == int(workers), seconds=20)  # to begin
        os.killpg(server.process.pid, signal.SIGINT)
        wait_until(lambda: _is_refused(server))
        os.killpg(server.process.pid, signal.SIGINT)
        for stream in (one, other):
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                read_on(stream)
        assert server.process.wait(10) == 0
        assert "Traceback" not in server.log.read_text()
    ended = home.list_events(kind="rows_ended")
    assert [(event["outcome"], event["reason"]) for event in ended] == [("cut", "server_stopped")] * 2
    actions = sorted(event["action"] for event in home.list_events(kind="server"))
    assert actions == ["started"] * int(workers) + ["stopped"] * int(workers)


@pytest.mark.slow
def test_a_second_ctrl_c_to_the_supervisor_alone_reaches_its_workers(home: Home) -> None:
    with serve_process(home.path, "--workers", "2") as server, open_stream(server, home, "endless") as stream:
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: _is_refused(server))
        server.process.send_signal(signal.SIGINT)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            read_on(stream)
        assert server.process.wait(10) == 0
    (ended,) = home.list_events(kind="rows_ended")
    assert (ended["outcome"], ended["reason"]) == ("cut", "server_stopped")


@pytest.mark.slow
def test_workers_that_somebody_has_frozen_end_in_order(home: Home) -> None:
    """A frozen process hears of no signal but a kill; its supervisor wakes it for its end, and does not wait for it."""
    with serve_process(home.path, "--workers", "2") as server:
        wait_until(lambda: len(ask_workers(server, "none")) == 2, seconds=20)  # to begin
        workers = list_workers(server)
        for worker in workers:
            worker.suspend()
        assert server.stop(10) == 0
        assert psutil.wait_procs(workers, timeout=0)[1] == []
    actions = sorted(event["action"] for event in home.list_events(kind="server"))
    assert actions == ["started", "started", "stopped", "stopped"]


def test_ctrl_c_is_a_good_end_too(home: Home) -> None:
    with serve_process(home.path) as server:
        server.process.send_signal(2)
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log.read_text()
