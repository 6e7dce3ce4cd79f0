"""What stands in for randomness when a request may be repeated: the same for the same, and for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from rowgate.oauth.errors import InvalidRequest
from rowgate.oauth.idempotency import (
    REPEAT_SECONDS,
    SKEW_SECONDS,
    derive_entropy,
    is_repeat_in_time,
    parse_idempotency_key,
)

_KEYS = st.binary(min_size=32, max_size=32)
_PARTS = st.lists(st.binary(max_size=8), min_size=1, max_size=4)
_DRAWS = st.lists(st.integers(1, 32), min_size=1, max_size=5)


@law
@given(key=_KEYS, parts=_PARTS, counts=_DRAWS)
def test_the_same_request_draws_the_same(key: bytes, parts: list[bytes], counts: list[int]) -> None:
    first, second = derive_entropy(key, *parts), derive_entropy(key, *parts)
    drawn = [first(count) for count in counts]
    assert drawn == [second(count) for count in counts]
    assert [len(one) for one in drawn] == counts


@law
@given(key=_KEYS, other_key=_KEYS, parts=_PARTS, others=_PARTS)
def test_another_request_draws_otherwise(key: bytes, other_key: bytes, parts: list[bytes], others: list[bytes]) -> None:
    """Wherever one part ends and the next begins; and no draw of one request is another draw of it."""
    draw = derive_entropy(key, *parts)
    first, second = draw(32), draw(32)
    assert first != second
    if (other_key, others) != (key, parts):
        assert derive_entropy(other_key, *others)(32) not in (first, second)


def test_parts_are_told_apart_by_their_lengths() -> None:
    key = bytes(32)
    drawn = {derive_entropy(key, *parts)(32) for parts in ((b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""))}
    assert len(drawn) == 4


@pytest.mark.parametrize("text", [b"a" * 32, b'"8e03978e-40d5-43e8-bc93-6894a57f9324"', b" " + b"A_-9" * 32 + b" "])
def test_a_key_is_read_with_its_quotes_or_without(text: bytes) -> None:
    assert parse_idempotency_key([text]) == text.strip().strip(b'"')
    assert parse_idempotency_key([]) == b""


@pytest.mark.parametrize(
    "values",
    [
        *([b""], [b"a" * 31], [b"a" * 129], [b"a" * 31 + b"\xe9"], [b"a b" * 16], [b"a" * 32, b"a" * 32], [b'""']),
        *([b'"' + b"a" * 32], [b"a" * 32 + b'"']),
    ],
)
def test_a_key_that_could_be_guessed_or_read_in_two_ways_is_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_idempotency_key(values)
    assert refused.value.reason == "idempotency_key"


def test_a_clock_that_is_set_back_gives_no_longer_time() -> None:
    assert is_repeat_in_time(1000, 1000 + REPEAT_SECONDS - 1)
    assert not is_repeat_in_time(1000, 1000 + REPEAT_SECONDS)
    assert is_repeat_in_time(1000, 1000 - SKEW_SECONDS)  # another replica's
    assert not is_repeat_in_time(1000, 1000 - SKEW_SECONDS - 1)
