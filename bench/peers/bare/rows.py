"""The least a page of rows can cost on the product's server: one statement, one encoder, no policy and no audit."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import apsw
import msgspec

SQL = "SELECT * FROM measurements WHERE bucket = ? LIMIT 100"
connection = apsw.Connection(os.environ["ROWGATE_BENCH_DATABASE"], flags=apsw.SQLITE_OPEN_READONLY)
columns = [str(row[1]) for row in connection.execute("PRAGMA table_info(measurements)")]
Row = msgspec.defstruct("Row", columns)
encode = msgspec.json.Encoder().encode


async def application(
    scope: dict[str, Any], _receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    bucket = int(scope["query_string"].removeprefix(b"bucket=") or 0)
    body = encode([Row(*row) for row in connection.execute(SQL, (bucket,))])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
