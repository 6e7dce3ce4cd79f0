"""What proves that an answer is whole: the number of its rows and a digest, at its end and on record."""

import base64
import hashlib
import re
import socket

import pytest

from rowgate.rows.model import Format
from rows.harness import Reader, address
from rows.raw import RawAnswer, ask_raw
from rows.streams import receive_rest, wait_for_end_of

ROWS = 4000  # in the table; several blocks


def digest_of(answer: RawAnswer) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(answer.body).digest()).decode()}:"


@pytest.mark.parametrize("form", Format)
def test_streamed_answer_ends_with_the_number_of_rows_and_the_digest(odd: Reader, form: str) -> None:
    """Twice on one connection: the end is where the client takes it to be."""
    for answer in ask_raw(odd, "numbers", f"format={form}", times=2):
        assert answer.status == 200
        assert answer.headers["trailer"] == "Repr-Digest, Rowgate-Rows"
        assert answer.trailers == {"repr-digest": digest_of(answer), "rowgate-rows": str(ROWS)}
        assert not answer.trailers.keys() & answer.headers.keys()


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("query", ["limit=0", "limit=3", "cursor=&limit=2500"])
def test_answer_that_is_whole_at_once_says_so_in_its_head(odd: Reader, form: str, query: str) -> None:
    (answer,) = ask_raw(odd, "numbers", f"format={form}&{query}")
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["repr-digest"] == digest_of(answer)
    assert answer.headers["rowgate-rows"] == query.rpartition("=")[2]
    assert "trailer" not in answer.headers


@pytest.mark.parametrize("query", ["", "limit=3"], ids=["streamed", "whole"])
def test_record_has_the_same_digest_and_number(odd: Reader, query: str) -> None:
    (answer,) = ask_raw(odd, "numbers", query)
    ended = wait_for_end_of(odd, answer.headers["x-request-id"])
    assert ended["sha256"] == hashlib.sha256(answer.body).hexdigest()
    assert ended["bytes"] == len(answer.body)
    told = answer.trailers or answer.headers
    assert str(ended["rows"]) == told["rowgate-rows"]


def test_head_is_on_record_without_a_digest(odd: Reader) -> None:
    """Nothing was sent that could be proven."""
    head = odd.client.head("/api/v1/data/numbers/rows?limit=3")
    assert head.headers["rowgate-rows"] == "3"
    ended = wait_for_end_of(odd, head.headers["x-request-id"])
    assert (ended["rows"], ended["bytes"], ended.get("sha256", "")) == (0, 0, "")


def test_what_http_1_0_cannot_be_sent_is_on_record_as_failed(odd: Reader) -> None:
    """Nothing of it left, so nobody has read it."""
    token = odd.client.headers["authorization"]
    with socket.create_connection(("127.0.0.1", odd.server.port), timeout=10) as connection:
        connection.sendall(f"GET {address('numbers')} HTTP/1.0\r\nAuthorization: {token}\r\n\r\n".encode())
        head = receive_rest(connection).decode().lower()
    assert head.startswith("http/1.1 505 ")
    (request_id,) = re.findall("x-request-id: ([^\r]+)", head)
    ended = wait_for_end_of(odd, request_id)
    assert (ended["outcome"], ended["reason"], ended["rows"], ended["bytes"]) == ("failed", "http_version", 0, 0)
