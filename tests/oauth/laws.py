"""How laws are tried: many examples, the same ones every time."""

from hypothesis import settings

from support.laws import choose_examples

law = settings(derandomize=True, database=None, max_examples=choose_examples(200), deadline=None)
