"""Opens tokens of this home for its administrator, sealed and signed alike, whether or not they are still good."""

import msgspec

from rowgate.oauth.errors import InvalidToken
from rowgate.oauth.jws import UNREADABLE_JSON, UnverifiableJws, read_unverified_payload
from rowgate.oauth.jwt_access_token import MAX_JWT_LENGTH, looks_like_jwt, verify_jwt_access_token
from rowgate.oauth.signing import read_verification_keys
from rowgate.oauth.tokens import ACCESS, REFRESH, TokenRecord, TokenSealer, UnreadableToken
from rowgate.records import KeyMaterial
from rowgate.service.key_plan import read_signing_keys
from rowgate.service.mint import read_signed_record


class _UnverifiedNames(msgspec.Struct, frozen=True):
    iss: str
    aud: str | tuple[str, ...]


_decode_names = msgspec.json.Decoder(_UnverifiedNames).decode


def looks_like_token(presented: str) -> bool:
    """Tell a token from the handle of one."""
    return presented.startswith((ACCESS, REFRESH)) or looks_like_jwt(presented)


class HomeTokenOpener:
    """Has the home's keys; the address that the server goes by is not needed."""

    def __init__(self, keys: KeyMaterial) -> None:
        """Take the keys."""
        self._sealer = TokenSealer(keys.sealing)
        self._signing = read_signing_keys(keys.signing)

    def open(self, presented: str, now: float) -> tuple[str, bytes, TokenRecord]:
        """Give the prefix of the token's kind, its id and its record; an expired one opens too.

        Args:
            presented: A sealed token or a JWT.
            now: Seconds since 1970: a signing key that is forgotten by then verifies no more.

        Raises:
            UnreadableToken: This home did not make it.
        """
        if looks_like_jwt(presented):
            return ACCESS, *self._open_signed(presented, now)
        kind = ACCESS if presented.startswith(ACCESS) else REFRESH
        return kind, *self._sealer.open(kind, presented)

    def _open_signed(self, presented: str, now: float) -> tuple[bytes, TokenRecord]:
        # The signature alone says that it is ours: what a server is called may have been set otherwise for it, or
        # since. So issuer and audience are those that the token names, and its expiry is for the caller to judge.
        try:
            named = _decode_names(read_unverified_payload(presented, max_length=MAX_JWT_LENGTH))
            audience = named.aud if isinstance(named.aud, str) else "".join(named.aud[:1])
            keys = read_verification_keys(self._signing, now)
            token = verify_jwt_access_token(presented, keys, issuer=named.iss, audience=audience, now=0)
        except (UnverifiableJws, InvalidToken, *UNREADABLE_JSON):
            raise UnreadableToken from None
        return read_signed_record(token)
