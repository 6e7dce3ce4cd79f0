"""One exchange over one connection, by httpcore. Loaded with the first call: see `outgoing.client`."""

import ssl
from collections.abc import Iterable, Mapping, Sequence

import httpcore

from rowgate.outgoing.destinations import Target
from rowgate.ports import CallFailed, OutgoingAnswer

MAX_ADDRESSES_TRIED = 4
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


class _CheckedAddresses(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever the name leads to by now."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses[:MAX_ADDRESSES_TRIED]
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the addresses are its
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's shape
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in self._addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")


async def exchange(
    method: str,
    target: Target,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    max_bytes: int,
    trusted: ssl.SSLContext,
) -> OutgoingAnswer:
    """Send a request to one of the addresses; give the answer whole.

    Raises:
        CallFailed: No connection, a certificate that is not good for the host, no HTTP, or an answer that is encoded
            or longer than that.
    """
    sent = {
        "host": target.host_header,
        "user-agent": "rowgate",
        "accept-encoding": "identity",
        "connection": "close",
        **headers,
        **({"content-length": str(len(body))} if method == "POST" else {}),
    }
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    try:
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=trusted, max_connections=1, network_backend=_CheckedAddresses(addresses)
            ) as pool,
            pool.stream(method, url, headers=list(sent.items()), content=body) as response,
        ):
            named = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
            if named.get("content-encoding", "identity").lower() != "identity":
                raise CallFailed("encoded_answer")
            received = bytearray()
            async for part in response.aiter_stream():
                received += part
                if len(received) > max_bytes:
                    raise CallFailed("answer_too_long")
            return OutgoingAnswer(response.status, named, bytes(received))
    except _FAILURES as error:
        is_untrusted = isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError)
        raise CallFailed("untrusted_certificate" if is_untrusted else "no_connection") from error
