"""Which statements have given light rows, so that many of them may be gathered at a time.

Rule: what is not known is taken for heavy.
"""

from rowgate.engines.block_weight import BLOCK_BYTES

MANY_ROWS, FEW_ROWS = 100, 10  # many cost less for each
_LIGHT_BYTES = BLOCK_BYTES // MANY_ROWS  # of a row
_MOST_KNOWN = 10_000  # as many different texts are not asked for again


class LightStatements:
    """Remembers statements by their text, which may be long: by its hash, then. Safe for use from several threads."""

    def __init__(self) -> None:
        """Know none."""
        self._known: set[int] = set()

    def choose_rows(self, text: str) -> int:
        """Give how many rows to gather at a time."""
        return MANY_ROWS if hash(text) in self._known else FEW_ROWS

    def note(self, text: str, heaviest: int) -> None:
        """Note what the heaviest row weighed (bytes) of those that were looked at."""
        if heaviest > _LIGHT_BYTES:
            self._known.discard(hash(text))
        elif hash(text) not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known.add(hash(text))
