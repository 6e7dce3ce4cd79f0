"""Connections that keep the server waiting, and a proxy that is believed."""

import socket

import pytest

from protocol.case import CC, GOOD, TOKEN, Case, numbered, raw_request
from protocol.judge import judge_error
from protocol.wire import finish_request, talk
from protocol.world import World

SETTINGS = {"request_seconds": 1, "trusted_proxies": ("127.0.0.1",)}
_WHOLE = finish_request(raw_request("grant_type=x"))


@numbered("P10", "RFC 9110 §15.5.9")
@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"", [408]),
        (b"POST " + TOKEN.encode(), [408]),
        (_WHOLE[:-3], [408]),
        (finish_request(raw_request(length="99999999999")), [408]),
        (_WHOLE + b"POST /tok", [401, 408]),
    ],
    ids=["nothing", "half-a-head", "half-a-body", "endless-body", "half-behind-a-whole"],
)
def test_half_a_request_is_ended(world: World, sent: bytes, statuses: list[int]) -> None:
    answers, is_closed = talk(world.server.port, sent, answers=len(statuses))
    assert [answer.status for answer in answers] == statuses
    assert is_closed
    judge_error(answers[-1].headers, answers[-1].body, status=408, code="invalid_request")


@numbered("P10", "RFC 9110 §15.5.9")
def test_others_are_served_meanwhile(world: World) -> None:
    held = [talk_half(world) for _ in range(20)]
    assert world.post_token(GOOD, "").status_code == 200
    for connection in held:
        connection.close()


def talk_half(world: World) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", world.server.port))
    connection.sendall(_WHOLE[:-3])
    return connection


@numbered("P8", "RFC 6749 §3.2")
def test_forwarded_address_of_a_trusted_proxy_is_believed(world: World) -> None:
    answer = world.send(Case("", "", "", 0, form=CC, headers=(("X-Forwarded-For", "203.0.113.9"),)))
    assert world.find_event(answer)["source"] == "203.0.113.9"
