"""Public keys that belong to nobody: what an assertion is verified against when there is no key to do that with.

Otherwise the time of a refusal would tell which client ids exist and have a key. The private keys were never kept.
"""

from collections.abc import Collection, Iterable
from functools import cache

import msgspec

from rowgate.oauth.jwk_set import parse_jwk_set
from rowgate.oauth.jws import JwsHeader, UnverifiableJws, VerificationKey, VerificationKeys, verify_jws

_JWKS = [
    {
        "crv": "Ed25519",
        "x": "yiZghq0-cQgq8OW8NkVZip2CT_Fi_BM30XLAoJcaAfA",
        "use": "sig",
        "kty": "OKP",
    },
    {
        "crv": "P-256",
        "x": "1jcBN4TNq8Btm25qR64mnqu9kc43ByOA75tSOvhOD94",
        "y": "Y5n1UaNM-ac4dapSSgjB3uJPYUojououbhKVfFDrmrk",
        "use": "sig",
        "kty": "EC",
    },
    {
        "n": (
            "2z5tgPiMJud_YoFSI9qbJ-"
            "LnJ47XmjwAZ5Uy0iA9u1R_mig2LkUfIQe3HR9X-MsleEzdwP0OgZMEDw8MeT87BPOrolpM8cbOsm-"
            "pb46J-oFVYZmZNYUHb062heFfL_ISBPD8dqKE5weTxqEtt5_fiCb0xNKIjPKD3mtxv38IfeeGkObpIXzYGx-nMy8D4"
            "de1TXP_TgBZKe5tOopWmOtLrJAur-J2JsYYSBOsvNqJI_DZOhOnf5icp9ELwnYBn-"
            "70WC0G_aAMGJgnE8SrU2o59EW0LCpZ0T2mEjM0WGDHhcQ7rXPKCyuI5bqYAKNflnm3Ra7tAAo19lji-YkbEAxb8Q"
        ),
        "e": "AQAB",
        "use": "sig",
        "kty": "RSA",
    },
    {
        "crv": "P-384",
        "x": "IBWSb5-R0ZlFHdsKfolauWLtzWe4IHDMuCexn95g39MfTPIrJtlmxgKKtFAlWJ-u",
        "y": "5N6SYvWDw_mrDxvD0Ph39Q1_s82hXHWDytBtN63canLyB2C3KtQZpnYjFgmIscL4",
        "use": "sig",
        "kty": "EC",
    },
]


def work_alike(unverified_text: str, *, types: Collection[str | None], max_length: int) -> None:
    """Do the work of a verification whose outcome does not matter.

    Args:
        unverified_text: What came, and could not be verified for want of a key.
        types: As for `verify_jws`.
        max_length: As for `verify_jws`.
    """
    try:
        verify_jws(unverified_text, _find, types=types, max_length=max_length)
    except UnverifiableJws:
        return


def _find(header: JwsHeader) -> Iterable[VerificationKey]:
    return [key for key in _read().keys if header.alg in key.algorithms][:1]


@cache
def _read() -> VerificationKeys:
    return parse_jwk_set(msgspec.json.encode({"keys": _JWKS}))
