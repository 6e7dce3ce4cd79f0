"""Seals what a token stands for into the token itself, and opens it again.

A token is `rgat_` or `rgrt_` and, in base64url without padding, these bytes:

    version (1) | key number (2, big-endian) | token id (16) | ciphertext | tag (16)

sealed by AES-256-GCM-SIV (RFC 8452) with the token id's first 12 bytes as nonce and the prefix, version, key
number and token id as associated data, so that one kind of token never opens as the other. The token id is
random and may be logged: it does not lead back to the token. The mode is misuse-resistant: the number of
tokens under one key needs no counting (docs/choices.md).

The record is a MessagePack array. This format is frozen: members may not be reordered or removed, because
tokens outlive a release; append members with defaults instead.
"""

import binascii
from collections.abc import Mapping
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

Kind = Literal["rgat_", "rgrt_"]
ACCESS: Kind = "rgat_"
REFRESH: Kind = "rgrt_"

TOKEN_ID_BYTES = 16
MAX_TOKEN_LENGTH = 4096  # with authorization details
_VERSION = 1
_HEADER_BYTES = 19  # version, key number, token id
_NONCE_BYTES = 12
_TAG_BYTES = 16
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")  # the plain alphabet's two signs and padding are no part of ours


class TokenRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a token stands for. Times are whole seconds since 1970."""

    application_number: int
    epoch: int
    secret_number: int
    issued_at: int
    expires_at: int
    family: bytes  # 16 bytes: the token id of the first refresh token of the family
    scope: str
    audience: tuple[str, ...] = ()  # resources it is for (RFC 8707); empty: this server's own
    key_thumbprint: str = ""  # cnf jkt: the DPoP key that must come with it (RFC 9449 §6)
    certificate_thumbprint: str = ""  # cnf x5t#S256: the certificate that must come with it (RFC 8705 §3)
    details: bytes = b""  # granted authorization details, JSON text (RFC 9396)
    actors: tuple[str, ...] = ()  # who acts for the application after token exchanges, the last first (RFC 8693)
    made_of: tuple[bytes, ...] = ()  # ids of the tokens that it was exchanged for, the last first


class UnreadableToken(ValueError):
    """The text is not a token that this server sealed."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TokenRecord).decode


class TokenSealer:
    """Seals with one key, opens with every key that is still kept."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Take the sealing keys.

        Args:
            keys: 32 bytes each, by key number (1 to 65535); the highest number seals.
        """
        self.take_keys(keys, seal_with=max(keys))

    def take_keys(self, keys: Mapping[int, bytes], *, seal_with: int) -> None:
        """Take other sealing keys; a token that is being sealed or opened sees either the old or the new ones.

        Args:
            keys: As when made. What was sealed with one that is missing opens no more.
            seal_with: The number of the one that seals from now on; every server that opens must have it already.
        """
        self._keys = {number: AESGCMSIV(key) for number, key in keys.items()}
        self._sealing = (bytes([_VERSION]) + seal_with.to_bytes(2, "big"), self._keys[seal_with])

    def seal(self, kind: Kind, token_id: bytes, record: TokenRecord) -> str:
        """Give the token for a record.

        Args:
            kind: Which sort of token.
            token_id: 16 fresh random bytes, never used before.
            record: What the token stands for.
        """
        head, key = self._sealing
        head += token_id
        sealed = key.encrypt(token_id[:_NONCE_BYTES], _encode(record), kind.encode() + head)
        text = binascii.b2a_base64(head + sealed, newline=False).translate(_TO_URL).rstrip(b"=")
        return kind + text.decode("ascii")

    def open(self, kind: Kind, unverified_token: str) -> tuple[bytes, TokenRecord]:
        """Give the token id and the record of a token that this server sealed.

        Whether it is expired or revoked is the caller's question.

        Raises:
            UnreadableToken: Not of this kind, not ours, altered, or sealed with a key that is gone.
        """
        if len(unverified_token) > MAX_TOKEN_LENGTH or not unverified_token.startswith(kind):
            raise UnreadableToken
        try:
            text = unverified_token[len(kind) :].encode("ascii").translate(_FROM_URL)
            raw = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
        except ValueError:  # UnicodeEncodeError is one
            raise UnreadableToken from None
        if len(raw) <= _HEADER_BYTES + _TAG_BYTES or raw[0] != _VERSION:
            raise UnreadableToken
        odd = len(raw) % 3
        if odd and binascii.b2a_base64(raw[-odd:], newline=False).rstrip(b"=") != text[-odd - 1 :]:
            raise UnreadableToken  # the last sign has spare bits: of its spellings only one is ours
        key = self._keys.get(int.from_bytes(raw[1:3], "big"))
        if key is None:
            raise UnreadableToken
        head = raw[:_HEADER_BYTES]
        token_id = head[3:]
        try:
            opened = key.decrypt(token_id[:_NONCE_BYTES], raw[_HEADER_BYTES:], kind.encode() + head)
        except InvalidTag:
            raise UnreadableToken from None
        return token_id, _decode(opened)
