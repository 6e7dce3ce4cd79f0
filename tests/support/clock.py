"""A clock that tests move."""

import time


class MovableClock:
    """Real time and an offset. Call it for seconds since 1970."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0
        self.frozen_at: float | None = None

    def __call__(self) -> float:
        return (time.time() if self.frozen_at is None else self.frozen_at) + self.offset_seconds

    def freeze(self, at: float | None = None) -> float:
        """Stand still, at a moment or now; give that moment."""
        self.frozen_at = time.time() if at is None else at
        self.offset_seconds = 0.0
        return self.frozen_at

    def advance(self, seconds: float) -> None:
        """Go on (or back)."""
        self.offset_seconds += seconds

    def reset(self) -> None:
        """Be real time again."""
        self.frozen_at = None
        self.offset_seconds = 0.0
