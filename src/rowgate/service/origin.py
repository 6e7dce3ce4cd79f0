"""Where a request came from, for the record. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a request apart from what it asks."""

    request_id: str
    source: str  # the client's address
