"""What an application that registered itself keeps of that in its policy. Data only."""

import msgspec


class KeptRegistration(msgspec.Struct, frozen=True):
    """How the client proves that it may manage its registration, and what it called itself."""

    token_digest: str  # hexadecimal, 32 bytes: keyed SHA-256 of the registration access token and the client id
    client_name: str = ""  # for people; the application's own name is unique, this is not

    def __repr__(self) -> str:
        return "<kept registration>"
