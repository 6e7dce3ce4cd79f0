import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.wiring.randomness import BulkEntropy


@given(st.lists(st.integers(min_value=0, max_value=9000), max_size=40))
def test_every_byte_is_handed_out_once_and_in_the_wanted_number(counts: list[int]) -> None:
    numbers = itertools.count()

    def source(count: int) -> bytes:
        """Numbered chunks of eight bytes: none of them is like another."""
        return b"".join(next(numbers).to_bytes(8, "big") for _ in range(-(-count // 8)))[:count]

    entropy = BulkEntropy(source).draw
    given_out = [entropy(count) for count in counts]
    assert [len(part) for part in given_out] == counts
    chunks = [part[place : place + 24] for part in given_out for place in range(0, len(part) - 23, 24)]
    assert len(set(chunks)) == len(chunks)


@pytest.mark.parametrize("count", [16, 32, 4096])
def test_bytes_come_from_the_source(count: int) -> None:
    assert BulkEntropy(bytes).draw(count) == bytes(count)
