"""Who asks, for what: the one type that the authorization side and the data side share."""

from collections.abc import Mapping

import msgspec


class Access(msgspec.Struct, frozen=True):
    """What a checked access token allows; made only after every check on the token has passed."""

    application_number: int
    client_id: str
    application_name: str
    scope: frozenset[str]
    token_id: str  # hex handle, safe to log: it does not lead back to the token
    expires_at: int  # seconds since 1970
    # the columns by name of object, None for every one; an object that is not in it is out of reach. None in place of
    # it all: the token is not narrowed (RFC 9396)
    allowed: Mapping[str, frozenset[str] | None] | None
    actors: tuple[str, ...]  # client ids of who acts for the application, the last first (RFC 8693)
    proof: object  # what it was decided from; only who made it looks inside, to decide again
    dpop_nonce: str = ""  # what the answer is to bring (RFC 9449 §8.2)
