"""Who asks, for what: the one type that the authorization side and the data side share."""

import msgspec


class Access(msgspec.Struct, frozen=True):
    """What a checked access token allows; made only after every check on the token has passed."""

    application_number: int
    client_id: str
    application_name: str
    scope: frozenset[str]
    token_id: str  # hex handle, safe to log: it does not lead back to the token
    expires_at: int  # seconds since 1970
    proof: object  # what it was decided from; only who made it looks inside, to decide again
