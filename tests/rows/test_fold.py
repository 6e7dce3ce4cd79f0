"""Folding means what rows/fold.py says, for every character there is."""

# ruff: noqa: RUF001 - letters that look alike are what is tested

import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rowgate.rows.fold import fold, list_foldings
from support.laws import choose_examples


def test_every_character_becomes_its_simple_lower_case_or_stays() -> None:
    """ASCII and the rest do not mix: O-30 lets engines fold ASCII by themselves."""
    for point in range(sys.maxunicode + 1):
        letter = chr(point)
        lower = letter.lower()
        expected = lower if len(lower) == 1 and lower.isascii() == letter.isascii() else letter
        assert fold(letter) == expected, hex(point)


cased = st.text(st.sampled_from("aAzZéÉßẞſΣσςǅΩ\u2126ıİµ山花😀\u212aᏀꭰⴀႠԱա") | st.characters(codec="utf-8"), max_size=4)


@settings(max_examples=choose_examples(300))
@given(cased, st.lists(cased, min_size=1, max_size=3))
@example("Ꮏ", ["山"])
def test_few_foldings_are_enough_to_compare_with_a_text(stored: str, values: list[str]) -> None:
    """Engines fold by replacing characters; a table of all of them would be slow."""
    folded = [fold(text) for text in values]
    lowered = "".join(sign.lower() if sign.isascii() else sign for sign in stored)
    for ordered in (False, True):
        upper, lower = list_foldings(folded, ordered=ordered)
        replaced = lowered.translate(str.maketrans(upper, lower))
        for text in folded:
            assert (replaced == text) is (fold(stored) == text)
            assert (text in replaced) is (text in fold(stored))
            if ordered:
                assert (replaced < text) is (fold(stored) < text)
