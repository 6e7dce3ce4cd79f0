"""After every case has run: no secret and no token stands in the home, the log or an error."""

import base64
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from protocol.case import TOKEN, numbered
from protocol.test_cases import CASES
from protocol.transport_cases import RAW_CASES
from protocol.wire import finish_request, talk
from protocol.world import World, list_issued

_CLIENT_SIDE = ("httpx", "httpcore", "hypothesis")


class _Lines(logging.Handler):
    """Keeps every line that the server's side logs, traces included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_CLIENT_SIDE):
            self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def log() -> Iterator[_Lines]:
    handler, root = _Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@numbered("P25", "RFC 6749 §2.3.1")
def test_no_secret_and_no_token_is_left_behind(log: _Lines, world: World) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(world.send, CASES))
    wire_answers = []
    for raw in RAW_CASES:
        data = b"".join(finish_request(world.fill(request)) for request in raw.send)
        wire_answers += talk(world.server.port, data, answers=len(raw.statuses), half_close=raw.half_close)[0]
    issued = [value.encode() for value in list_issued(world)]
    assert len(issued) > 100
    issued += [base64.b64encode(pair.encode())[8:-8] for pair in _list_pairs(world)]
    places = {str(path): path.read_bytes() for path in world.server.settings.home.rglob("*") if path.is_file()}
    assert len(places) >= 3
    places["log"] = "\n".join(log.lines).encode()
    refusals = [answer for answer in world.answers if answer.status_code >= 400]
    places["errors"] = b"".join(answer.content + repr(answer.headers.multi_items()).encode() for answer in refusals)
    places["errors"] += b"".join(answer.body for answer in wire_answers if answer.status >= 400)
    found = {name for name, content in places.items() if any(value in content for value in issued)}
    assert found == set()


def _list_pairs(world: World) -> list[str]:
    return [
        f"{world.values[f'{who}id']}:{world.values[f'{who}secret']}" for who in ("", "other_", "plain_", "expired_")
    ]


@numbered("P25", "RFC 6749 §2.3.1")
def test_the_search_would_find_one(log: _Lines, world: World) -> None:
    """The search above is worth something only if what it looks for is what was sent."""
    assert world.post_token(f"{TOKEN}").status_code == 400
    issued = list_issued(world)
    assert {world.values["secret"], world.values["access"]} <= issued
    assert log.lines
