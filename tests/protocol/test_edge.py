"""Connections that keep the server waiting, and a proxy that is believed."""

from concurrent.futures import ThreadPoolExecutor

from protocol.case import CC, GOOD, TOKEN, Case, numbered, raw_request
from protocol.judge import judge_error
from protocol.wire import finish_request, talk
from protocol.world import World

SETTINGS = {"request_seconds": 1, "trusted_proxies": ("127.0.0.1",)}
_WHOLE = finish_request(raw_request("grant_type=x"))
_HALVES = {
    "nothing": (b"", [408]),
    "half-a-head": (b"POST " + TOKEN.encode(), [408]),
    "half-a-body": (_WHOLE[:-3], [408]),
    "endless-body": (finish_request(raw_request(length="99999999999")), [408]),
    "half-behind-a-whole": (_WHOLE + b"POST /tok", [401, 408]),
}


@numbered("P10", "RFC 9110 §15.5.9")
def test_half_a_request_is_ended_and_others_are_served(world: World) -> None:
    """All of them wait at once: each takes the whole second."""
    port = world.server.port
    with ThreadPoolExecutor(len(_HALVES)) as threads:
        waiting = {
            name: threads.submit(talk, port, sent, answers=len(statuses)) for name, (sent, statuses) in _HALVES.items()
        }
        assert world.post_token(GOOD, "").status_code == 200
        for name, (_, statuses) in _HALVES.items():
            answers, is_closed = waiting[name].result()
            assert [answer.status for answer in answers] == statuses, name
            assert is_closed, name
            judge_error(answers[-1].headers, answers[-1].body, status=408, code="invalid_request")


@numbered("P8", "RFC 6749 §3.2")
def test_forwarded_address_of_a_trusted_proxy_is_believed(world: World) -> None:
    answer = world.send(Case("", "", "", 0, form=CC, headers=(("X-Forwarded-For", "203.0.113.9"),)))
    assert world.find_event(answer)["source"] == "203.0.113.9"
