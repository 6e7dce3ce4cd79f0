"""What signed tokens, introspection, clients' keys and DPoP cost beside the plain path, in one server and in turns."""

import json
from collections.abc import Callable

import product
from client_keys import ClientKey
from data import data_file
from load import Rate, Request, Subject, check_token, fetch, form, interleaved
from peers.install import WORK
from report import Section, Table, times
from serving import Running, running

CONNECTIONS = 48
SMALL_ROWS = 10_000
PLAIN = "sealed token, client_secret in the form"
KEYED = "sealed token, private_key_jwt by ES256"
BOUND = "sealed token, client_secret and a DPoP proof by ES256"
PLAIN_ROW, BOUND_ROW = "one row, Bearer", "one row, DPoP proof by ES256"
ALGORITHMS = ("EdDSA", "ES256", "RS256")
NOTE = (
    f"{CONNECTIONS} keep-alive connections to one server with several applications. Every request authenticates with a "
    "client secret, unless its name says otherwise; a signed access token comes with a sealed refresh token, as the "
    "plain one does. Each exchange is on record on disk before it is answered."
)
ONCE = (
    "An assertion or a proof is good once only. So before each turn as many requests are made and signed as it can "
    "need, and wrk sends each of them once (`bench/load.lua`); a refusal would end the measuring. At the token "
    "endpoint every use is kept in the state, on disk, for all workers; a proof that comes with rows is kept in memory."
)


def measure_rest(seconds: float) -> Section:
    """The plain path, signed access tokens by algorithm, introspection, clients' keys and DPoP in turn."""
    home = product.make_home(WORK / "homes" / "rest", data_file(WORK / "data", SMALL_ROWS))
    signing = {algorithm: product.add_signing_application(home, algorithm) for algorithm in ALGORITHMS}
    key = ClientKey()
    keyed_client_id = product.add_keyed_application(home, key.jwks)
    with running(product.server(home), logs=WORK / "logs") as server:
        plain = product.token(server, home)
        token = check_token(plain.request)
        subjects = {PLAIN: plain}
        for algorithm, application in signing.items():
            subjects[f"signed token, {algorithm}"] = product.token(server, application)
        for name, subject in list(subjects.items())[1:]:
            if check_token(subject.request).count(".") != 2:
                raise RuntimeError(f"no JWT came for: {name}")
        asked = form(
            server.url("/api/v1/introspect"), token=token, client_id=home.client_id, client_secret=home.client_secret
        )
        if b'"active":true' not in fetch(asked):
            raise RuntimeError("the introspected token is not active")
        subjects["introspection of a sealed token"] = Subject(server, asked)
        subjects[KEYED] = Subject(server, plain.request, _assertions(server, keyed_client_id, key))
        subjects[BOUND] = Subject(server, plain.request, lambda count: [key.prove(plain.request) for _ in range(count)])
        rates = interleaved(subjects, connections=CONNECTIONS, seconds=seconds)
        reads = {
            PLAIN_ROW: Subject(server, product.row(server, token)),
            BOUND_ROW: Subject(server, plain.request, _bound_reads(server, plain.request)),
        }
        read_rates = interleaved(reads, connections=CONNECTIONS, seconds=seconds)
    tables = [_compare(rates, PLAIN), _compare(read_rates, PLAIN_ROW)]
    return Section("What the rest costs beside the plain path", tables, [], [NOTE, ONCE])


def _assertions(server: Running, client_id: str, key: ClientKey) -> Callable[[int], list[Request]]:
    bare = form(server.url("/api/v1/token"), grant_type="client_credentials")
    issuer = json.loads(fetch(Request(server.url("/.well-known/oauth-authorization-server"))))["issuer"]
    return lambda count: [key.assert_client(bare, client_id, issuer) for _ in range(count)]


def _bound_reads(server: Running, ask: Request) -> Callable[[int], list[Request]]:
    """Reads with a token of a new key each time, since a worker remembers 10,000 proofs of a key at once."""

    def make_pool(count: int) -> list[Request]:
        key = ClientKey()
        answer = json.loads(fetch(key.prove(ask)))
        if answer["token_type"] != "DPoP":
            raise RuntimeError("the token is not bound")
        bare = product.row(server, answer["access_token"], "DPoP")
        return [key.prove(bare, answer["access_token"]) for _ in range(count)]

    return make_pool


def _compare(rates: dict[str, Rate], plain: str) -> Table:
    rows = [
        [name, f"{rate.per_second:,.0f}", f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}", f"{rate.cpu_us:,.1f}",
         times(rate.cpu_us / rates[plain].cpu_us)]
        for name, rate in rates.items()
    ]  # fmt: skip
    return Table(["request", "requests/s", "p50 ms", "p99 ms", "CPU µs", "of the plain path"], rows)
