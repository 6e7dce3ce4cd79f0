"""/healthz: the process answers. /readyz: it can do its work."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from rowgate.web.exchange import Exchange
from rowgate.web.problems import NO_STORE, HttpProblem

Check = Callable[[], Awaitable[bool]]


class HealthEndpoint:
    """Answers 200 when every check holds, else 503; names the checks, tells no more."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """Take the checks by name; none of them makes /healthz."""
        self._checks = checks

    async def __call__(self, exchange: Exchange) -> None:
        """Answer."""
        if exchange.method not in ("GET", "HEAD"):
            raise HttpProblem(405, "invalid_request", "Ask with GET.", [(b"allow", b"GET, HEAD, OPTIONS")])
        results = {name: await check() for name, check in self._checks.items()}
        good = all(results.values())
        body = {"status": "ok" if good else "unavailable", "checks": results}
        headers = NO_STORE if good else [*NO_STORE, (b"retry-after", b"5")]
        await exchange.respond(200 if good else 503, headers, msgspec.json.encode(body))
