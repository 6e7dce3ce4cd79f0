"""What "ignoring case" means, once for every engine (O-30).

Each character is replaced by its simple lower-case character. Nothing grows or shrinks (ß stays ß), and no
character outside ASCII becomes one inside it (the Kelvin sign is not k), so a comparison with an ASCII value
can be left to an engine that folds ASCII only.
"""

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


def fold(text: str) -> str:
    """Give the text with its case ignored.

    >>> fold("Straße ÅKESSON")
    'straße åkesson'
    """
    return text.lower() if text.isascii() else text.translate(_folding)
