"""Tokens a second on one core: Rowgate with its durable audit beside the bare server and two peers.

And Rowgate with very many applications beside itself with one.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import product
from data import data_file
from load import Rate, Request, Subject, check_token, interleaved
from peers import servers as peers
from peers.install import WORK
from report import Goal, Section, Table, times
from serving import running

CONNECTIONS = 48
MANY_APPLICATIONS = 100_000
SMALL_ROWS = 10_000
HELLO, OIDC, DJANGO = "bare ASGI hello world, the same server", "npm oidc-provider, in memory", "django-oauth-toolkit"
NOTE = (
    f"{CONNECTIONS} keep-alive connections, client credentials in the form. Rowgate seals two tokens and has its audit "
    "record on disk before it answers. oidc-provider keeps its tokens in memory and records nothing. "
    "django-oauth-toolkit stores each token in SQLite (WAL, synchronous NORMAL) behind gunicorn's gthread worker with "
    "no middleware; its secret is checked with MD5, since the PBKDF2 that it ships with allows about 3 tokens a second."
)
ONE, MANY = "1 application", f"{MANY_APPLICATIONS:,} applications"


def measure_tokens(seconds: float) -> Section:
    """Rowgate, hello world, oidc-provider and django-oauth-toolkit in turn."""
    logs = WORK / "logs"
    with ExitStack() as stack, _rowgate("tokens") as rowgate:
        hello = stack.enter_context(running(peers.hello(), logs=logs))
        subjects = {
            product.NAME: rowgate,
            HELLO: Subject(hello, Request(hello.url("/"))),
            OIDC: peers.peer_tokens(stack.enter_context(running(peers.oidc_provider(), logs=logs))),
            DJANGO: peers.peer_tokens(stack.enter_context(running(peers.django_oauth_toolkit(), logs=logs))),
        }
        for name in (product.NAME, OIDC, DJANGO):
            check_token(subjects[name].request)
        rates = interleaved(subjects, connections=CONNECTIONS, seconds=seconds)
    ours, bare, oidc, django = (rates[name] for name in subjects)
    share, tail = ours.per_second / bare.per_second, ours.p99_ms / bare.p99_ms
    goals = [
        Goal("tokens, share of the bare hello world", "≥ 32%", f"{share:.0%}", held=share >= 0.32),
        Goal("tokens, p99 beside the hello world's", "≤ " + times(4, 0), times(tail), held=tail <= 4),
        _times("tokens beside oidc-provider", ours.per_second / oidc.per_second, 3),
        _times("tokens beside django-oauth-toolkit", ours.per_second / django.per_second, 22),
    ]
    return Section("Tokens", [rate_table(rates)], goals, [NOTE])


def measure_applications(seconds: float) -> Section:
    """The same exchange with one application registered, and with very many."""
    with _rowgate("one") as one, _rowgate("many", MANY_APPLICATIONS) as many:
        for subject in (one, many):
            check_token(subject.request)
        rates = interleaved({ONE: one, MANY: many}, connections=CONNECTIONS, seconds=seconds)
        ready = many.server.ready_seconds
    kept = rates[MANY].per_second / rates[ONE].per_second
    goals = [Goal(f"tokens with {MANY} beside one", "≥ 95%", f"{kept:.0%}", held=kept >= 0.95)]
    notes = [f"With {MANY} the server was ready after {ready:.1f} s."]
    return Section("Tokens with many applications", [rate_table(rates, first_is="the first is")], goals, notes)


def rate_table(rates: dict[str, Rate], *, unit: str = "tokens/s", first_is: str = "Rowgate is") -> Table:
    """Rates, and how many times each of them the first one is."""
    first = next(iter(rates.values())).per_second
    rows = [
        [name, f"{rate.per_second:,.0f}", times(first / rate.per_second), *_times_of(rate)]
        for name, rate in rates.items()
    ]
    return Table(["server, one core", unit, first_is, "p50 ms", "p99 ms", "CPU µs"], rows)


def _times_of(rate: Rate) -> list[str]:
    return [f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}", f"{rate.cpu_us:,.1f}"]


def _times(what: str, ratio: float, goal: int) -> Goal:
    return Goal(what, "≥ " + times(goal, 0), times(ratio), held=ratio >= goal)


@contextmanager
def _rowgate(name: str, further_applications: int = 0) -> Iterator[Subject]:
    database = data_file(WORK / "data", SMALL_ROWS)
    home = product.make_home(WORK / "homes" / name, database)
    if further_applications:
        product.register_many(home, further_applications - 1)
    with running(product.server(home), logs=WORK / "logs") as server:
        yield product.token(server, home)
