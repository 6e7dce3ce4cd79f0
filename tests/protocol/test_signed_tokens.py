"""Access tokens that are JWTs: what they say, who can check them, what no server takes for one (P70, P105, P106)."""

import json
import warnings
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from protocol.case import numbered
from protocol.judge import judge_error
from protocol.keyed import Keyed, register
from protocol.world import World
from rowgate import wiring
from rowgate.oauth.jws import SIGNING_ALGORITHMS, SigningAlgorithm
from rowgate.service.admin.policies import PolicyChange
from rowgate.store.reader import SqliteReader
from support.client_keys import ClientKey, sign_by_hand
from support.servers import within_a_second

JWKS = "/.well-known/jwks.json"
_REGISTRY = jws.JWSRegistry(algorithms=list(SIGNING_ALGORITHMS))


def _ask_for_signed(world: World, algorithm: SigningAlgorithm) -> Keyed:
    policy = PolicyChange(access_token_format="jwt", access_token_algorithm=algorithm)
    return register(world, f"signed-{algorithm}", policy)


@pytest.fixture(scope="module", params=SIGNING_ALGORITHMS)
def signed(world: World, request: pytest.FixtureRequest) -> Keyed:
    return _ask_for_signed(world, request.param)


@pytest.fixture(scope="module")
def forger(world: World) -> "Forger":
    return Forger(register(world, "forged", PolicyChange(access_token_format="jwt", access_token_algorithm="ES256")))


def decode(world: World, token: str) -> jwt.Token:
    """Check a token as somebody elsewhere does: with the published keys and nothing else."""
    keys = KeySet.import_key_set(world.client.get(JWKS).json())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # of the name EdDSA
        return jwt.decode(token, keys, registry=_REGISTRY)


@numbered("P70", "RFC 9068 §2.1, §2.2")
def test_claims_are_those_of_the_standard(signed: Keyed) -> None:
    answer = signed.ask().json()
    token = decode(signed.world, answer["access_token"])
    assert token.header["typ"] == "at+jwt"
    assert set(token.header) == {"typ", "alg", "kid"}
    claims = token.claims
    assert claims["iss"] == claims["aud"] == signed.issuer or claims["aud"] == [signed.issuer]
    assert claims["sub"] == claims["client_id"] == signed.client_id
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 3600
    assert abs(claims["iat"] - signed.now) < 10
    assert claims["scope"] == answer["scope"] == "read"
    assert claims["jti"]
    assert "cnf" not in claims
    assert signed.client_secret not in json.dumps(claims)


@numbered("P70", "RFC 9068 §2.1, §2.2")
def test_signed_token_reads_rows_and_is_refreshed(signed: Keyed) -> None:
    first = signed.ask().json()
    again = signed.refresh(first["refresh_token"]).json()
    texts = [signed.read(tokens["access_token"], scheme="Bearer").text for tokens in (first, again)]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])
    ids = {decode(signed.world, tokens["access_token"]).claims["jti"] for tokens in (first, again)}
    assert len(ids) == 2


@numbered("P70", "RFC 9068 §2.1, §2.2")
def test_format_changes_within_a_second_and_old_tokens_stay_good(world: World) -> None:
    client = register(world, "changes")
    sealed = client.ask().json()["access_token"]
    client.set(PolicyChange(access_token_format="jwt"))
    within_a_second(lambda: client.ask().json()["access_token"].startswith("ey"))
    signed = client.ask().json()["access_token"]
    client.set(PolicyChange(access_token_format="sealed"))
    within_a_second(lambda: client.ask().json()["access_token"].startswith("rgat_"))
    assert [client.read(token, scheme="Bearer").status_code for token in (sealed, signed)] == [200, 200]


class Forger:
    """Who has a good token, and for the sake of the test our own private key."""

    def __init__(self, keyed: Keyed) -> None:
        self.keyed = keyed
        self.good = str(keyed.ask().json()["access_token"])
        token = decode(keyed.world, self.good)
        self.header, self.claims = dict(token.header), dict(token.claims)
        with closing(wiring.open_store(keyed.world.server.settings)) as store:
            (kept,) = [key for key in store.load_keys().signing if key.kid == self.header["kid"]]
        self.ours = ECKey.import_key(kept.private_key)

    def sign(self, key: Any = None, *, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """Sign truly; what is `...` is left out."""
        protected = _without({**self.header, **(header or {})})
        registry = jws.JWSRegistry(algorithms=[protected["alg"]], strict_check_header=False)
        claims = json.dumps(_without({**self.claims, **changed}))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return str(jws.serialize_compact(protected, claims, key or self.ours, registry=registry))


def _without(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ...}


def _swap_signature(forger: Forger) -> str:
    return forger.good.rpartition(".")[0] + "." + forger.sign(jti="0" * 32).rpartition(".")[2]


_OTHER = ClientKey("ES256", "other")
_FORGED: dict[str, Callable[[Forger], str]] = {
    "alg-none": lambda f: sign_by_hand({**f.header, "alg": "none"}, f.claims),
    "alg-none-without-kid": lambda f: sign_by_hand({"typ": "at+jwt", "alg": "none"}, f.claims),
    "hs256-keyed-with-the-public-key": lambda f: sign_by_hand(
        {**f.header, "alg": "HS256"}, f.claims, f.ours.as_pem(private=False)
    ),
    "alg-swapped-to-eddsa": lambda f: f.sign(OKPKey.generate_key("Ed25519"), header={"alg": "EdDSA"}),
    "alg-swapped-to-rs256": lambda f: f.sign(RSAKey.generate_key(2048), header={"alg": "RS256"}),
    "unknown-kid": lambda f: f.sign(_OTHER.key, header={"kid": "other"}),
    "true-key-under-an-unknown-kid": lambda f: f.sign(header={"kid": "other"}),
    "another-key-under-our-kid": lambda f: f.sign(_OTHER.key),
    "with-a-key-of-its-own": lambda f: f.sign(_OTHER.key, header={"jwk": _OTHER.public}),
    "typ-jwt": lambda f: f.sign(header={"typ": "JWT"}),
    "no-typ": lambda f: f.sign(header={"typ": ...}),
    "typ-of-a-proof": lambda f: f.sign(header={"typ": "dpop+jwt"}),
    "critical-extension": lambda f: f.sign(header={"crit": ["b64"], "b64": True}),
    "no-exp": lambda f: f.sign(exp=...),
    "expired": lambda f: f.sign(exp=int(f.keyed.now) - 1),
    "no-iss": lambda f: f.sign(iss=...),
    "another-issuer": lambda f: f.sign(iss="https://elsewhere.example"),
    "no-aud": lambda f: f.sign(aud=...),
    "another-audience": lambda f: f.sign(aud=["https://elsewhere.example"]),
    "no-jti": lambda f: f.sign(jti=...),
    "no-sub": lambda f: f.sign(sub=...),
    "an-id-token": lambda f: f.sign(header={"typ": "JWT"}, nonce="n", auth_time=1),
    "assertion-of-a-client": lambda f: _OTHER.sign(_OTHER.claim(f.keyed.client_id, f.keyed.issuer, f.keyed.now)),
    "refresh-token": lambda f: str(f.keyed.ask().json()["refresh_token"]),
    "signature-of-another-token": _swap_signature,
    "signature-cut-off": lambda f: f.good.rpartition(".")[0] + ".",
    "one-letter-more": lambda f: f.good + "A",
    "four-parts": lambda f: f.good + ".AAAA",
}


@numbered("P105", "RFC 9068 §4, RFC 8725 §3")
@pytest.mark.parametrize("forged", _FORGED)
def test_token_that_is_none_of_ours(forger: Forger, forged: str) -> None:
    answer = forger.keyed.read(_FORGED[forged](forger), scheme="Bearer")
    judge_error(answer.headers, answer.content, status=401, code="invalid_token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert forger.keyed.read(forger.good, scheme="Bearer").status_code == 200


@numbered("P105", "RFC 9068 §4, RFC 8725 §3")
def test_what_the_forger_changes_nothing_in_is_good(forger: Forger) -> None:
    """Otherwise the refusals above would show nothing."""
    assert forger.keyed.read(forger.sign(), scheme="Bearer").status_code == 200


@numbered("P105", "RFC 9068 §4, RFC 8725 §3")
def test_claims_cannot_lend_another_applications_rights(forger: Forger) -> None:
    """A key that signs for one application's tokens signs what the server decided, revocation included."""
    with_other_epoch = {**forger.claims["rowgate"], "epoch": forger.claims["rowgate"]["epoch"] + 1}
    answer = forger.keyed.read(forger.sign(rowgate=with_other_epoch), scheme="Bearer")
    assert answer.status_code == 401


@numbered("P106", "ours")
def test_flood_of_unknown_key_ids_loads_nothing(forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    for name in ("load_state", "load_keys", "load_changes"):
        real = getattr(SqliteReader, name)

        def counted(self: SqliteReader, *arguments: Any, _real: Any = real, _name: str = name) -> Any:
            loaded.append(_name)
            return _real(self, *arguments)

        monkeypatch.setattr(SqliteReader, name, counted)
    before = forger.keyed.world.client.get(JWKS).headers["etag"]
    for number in range(200):
        token = forger.sign(_OTHER.key, header={"kid": f"unknown-{number}"})
        assert forger.keyed.read(token, scheme="Bearer").status_code == 401
    assert loaded == []
    assert forger.keyed.world.client.get(JWKS).headers["etag"] == before
    assert forger.keyed.read(forger.good, scheme="Bearer").status_code == 200
