"""Folding means what rows/fold.py says, for every character there is."""

import sys

from rowgate.rows.fold import fold


def test_every_character_becomes_its_simple_lower_case_or_stays() -> None:
    """ASCII and the rest do not mix: O-30 lets engines fold ASCII by themselves."""
    for point in range(sys.maxunicode + 1):
        letter = chr(point)
        lower = letter.lower()
        expected = lower if len(lower) == 1 and lower.isascii() == letter.isascii() else letter
        assert fold(letter) == expected, hex(point)
