"""What `rowgate doctor` has to say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One question and its answer; `advice` says what to do when it is no."""

    question: str
    good: bool
    found: str
    advice: str = ""
