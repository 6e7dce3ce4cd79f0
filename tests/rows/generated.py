"""One table, filled anew for each example, read through the rows core and the engine."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.encode import open_encoder
from rowgate.rows.model import Format, Plan
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select
from rows.oracle import Row


class Bench:
    """One table, filled anew for each example, read through the rows core and the engine."""

    def __init__(self, path: Path) -> None:
        self.writer = sqlite3.connect(path, isolation_level=None)
        self.writer.execute("PRAGMA synchronous=OFF")
        self.writer.execute("PRAGMA journal_mode=MEMORY")
        self.writer.execute("CREATE TABLE generated (n INTEGER PRIMARY KEY, t TEXT, i INTEGER, r REAL)")
        self.source = SqliteSource(path)
        self.name = "generated"  # of the object that is read

    def fill(self, rows: list[tuple[Any, ...]]) -> list[Row]:
        with self.writer:
            self.writer.execute("BEGIN")
            self.writer.execute("DELETE FROM generated")
            self.writer.executemany(
                "INSERT INTO generated VALUES (?, ?, ?, ?)", [(n, *row) for n, row in enumerate(rows)]
            )
        names = ("n", "t", "i", "r")
        return [dict(zip(names, (n, *row), strict=True)) for n, row in enumerate(rows)]

    def plan(self, body: Row) -> Plan:
        described = self.source.find_object(self.name)
        assert described is not None
        return plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="")

    def count(self, body: Row) -> Any:
        blocks = self.source.open_rows(render_count(self.plan(body), SQLITE), statement_seconds=10)
        try:
            return blocks.read_block()[0][0]
        finally:
            blocks.close()

    def read(self, body: Row) -> list[Row]:
        plan = self.plan(body)
        encoder = open_encoder(plan, Format.JSON)
        blocks = self.source.open_rows(render_select(plan, SQLITE), statement_seconds=10)
        try:
            encoded = encoder.encode_block(blocks.read_block()) + encoder.encode_end()
        finally:
            blocks.close()
        return list(msgspec.json.decode(encoded))
