"""Calls other hosts over HTTP, within bounds of time, size and number.

Each call is a connection of its own: they are few, and each looks anew at what the host's name leads to. Rule: the
address that was checked is the one that is connected to; a name is never looked up twice for one call.
"""

import asyncio
import importlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType

from rowgate.outgoing.destinations import Destinations, Target
from rowgate.ports import CallFailed, CallForbidden, OutgoingAnswer

MAX_CALLS = 8  # at once; further ones wait, within their time
_RESOLVER_THREADS = 4

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_log = logging.getLogger("rowgate.outgoing")


@dataclass(frozen=True, slots=True)
class OutgoingLimits:
    """How long a call may take, all in all, and whom it believes."""

    call_seconds: float = 5.0
    ca_file: str = ""  # PEM; believed besides the certificate authorities of the system


class OutgoingClient:
    """Implements `ports.OutgoingHttp`. Proxies of the environment, redirects and cookies play no part."""

    def __init__(self, destinations: Destinations, limits: OutgoingLimits, *, resolve: Resolve | None = None) -> None:
        """Take what may be called; nothing is loaded before the first call.

        Args:
            destinations: What may be called.
            limits: Of every call.
            resolve: Gives the addresses of a host; the system's way if none is given.
        """
        self._destinations = destinations
        self._limits = limits
        self._resolve = resolve or self._look_up
        self._slots = asyncio.Semaphore(MAX_CALLS)
        self._names: ThreadPoolExecutor | None = None
        self._trusted: ssl.SSLContext | None = None

    def check_url(self, url: str) -> None:
        """Refuse an address that may not be called, without looking its host up.

        Raises:
            CallForbidden: It is malformed, not https, or its host is not listed.
        """
        self._destinations.parse_target(url)

    async def get(self, url: str, *, max_bytes: int) -> OutgoingAnswer:
        """Ask for a JSON document; see `ports.OutgoingHttp`."""
        return await self._call("GET", url, {"accept": "application/jwk-set+json, application/json"}, b"", max_bytes)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, max_bytes: int) -> OutgoingAnswer:
        """Send a document; see `ports.OutgoingHttp`."""
        return await self._call("POST", url, headers, body, max_bytes)

    def close(self) -> None:
        """Let go of the threads that look names up; calls must have ended."""
        if self._names is not None:
            self._names.shutdown(wait=False, cancel_futures=True)

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, max_bytes: int
    ) -> OutgoingAnswer:
        target = self._destinations.parse_target(url)
        try:
            async with asyncio.timeout(self._limits.call_seconds), self._slots:
                addresses = await self._find_addresses(target)
                loop = asyncio.get_running_loop()
                # not on the loop: it reads the system's certificates, and loads what most servers never need
                connection, trusted = await loop.run_in_executor(None, self._load)
                answer: OutgoingAnswer = await connection.exchange(
                    method, target, addresses, headers, body, max_bytes=max_bytes, trusted=trusted
                )
                return answer
        except TimeoutError:
            raise CallFailed("too_slow") from None

    async def _find_addresses(self, target: Target) -> Sequence[str]:
        try:
            addresses = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            raise CallFailed("unknown_host") from None
        if not addresses:
            raise CallFailed("unknown_host")
        for address in addresses:
            # one bad address spoils the name: who answers so is not to be trusted with the others
            self._destinations.check_address(target, address)
        return addresses

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        if self._names is None:
            # threads of its own: names that do not answer must not keep others from the loop's threads
            self._names = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="names")
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._names, _get_addresses, host, port)
        return list(dict.fromkeys(found))

    def _load(self) -> tuple[ModuleType, ssl.SSLContext]:
        connection = importlib.import_module("rowgate.outgoing.connection")
        if self._trusted is None:
            trusted = ssl.create_default_context()  # verifies chain and host name
            if self._limits.ca_file:
                try:
                    trusted.load_verify_locations(self._limits.ca_file)
                except OSError as error:  # SSLError is one
                    _log.error("outgoing_ca_file cannot be read: %s", error)
                    raise CallForbidden("unreadable_ca_file") from error
            self._trusted = trusted
        return connection, self._trusted


def _get_addresses(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
