"""The memory of a server that streams to a slow reader stays as it was."""

import socket
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from rowgate.config import CONFIG_NAME, dump
from rows.streams import receive_answer
from support.homes import add_application, make_home
from support.servers import fetch_token, serve_process, wait_until

MOST_GROWTH_BYTES = 32 * 1_048_576  # 32 MiB: what a few blocks and the threads take
LOOKS = 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "coding", "fewest_bytes"),
    [("", "identity", 90_000_000), ("", "zstd", 10_000_000)],
    ids=["json", "json-zstd"],
)
def test_336776_rows_to_a_slow_reader_cost_no_memory(
    flights_path: Path, tmp_path: Path, query: str, coding: str, fewest_bytes: int
) -> None:
    settings = make_home(tmp_path / "home", flights_path)
    made = add_application(settings, "slow", ("flights",))
    (settings.home / CONFIG_NAME).write_text(dump(settings))
    with serve_process(settings.home) as server:
        token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
        process = psutil.Process(server.process.pid)
        head = f"Host: x\r\nAuthorization: Bearer {token}\r\nAccept-Encoding: {coding}\r\n\r\n"
        with closing(socket.socket()) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            before = _resident(process)
            connection.sendall(f"GET /api/v1/data/flights/rows{query} HTTP/1.1\r\n{head}".encode())
            looks = {0: before}

            def look(received: int) -> None:
                place = received * LOOKS // fewest_bytes
                if place not in looks:
                    _wait_until_idle(process)  # the server has read ahead as far as it will
                    looks[place] = _resident(process)

            received = receive_answer(connection, on_part=look)
        most = max(looks.values())
        assert received > fewest_bytes
        assert most - before < MOST_GROWTH_BYTES, f"{(most - before) / 1_048_576:.1f} MiB"
        assert server.stop() == 0


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _wait_until_idle(process: psutil.Process) -> None:
    """Wait until three looks in a row find that it used no time."""
    used = [0.0] * 3

    def is_idle() -> bool:
        times = process.cpu_times()
        used.append(times.user + times.system)
        return used[-1] == used[-4]

    wait_until(is_idle)
