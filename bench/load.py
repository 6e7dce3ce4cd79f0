"""Puts load on a server and reads the figures: wrk for many small requests, curl for one big one.

A run with a single refusal or broken connection raises; a figure of errors is worth nothing.
"""

import http.client
import json
import os
import statistics
import subprocess
import tempfile
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from serving import LOAD_CORE, Running

from processes import cpu_seconds

SCRIPT = Path(__file__).with_name("load.lua")
FULL_READ_SECONDS = 300
ROUNDS = 5
POOL_SECONDS = 2  # a turn with requests that are good once: proofs are good for a minute, and making them takes as long
MOST_PER_SECOND = 8_000  # requests of a pool that are made ready for each second; a run that needs more fails


@dataclass(frozen=True, slots=True)
class Request:
    """One request; with `spread` n, `{}` in its address takes 0 … n-1 in shuffled order."""

    url: str
    method: str = "GET"
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    spread: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """What one wrk run, or the median of several, measured; `cpu_us` is what a request costs the server."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server and what it is asked; `make_pool` gives so many requests that are good once each."""

    server: Running
    request: Request
    make_pool: Callable[[int], list[Request]] | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """What one curl run measured."""

    size_bytes: int
    seconds: float
    first_byte_seconds: float
    cpu_seconds: float


def form(url: str, **fields: str) -> Request:
    """A form as a token endpoint takes it."""
    header = ("Content-Type", "application/x-www-form-urlencoded")
    return Request(url, "POST", urllib.parse.urlencode(fields), (header,))


def fetch(request: Request) -> bytes:
    """The body of one answer, asked for outside of any measuring.

    Raises:
        RuntimeError: The answer is not 200.
    """
    address = urllib.parse.urlsplit(request.url.replace("{}", "0"))
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        target = f"{address.path}?{address.query}" if address.query else address.path
        connection.request(request.method, target, request.body or None, dict(request.headers))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise RuntimeError(f"{request.method} {request.url} answered {response.status}: {body[:300]!r}")
    return body


def check_token(request: Request) -> str:
    """The access token of one answer; proves that what will be measured truly issues tokens."""
    answer = json.loads(fetch(request))
    if str(answer["token_type"]).lower() != "bearer" or len(answer["access_token"]) < 20:
        raise RuntimeError(f"{request.url} issued no bearer token: {sorted(answer)}")
    token: str = answer["access_token"]
    return token


def wrk(subject: Subject, *, connections: int, seconds: float) -> Rate:
    """One wrk run on the load core with keep-alive connections.

    Raises:
        RuntimeError: An answer was not a success, a connection broke, or answers were shorter than a checked one.
    """
    request, whole_seconds = subject.request, max(1, round(seconds))
    with tempfile.NamedTemporaryFile(prefix="rowgate-pool-") as pool:
        if subject.make_pool is not None:
            whole_seconds = min(whole_seconds, POOL_SECONDS)
            request, *others = subject.make_pool(MOST_PER_SECOND * whole_seconds)
            pool.write(b"".join(map(_render, others)))
            pool.flush()
        shortest_bytes = len(fetch(request)) // 2
        return _run_wrk(
            subject.server,
            request,
            connections=connections,
            whole_seconds=whole_seconds,
            shortest_bytes=shortest_bytes,
            pool=pool.name if subject.make_pool else "",
        )


def _render(request: Request) -> bytes:
    """A request as it goes over the wire, with its length before it."""
    address = urllib.parse.urlsplit(request.url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body:
        lines.append(f"Content-Length: {len(request.body)}")
    raw = "\r\n".join([*lines, "", request.body]).encode()
    return b"%d\n%b" % (len(raw), raw)


def _run_wrk(
    server: Running, request: Request, *, connections: int, whole_seconds: int, shortest_bytes: int, pool: str
) -> Rate:
    address = urllib.parse.urlsplit(request.url)
    # fmt: off
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{whole_seconds}s",
               "--timeout", "10s", "-s", str(SCRIPT), request.url.replace("{}", "0")]
    # fmt: on
    environment = {
        "ROWGATE_BENCH_METHOD": request.method,
        "ROWGATE_BENCH_BODY": request.body,
        "ROWGATE_BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in request.headers),
        "ROWGATE_BENCH_SPREAD": str(request.spread),
        "ROWGATE_BENCH_PATH": f"{address.path}?{address.query}",
        "ROWGATE_BENCH_POOL": pool,
    }
    before = cpu_seconds(server.pid)
    output = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=whole_seconds + 30,
    ).stdout
    used = cpu_seconds(server.pid) - before
    figures = json.loads(output.rsplit("ROWGATE ", 1)[1])
    if figures["refused"] or figures["broken"] or figures["bytes"] < shortest_bytes * figures["requests"]:
        raise RuntimeError(f"{request.url}: not every answer was whole: {figures}")
    return Rate(
        per_second=figures["requests"] / (figures["microseconds"] / 1e6),
        p50_ms=figures["p50_us"] / 1e3,
        p99_ms=figures["p99_us"] / 1e3,
        cpu_us=used * 1e6 / figures["requests"],
    )


def interleaved(
    subjects: dict[str, Subject], *, connections: int, seconds: float, rounds: int = ROUNDS
) -> dict[str, Rate]:
    """The median of every subject's runs, taken in turn (A B C, A B C, …) so that a drift of the machine meets all."""
    for subject in subjects.values():
        wrk(subject, connections=connections, seconds=1)
    runs: dict[str, list[Rate]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            runs[name].append(wrk(subject, connections=connections, seconds=seconds))
    return {name: _median(taken) for name, taken in runs.items()}


def _median(runs: list[Rate]) -> Rate:
    return Rate(**{item.name: statistics.median(getattr(run, item.name) for run in runs) for item in fields(Rate)})


def download(subject: Subject, *, target: Path = Path(os.devnull)) -> Download:
    """One whole answer read by curl on the load core, thrown away unless a target is given.

    Raises:
        RuntimeError: The answer was no success, was cut, or took longer than FULL_READ_SECONDS.
    """
    headers = [part for name, value in subject.request.headers for part in ("-H", f"{name}: {value}")]
    # fmt: off
    command = ["taskset", "-c", str(LOAD_CORE), "curl", "-sS", "--fail", "--max-time", str(FULL_READ_SECONDS),
               "-o", str(target), "-w", "%{size_download} %{time_total} %{time_starttransfer}",
               *headers, subject.request.url]
    # fmt: on
    before = cpu_seconds(subject.server.pid)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    used = cpu_seconds(subject.server.pid) - before
    if done.returncode:
        raise RuntimeError(f"{subject.request.url}: {done.stderr.strip()}")
    size, seconds, first_byte = done.stdout.split()
    return Download(int(size), float(seconds), float(first_byte), used)
