"""Where a request came from, for the record. Data only."""

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """What is known of a request apart from what it asks."""

    request_id: str
    source: str  # the client's address
