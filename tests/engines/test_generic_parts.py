"""The parts of the generic fetcher: hosts, values, the watch, and addresses without an engine."""

import threading
import time
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as time_of_day
from decimal import Decimal
from uuid import UUID

import pytest

from rowgate.engines.addresses import UnservedAddress, open_generic
from rowgate.engines.driver_values import make_plain
from rowgate.engines.hosts import Hosts, list_hosts
from rowgate.engines.watch import Watch


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("mariadb://me@a/db", ["mariadb://me@a/db"]),
        (
            "mariadb://me@a,b:3307,[::1]:1/db?x=1,2",
            [f"mariadb://me@{host}/db?x=1,2" for host in ("a", "b:3307", "[::1]:1")],
        ),
        ("mariadb://a,,b/db", ["mariadb://a/db", "mariadb://b/db"]),
        ("mariadb://me,too@a/db", ["mariadb://me,too@a/db"]),
    ],
)
def test_hosts_of_an_address(address: str, hosts: list[str]) -> None:
    assert list_hosts(address) == hosts


def test_host_that_answered_last_is_asked_first() -> None:
    alive = {"a", "b", "c"}
    asked: list[str] = []

    def connect(host: str) -> str:
        asked.append(host)
        if host not in alive:
            raise OSError(host)
        return host

    hosts = Hosts([lambda: connect("a"), lambda: connect("b"), lambda: connect("c")], (OSError,))
    assert hosts.open_connection() == "a"
    alive -= {"a", "b"}
    assert [hosts.open_connection(), hosts.open_connection()] == ["c", "c"]
    assert asked == ["a", "a", "b", "c", "c"]
    alive.clear()
    with pytest.raises(OSError, match="b"):
        hosts.open_connection()


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime(2020, 1, 2, 3, 4, 5), "2020-01-02T03:04:05"),  # noqa: DTZ001 - what drivers give
        (datetime(2020, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC), "2020-01-02T03:04:05.12+00:00"),
        (datetime(2020, 1, 2, 3, 4, 50, tzinfo=timezone(timedelta(hours=1))), "2020-01-02T02:04:50+00:00"),
        (date(2020, 1, 20), "2020-01-20"),
        (time_of_day(10, 20, 30), "10:20:30"),
        (timedelta(hours=-1, microseconds=-500_000), "-01:00:00.5"),
        (timedelta(hours=100), "100:00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (bytearray(b"\x00"), b"\x00"),
        ([1, {"a": date(2020, 1, 1)}], '[1, {"a": "2020-01-01"}]'),
        (Decimal("1.10"), Decimal("1.10")),
        (None, None),
        (True, True),
    ],
)
def test_values_of_drivers_become_plain(value: object, plain: object) -> None:
    assert make_plain([(1, value), (2, None)]) == [(1, plain), (2, None)]
    assert make_plain([]) == []


def test_watch_wakes_at_the_deadline_or_when_hurried_and_never_after() -> None:
    watch = Watch("test")
    woken = threading.Event()
    with watch.until(time.monotonic() + 0.05, woken.set):
        assert woken.wait(5)
    woken.clear()
    with watch.until(time.monotonic() + 600, woken.set) as hurry:
        hurry()
        assert woken.wait(5)
    calls: list[int] = []
    with watch.until(time.monotonic() + 600, lambda: calls.append(1)) as hurry:
        pass
    hurry()
    with watch.until(time.monotonic() + 0.05, woken.set):
        woken.clear()
        assert woken.wait(5)
    assert not calls
    watch.close()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("db2://u@h/db", "for db2://"),
        ("mariadb://u@h", "name the database"),
        ("mariadb://u:geheim@h/db", "a password stands in the address"),
        ("duckdb://relative", "a file or a folder"),
    ],
)
def test_address_that_cannot_be_served_is_told_without_its_secrets(address: str, told: str) -> None:
    with pytest.raises(UnservedAddress, match=told) as refused:
        open_generic(address, password=None, max_connections=1)
    assert "geheim" not in str(refused.value)


def test_missing_driver_is_one_line_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rowgate.engines.mariadb", None)
    with pytest.raises(UnservedAddress, match=r"rowgate\[mysql\]"):
        open_generic("mariadb://u@h/db", password=None, max_connections=1)
