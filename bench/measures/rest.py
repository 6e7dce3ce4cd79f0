"""What signed tokens and introspection cost beside the plain path, in the same server and the same turns."""

import product
from data import data_file
from load import Rate, Subject, check_token, fetch, form, interleaved
from peers.install import WORK
from report import Section, Table, times
from serving import running

CONNECTIONS = 48
SMALL_ROWS = 10_000
PLAIN = "sealed token, client_secret in the form"
ALGORITHMS = ("EdDSA", "ES256", "RS256")
NOTE = (
    f"{CONNECTIONS} keep-alive connections to one server with several applications. Every request authenticates with a "
    "client secret; a signed access token comes with a sealed refresh token, as the plain one does. Each exchange is "
    "on record on disk before it is answered."
)


def measure_rest(seconds: float) -> Section:
    """The plain path, signed access tokens by algorithm, and introspection in turn."""
    home = product.make_home(WORK / "homes" / "rest", data_file(WORK / "data", SMALL_ROWS))
    signing = {algorithm: product.add_signing_application(home, algorithm) for algorithm in ALGORITHMS}
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
        rates = interleaved(subjects, connections=CONNECTIONS, seconds=seconds)
    return Section("What the rest costs beside the plain path", [_compare(rates)], [], [NOTE])


def _compare(rates: dict[str, Rate]) -> Table:
    plain = rates[PLAIN].cpu_us
    rows = [
        [name, f"{rate.per_second:,.0f}", f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}", f"{rate.cpu_us:,.1f}",
         times(rate.cpu_us / plain)]
        for name, rate in rates.items()
    ]  # fmt: skip
    return Table(["request", "requests/s", "p50 ms", "p99 ms", "CPU µs", "of the plain path"], rows)
