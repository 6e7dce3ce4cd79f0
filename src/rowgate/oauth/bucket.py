"""A bucket that fills evenly and out of which one is taken at a time: the arithmetic of quotas, whoever keeps them."""


def draw_one(left: float, as_of: float, *, size: int, per_minute: int, now: float) -> tuple[float, int]:
    """Give what is left after one was taken, and 0; or what is there and the seconds until there is one.

    >>> draw_one(1.0, 0.0, size=2, per_minute=60, now=0.0)
    (0.0, 0)
    >>> draw_one(0.0, 0.0, size=2, per_minute=6, now=0.0)
    (0.0, 11)

    Args:
        left: What there was.
        as_of: When, in seconds since 1970; a clock that was set back fills nothing.
        size: What the bucket holds.
        per_minute: What runs in, more than 0.
        now: Seconds since 1970.
    """
    left = min(float(size), left + max(0.0, now - as_of) * per_minute / 60)
    return (left - 1, 0) if left >= 1 else (left, int((1 - left) * 60 / per_minute) + 1)
