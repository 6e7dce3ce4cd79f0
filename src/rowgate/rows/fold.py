"""What "ignoring case" means, once for every engine (O-30).

Each character is replaced by its simple lower-case character. Nothing grows or shrinks (ß stays ß), and no
character outside ASCII becomes one inside it (the Kelvin sign is not k), so a comparison with an ASCII value
can be left to an engine that folds ASCII only.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache

_LAST_CASED = 0x1E944  # beyond it Unicode has no upper-case letters


class _Folding(dict[int, int]):
    """What each character becomes, found when it is first met: the whole table takes 20 ms, a text has few of them."""

    def __missing__(self, point: int) -> int:
        if point >= _LAST_CASED:
            raise LookupError  # it stays, and takes no memory
        upper = chr(point)
        lower = upper.lower()
        is_simple = len(lower) == 1 and upper.isascii() == lower.isascii()
        found = self[point] = ord(lower) if is_simple else point
        return found


_folding = _Folding()


@cache
def _list_cased() -> Sequence[tuple[int, int]]:
    """Give the characters outside ASCII that change, with what they become; finding them takes 20 ms, once."""
    changed = ((point, _folding[point]) for point in range(0x80, _LAST_CASED))
    return [(point, lower) for point, lower in changed if lower != point]


def list_foldings(folded: Iterable[str], *, ordered: bool) -> tuple[str, str]:
    """Give the characters outside ASCII that must be folded in a text so that it compares with folded texts.

    To replace the first text's characters by those of the second is all the folding that such a comparison needs, so
    an engine that knows no folding of ours does it by itself.

    Args:
        folded: What is compared with.
        ordered: Whether the texts must sort alike too, not only be equal or contain each other.

    >>> list_foldings(["é"], ordered=False)
    ('É', 'é')
    """
    wanted = sorted({ord(sign) for text in folded for sign in text if not sign.isascii()})
    if not wanted:
        return "", ""
    if ordered:
        # a character stands on the same side of another as its lower case does, unless the other is between the two
        pairs = [pair for pair in _list_cased() if bisect_left(wanted, min(pair)) < bisect_right(wanted, max(pair))]
    else:
        pairs = [pair for pair in _list_cased() if pair[1] in wanted]
    return "".join(chr(upper) for upper, _ in pairs), "".join(chr(lower) for _, lower in pairs)


def fold(text: str) -> str:
    """Give the text with its case ignored.

    >>> fold("Straße ÅKESSON")
    'straße åkesson'
    """
    return text.lower() if text.isascii() else text.translate(_folding)
