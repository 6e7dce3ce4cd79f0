"""The ASGI application: finds the endpoint, answers errors by the one map, gives every request its id."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

from rowgate.oauth.errors import OAuthError
from rowgate.ports import AuditUnavailable, StoreError
from rowgate.rows.errors import RowsError
from rowgate.service.origin import Origin
from rowgate.web.client_certificates import ClientCertificates
from rowgate.web.cors import Cors
from rowgate.web.data_requests import DATA_PATH
from rowgate.web.exchange import BodyTooLarge, ClientGone, Exchange, Head, PreparedHeaders, Receive, Scope, Send
from rowgate.web.metadata import TOKEN_PATH
from rowgate.web.problems import Edge, HttpProblem, Problem, describe_problem
from rowgate.web.whole import (
    COUNT_ERROR,
    WHOLE_HANDLERS,
    Answer,
    AwaitedReply,
    CountError,
    Reply,
    Request,
    WholeEndpoint,
    WholeHandlers,
    Write,
    WrittenReply,
)

Endpoint = Callable[[Exchange], Awaitable[None]]
_log = logging.getLogger("rowgate.web")

_DATA_PREFIX = DATA_PATH.encode() + b"/"
NOT_FOUND = f"There is nothing at this address. Tokens are at {TOKEN_PATH}, what they may read at {DATA_PATH}."


class App:
    """Plain ASGI: a router would cost more than the token exchange itself."""

    def __init__(
        self,
        endpoints: Mapping[str, tuple[Endpoint, bytes]],
        data: Mapping[bytes, tuple[Endpoint, bytes]],
        whole: Mapping[str, WholeEndpoint],
        *,
        edge: Edge,
        cors: Cors,
        lifespan: Callable[[], AbstractAsyncContextManager[None]],
        take_client_certificates: Callable[[ClientCertificates], None],
        count_error: CountError,
    ) -> None:
        """Take the endpoints by path, each with the methods it allows.

        Those about one object are found by what follows its name in the address: `/rows`, or nothing. A path among
        `whole` has its POST answered there, and the rest of it by its endpoint. The server calls
        `take_client_certificates` where clients may have certificates.
        """
        self._endpoints = endpoints
        self._data = data
        self._whole = whole
        self._edge = edge
        self._cors = cors
        self._lifespan = lifespan
        self._count_error = count_error
        self.take_client_certificates = take_client_certificates
        self._id_prefix = os.urandom(5).hex() + "-"
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's event stream."""
        if scope["type"] == "http":
            await self._dispatch(scope, receive, send)
        elif scope["type"] == "lifespan":
            scope.setdefault("state", {}).update({WHOLE_HANDLERS: self.whole_handlers, COUNT_ERROR: self._count_error})
            await self._live(receive, send)

    @property
    def whole_handlers(self) -> WholeHandlers:
        """What answers POST requests without a task, for a server that can do so."""
        return {
            path: (endpoint.max_body_bytes, partial(self._read_head, endpoint))
            for path, endpoint in self._whole.items()
        }

    def _read_head(self, endpoint: WholeEndpoint, scope: Scope) -> Answer:
        head = Head(scope)
        return partial(self._answer_whole, endpoint, head, PreparedHeaders(self._cors.mark(head)).lines)

    def _answer_whole(self, endpoint: WholeEndpoint, head: Head, more: bytes, body: bytes, write: Write) -> None:
        request_id = self._next_id()
        request = Request(head, request_id, Origin(request_id, head.source))
        self._call_whole(endpoint, request, body, WrittenReply(request_id, self._edge, self._tell, write, more))

    def _call_whole(self, endpoint: WholeEndpoint, request: Request, body: bytes, reply: Reply) -> None:
        try:
            endpoint.answer(request, body, reply)
        except Exception as error:  # noqa: BLE001 - the last line: whatever it is, the client gets one answer
            reply.fail(error)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._id_prefix}{self._count:x}"

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, self._next_id())
        try:
            exchange.extra_headers = self._cors.mark(exchange)
            endpoint, allow = self._find(scope)
            whole = self._whole.get(scope["path"])
            if exchange.method == "OPTIONS":
                await self._cors.respond_options(exchange, allow)
            elif whole is not None and exchange.method == "POST":
                await self._exchange_whole(whole, exchange)
            else:
                await endpoint(exchange)
        except ClientGone:
            return
        except asyncio.CancelledError:
            exchange.abort()  # the server stops and its patience is over: cut loudly
        except Exception as error:  # noqa: BLE001 - the last line: whatever it is, the client gets one answer
            if exchange.started:
                self._log(error, exchange.request_id)
                exchange.abort()
                await exchange.wait_for_disconnect()
            else:
                problem = describe_problem(error, exchange.request_id, self._edge)
                self._tell(error, problem, exchange.request_id)
                await exchange.respond(problem.status, problem.headers, problem.body)

    async def _exchange_whole(self, endpoint: WholeEndpoint, exchange: Exchange) -> None:
        """Answer a whole request by ASGI's messages."""
        body = await exchange.read_body(endpoint.max_body_bytes)
        request_id = exchange.request_id
        answered: asyncio.Future[tuple[int, PreparedHeaders, bytes]] = asyncio.get_running_loop().create_future()
        reply = AwaitedReply(request_id, self._edge, self._tell, answered)
        self._call_whole(endpoint, Request(exchange, request_id, exchange.origin), body, reply)
        status, headers, answer = await answered
        await exchange.respond(status, headers.pairs, answer)

    def _find(self, scope: Scope) -> tuple[Endpoint, bytes]:
        found = self._endpoints.get(scope["path"])
        if found is not None:
            return found
        path: bytes = scope["raw_path"]
        if path.startswith(_DATA_PREFIX):
            name, slash, rest = path[len(_DATA_PREFIX) :].partition(b"/")
            of_object = self._data.get(slash + rest)
            if name and of_object is not None:
                return of_object
        raise HttpProblem(404, "not_found", NOT_FOUND)

    def _tell(self, error: Exception, problem: Problem, request_id: str) -> None:
        self._count_error(problem.status, problem.code)
        self._log(error, request_id)

    def _log(self, error: Exception, request_id: str) -> None:
        extra = {"request_id": request_id}
        if isinstance(error, RowsError):
            if error.detail:
                _log.warning("%s %s", error.description, error.detail, extra=extra)
        elif isinstance(error, StoreError):
            _log.warning("the state cannot be used: %s", error, extra=extra)
        elif not isinstance(error, (OAuthError, HttpProblem, BodyTooLarge, AuditUnavailable)):
            _log.error("internal error", exc_info=error, extra=extra)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:  # noqa: BLE001 - told to the server, which stops
            _log.error("the server cannot start: %s", error)
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        await send({"type": "lifespan.shutdown.complete"})
