"""A request whose head is, byte for byte, that of the request before it on the same connection.

Clients that keep a connection send the same head again and again. What the parser made of it and what the checks
said of it goes by its bytes alone, so it need not be found out again. Rule: nothing is guessed. A head is learned only
from a request that arrived in one piece and alone, and known only where the next one does.
"""

import msgspec

from rowgate.web.whole import Answer

MAX_KNOWN_BYTES = 4096  # 4 KiB: what a silent connection keeps of its last head
_END_OF_HEAD = b"\r\n\r\n"


class KnownHead(msgspec.Struct, frozen=True, eq=False):
    """A head, its last empty line included, and what answers a request that has it."""

    head: bytes
    request_bytes: int  # head and body: the length of a body stands in its head
    answer: Answer

    def begins(self, data: bytes) -> bool:
        """Tell whether the data is this head and the body that it announces, and nothing else."""
        return len(data) == self.request_bytes and data.startswith(self.head)

    def __repr__(self) -> str:
        return f"<head of {len(self.head)} bytes>"  # never credentials


def learn_head(data: bytes, body_bytes: int, answer: Answer) -> KnownHead | None:
    r"""Give the head of a request, or None when the data holds more than one head and its body, or less.

    >>> learn_head(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 2, print)
    <head of 47 bytes>
    >>> learn_head(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\n", 2, print)

    Args:
        data: What arrived, from the first byte of a request; the parser took all of it and waits for no more.
        body_bytes: Of the last request in it. In chunks it is more than that, so such a head is never learned.
        answer: What answers the request.
    """
    head_bytes = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
    if head_bytes + body_bytes != len(data) or head_bytes > MAX_KNOWN_BYTES:
        return None
    return KnownHead(data[:head_bytes], len(data), answer)
