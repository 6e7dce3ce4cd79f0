"""/healthz: the process answers. /readyz: it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from rowgate.web.exchange import Exchange
from rowgate.web.problems import NO_STORE, require_get

LOOK_SECONDS = 0.5

Check = Callable[[], Awaitable[bool]]


class HealthEndpoint:
    """Answers 200 when the checks hold, else 503; names the checks, tells no more."""

    def __init__(self, checks: Mapping[str, Check], *, one_of: Mapping[str, Check] | None = None) -> None:
        """Take the checks by name; none of them makes /healthz.

        Args:
            checks: All of these must hold.
            one_of: One of these must hold, if there are any.
        """
        self._one_of = one_of or {}
        self._checks = {**self._one_of, **checks}
        self._results: dict[str, bool] = {}
        self._looked_at = float("-inf")

    async def __call__(self, exchange: Exchange) -> None:
        """Answer."""
        require_get(exchange.method)
        results = await self._look()
        is_whole = all(results.values())
        good = is_whole or self._is_good_enough(results)
        status = "ok" if is_whole else "degraded" if good else "unavailable"
        body = {"status": status, "checks": results}
        headers = NO_STORE if good else [*NO_STORE, (b"retry-after", b"5")]
        await exchange.respond(200 if good else 503, headers, msgspec.json.encode(body))

    def _is_good_enough(self, results: Mapping[str, bool]) -> bool:
        required = all(held for name, held in results.items() if name not in self._one_of)
        return required and (not self._one_of or any(results[name] for name in self._one_of))

    async def _look(self) -> dict[str, bool]:
        """Give the results; one look counts for a while, since anybody may ask."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_SECONDS:
            self._results = dict(
                zip(self._checks, await asyncio.gather(*[check() for check in self._checks.values()]), strict=True)
            )
            self._looked_at = now
        return self._results
