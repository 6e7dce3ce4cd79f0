"""How laws are tried: many examples, the same ones every time."""

from hypothesis import settings

law = settings(derandomize=True, database=None, max_examples=200, deadline=None)
