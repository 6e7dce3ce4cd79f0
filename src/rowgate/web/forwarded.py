"""What a trusted proxy says of the client behind it."""

import contextlib
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class ForwardedHeaders:
    """Takes the client's address into an ASGI scope from the headers of a trusted proxy.

    uvicorn's middleware does that, made for a coroutine; this runs it where there is none.
    """

    def __init__(self, trusted: list[str]) -> None:
        """Take the proxies' addresses."""
        self._middleware: Any = ProxyHeadersMiddleware(_look_no_further, trusted_hosts=trusted)

    def trusts(self, host: str) -> bool:
        """Tell whether a connection from this address is a proxy's."""
        return host in self._middleware.trusted_hosts

    def __call__(self, scope: dict[str, Any]) -> None:
        """Change the scope."""
        with contextlib.suppress(StopIteration):  # how a coroutine ends
            self._middleware(scope, None, None).send(None)
            raise AssertionError("internal error: a middleware that only looks at the scope waited")


async def _look_no_further(_scope: object, _receive: object, _send: object) -> None:
    """In the place of an application."""
