"""/healthz: the process answers. /readyz: it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from rowgate.web.exchange import Exchange
from rowgate.web.problems import NO_STORE, HttpProblem

LOOK_SECONDS = 0.5

Check = Callable[[], Awaitable[bool]]


class HealthEndpoint:
    """Answers 200 when every check holds, else 503; names the checks, tells no more."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """Take the checks by name; none of them makes /healthz."""
        self._checks = checks
        self._results: dict[str, bool] = {}
        self._looked_at = float("-inf")

    async def __call__(self, exchange: Exchange) -> None:
        """Answer."""
        if exchange.method not in ("GET", "HEAD"):
            raise HttpProblem(405, "invalid_request", "Ask with GET.", [(b"allow", b"GET, HEAD, OPTIONS")])
        results = await self._look()
        good = all(results.values())
        body = {"status": "ok" if good else "unavailable", "checks": results}
        headers = NO_STORE if good else [*NO_STORE, (b"retry-after", b"5")]
        await exchange.respond(200 if good else 503, headers, msgspec.json.encode(body))

    async def _look(self) -> dict[str, bool]:
        """Give the results; one look counts for a while, since anybody may ask."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_SECONDS:
            self._results = {name: await check() for name, check in self._checks.items()}
            self._looked_at = now
        return self._results
