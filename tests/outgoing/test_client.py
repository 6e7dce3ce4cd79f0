"""Calls to a real host: what comes back, and every bound."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rowgate.outgoing.client import MAX_CALLS, OutgoingClient, OutgoingLimits, Resolve
from rowgate.outgoing.destinations import Destinations, parse_hosts
from rowgate.ports import CallError, CallFailed, CallForbidden, OutgoingAnswer
from support.other_host import OtherHost, Said, run_other_host
from support.stopwatch import Stopwatch


@pytest.fixture
def other(tmp_path: Path) -> Iterator[OtherHost]:
    with run_other_host(tmp_path) as running:
        yield running


def _make(other: OtherHost, *, seconds: float = 10.0, ca_file: str | None = None, **more: Any) -> OutgoingClient:
    limits = OutgoingLimits(seconds, other.ca_file if ca_file is None else ca_file)
    return OutgoingClient(Destinations(frozenset(), parse_hosts([other.host])), limits, **more)


def _get(client: OutgoingClient, url: str, *, max_bytes: int = 1000) -> OutgoingAnswer:
    return asyncio.run(client.get(url, max_bytes=max_bytes))


def _refusal(client: OutgoingClient, url: str, *, max_bytes: int = 1000) -> str:
    with pytest.raises(CallError) as caught:
        _get(client, url, max_bytes=max_bytes)
    return caught.value.reason


def test_answer_comes_whole(other: OtherHost) -> None:
    other.say = lambda _asked: Said(404, b"no", {"Cache-Control": "max-age=5"})
    answer = _get(_make(other), f"{other.url}/keys?a=b")
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (404, b"no", "max-age=5")
    (asked,) = other.asked
    assert (asked.method, asked.path, asked.headers["host"]) == ("GET", "/keys?a=b", other.host)
    assert not {"authorization", "cookie", "referer"} & set(asked.headers)


def test_document_is_sent(other: OtherHost) -> None:
    post = _make(other).post(f"{other.url}/in", headers={"webhook-id": "m"}, body=b"{}", max_bytes=1000)
    assert asyncio.run(post).status == 200
    assert (other.asked[0].method, other.asked[0].body, other.asked[0].headers["webhook-id"]) == ("POST", b"{}", "m")


def test_redirect_is_not_followed(other: OtherHost) -> None:
    other.say = lambda _asked: Said(302, b"", {"Location": f"{other.url}/elsewhere"})
    assert _get(_make(other), other.url).status == 302
    assert [asked.path for asked in other.asked] == ["/"]


def test_proxies_of_the_environment_play_no_part(other: OtherHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert _get(_make(other), other.url).status == 200


def test_unknown_authority_is_not_believed(other: OtherHost) -> None:
    assert _refusal(_make(other, ca_file=""), other.url) == "untrusted_certificate"
    assert other.asked == []


def test_certificate_must_be_the_hosts(other: OtherHost) -> None:
    port = other.host.split(":")[1]

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    client = OutgoingClient(
        Destinations(frozenset(), parse_hosts([f"keys.example.com:{port}"])),
        OutgoingLimits(10, other.ca_file),
        resolve=resolve,
    )
    assert _refusal(client, f"https://keys.example.com:{port}/") == "untrusted_certificate"


def _resolving(other: OtherHost, resolve: Resolve) -> tuple[OutgoingClient, str]:
    port = other.host.split(":")[1]
    hosts = parse_hosts([f"keys.example.com:{port}"])
    client = OutgoingClient(Destinations(hosts, frozenset()), OutgoingLimits(10, other.ca_file), resolve=resolve)
    return client, f"https://keys.example.com:{port}/"


def test_name_that_leads_into_the_house_is_refused(other: OtherHost) -> None:
    asked = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14", "127.0.0.1"]

    client, url = _resolving(other, resolve)
    with pytest.raises(CallForbidden) as caught:
        _get(client, url)
    assert caught.value.reason == "private_address"
    assert asked == ["keys.example.com"]  # once: nothing is looked up again to connect
    assert other.asked == []


def test_name_that_nobody_knows(other: OtherHost) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise OSError

    client, url = _resolving(other, resolve)
    assert _refusal(client, url) == "unknown_host"


def test_answer_that_is_too_long(other: OtherHost) -> None:
    other.say = lambda _asked: Said(body=b"x" * 1001)
    assert _refusal(_make(other), other.url) == "answer_too_long"
    other.say = lambda _asked: Said(body=b"x" * 1000)
    assert len(_get(_make(other), other.url).body) == 1000


def test_encoded_answer_is_not_unpacked(other: OtherHost) -> None:
    other.say = lambda _asked: Said(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert _refusal(_make(other), other.url) == "encoded_answer"


def test_drops_do_not_keep_a_call_alive(other: OtherHost) -> None:
    """Each part comes in time; the call as a whole does not."""
    other.say = lambda _asked: Said(body=b"x" * 100, parts=100, seconds=0.05)
    with Stopwatch() as watch:
        assert _refusal(_make(other, seconds=0.5), other.url) == "too_slow"
    assert watch.seconds < 4


def test_host_that_says_nothing(other: OtherHost) -> None:
    other.hold.clear()
    assert _refusal(_make(other, seconds=0.3), other.url) == "too_slow"


def test_nobody_listens(other: OtherHost) -> None:
    hosts = parse_hosts(["127.0.0.1:1"])
    client = OutgoingClient(Destinations(frozenset(), hosts), OutgoingLimits(5, other.ca_file))
    with pytest.raises(CallFailed) as caught:
        _get(client, "https://127.0.0.1:1/")
    assert caught.value.reason == "no_connection"


def test_calls_at_once_are_bounded(other: OtherHost) -> None:
    other.hold.clear()

    async def call_many() -> int:
        client = _make(other)
        calls = [asyncio.create_task(client.get(other.url, max_bytes=100)) for _ in range(MAX_CALLS + 3)]
        while len(other.asked) < MAX_CALLS:  # noqa: ASYNC110 - the host is another thread
            await asyncio.sleep(0.01)
        at_once = len(other.asked)
        other.hold.set()
        answers = await asyncio.gather(*calls)
        assert {answer.status for answer in answers} == {200}
        return at_once

    assert asyncio.run(call_many()) == MAX_CALLS
    assert len(other.asked) == MAX_CALLS + 3


def test_plain_http_on_this_machine(tmp_path: Path) -> None:
    with run_other_host(tmp_path, tls=False) as other:
        hosts = parse_hosts([other.host])
        assert _refusal(OutgoingClient(Destinations(frozenset(), hosts), OutgoingLimits()), other.url) == "not_https"
        client = OutgoingClient(Destinations(frozenset(), hosts, http_on_loopback=True), OutgoingLimits())
        assert _get(client, other.url).status == 200
