"""What a sample is made of and what is told about it. No SQL and no randomness here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Row = tuple[int | float | str | None, ...]


class SampleObject(NamedTuple):
    """A table or view of the sample and the number of rows it holds."""

    name: str
    kind: Literal["table", "view"]
    rows: int


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What `build_sample` made: the file, and its objects in the order they were created."""

    path: Path
    objects: tuple[SampleObject, ...]
