"""The least a page of rows can cost on the product's server: one statement, one encoder, no policy and no audit."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import apsw
import msgspec

STATEMENTS = {name: f"SELECT * FROM measurements WHERE {name} = ? LIMIT 100" for name in ("batch", "bucket")}
connection = apsw.Connection(os.environ["ROWGATE_BENCH_DATABASE"], flags=apsw.SQLITE_OPEN_READONLY)
columns = [str(row[1]) for row in connection.execute("PRAGMA table_info(measurements)")]
Row = msgspec.defstruct("Row", columns)
encode = msgspec.json.Encoder().encode


async def application(
    scope: dict[str, Any], _receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    name, _, value = scope["query_string"].decode().partition("=")
    statement = STATEMENTS[name or "batch"]
    body = encode([Row(*row) for row in connection.execute(statement, (int(value or 0),))])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
