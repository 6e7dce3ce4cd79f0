"""Randomness for token ids, fetched from the system in bulk: a system call for each token is half a microsecond.

Rule: for ids only. Keys and secrets come from the system one by one, so that no memory holds them before they exist.
"""

from rowgate.ports import Entropy

_BULK_BYTES = 4096


class BulkEntropy:
    """Hands out what it has fetched before, each byte once. Used on the event loop only."""

    def __init__(self, source: Entropy) -> None:
        """Take where the bytes come from."""
        self._source = source
        self._bytes = b""
        self._place = 0

    def draw(self, count: int, /) -> bytes:
        """Give that many random bytes that nobody else was given."""
        begin = self._place
        end = self._place = begin + count
        if end > len(self._bytes):
            if count > _BULK_BYTES:
                self._place = begin
                return self._source(count)
            self._bytes = self._source(_BULK_BYTES)
            begin, end = 0, count
            self._place = count
        return self._bytes[begin:end]
