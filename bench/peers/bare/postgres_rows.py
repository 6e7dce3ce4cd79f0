"""The least a page of rows of PostgreSQL can cost on the product's server: its driver, one statement, one encoder.

Eight connections of psycopg's asynchronous kind: with one that blocks the event loop fewer pages were answered.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg

CONNECTIONS = 8
# as Rowgate asks
COLUMNS = ("id", "bucket", "batch", "host", "name", "amount", "ratio", "day", "seen", "note")
SHOWN = ", ".join(COLUMNS).replace("seen", "to_jsonb(seen) #>> '{}'")
STATEMENTS = {
    name: f"SELECT {SHOWN} FROM measurements WHERE {name} = %s LIMIT 100".encode() for name in ("batch", "bucket")
}
Row = msgspec.defstruct("Row", COLUMNS)
encode = msgspec.json.Encoder().encode
idle: list[psycopg.AsyncConnection] = []
free = asyncio.Semaphore(CONNECTIONS)


async def connect() -> psycopg.AsyncConnection:
    """A connection as Rowgate's are."""
    connection = await psycopg.AsyncConnection.connect(os.environ["ROWGATE_BENCH_DATABASE"], autocommit=True)
    await connection.execute("SET timezone = 'UTC'; SET datestyle = ISO; SET default_transaction_read_only = on")
    return connection


async def application(
    scope: dict[str, Any], _receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    name, _, value = scope["query_string"].decode().partition("=")
    async with free:
        connection = idle.pop() if idle else await connect()
        cursor = await connection.execute(STATEMENTS[name or "batch"], (int(value or 0),))
        rows = await cursor.fetchall()
        idle.append(connection)
    body = encode([Row(*row) for row in rows])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
