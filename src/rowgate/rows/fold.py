"""What "ignoring case" means, once for every engine (O-30).

Each character is replaced by its simple lower-case character. Nothing grows or shrinks (ß stays ß), and no
character outside ASCII becomes one inside it (the Kelvin sign is not k), so a comparison with an ASCII value
can be left to an engine that folds ASCII only.
"""

from functools import cache

_LAST_CASED = 0x1E944  # beyond it Unicode has no upper-case letters


@cache
def _table() -> dict[int, str]:
    table = {}
    for point in range(_LAST_CASED):
        upper = chr(point)
        lower = upper.lower()
        if lower != upper and len(lower) == 1 and upper.isascii() == lower.isascii():
            table[point] = lower
    return table


def fold(text: str) -> str:
    """Give the text with its case ignored.

    >>> fold("Straße ÅKESSON")
    'straße åkesson'
    """
    return text.lower() if text.isascii() else text.translate(_table())
