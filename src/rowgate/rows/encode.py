"""Turns blocks of rows into bytes, in the format that was asked for.

All work that can be done once per result is done once per result. How each value is written in each format:
docs/reference/types.md.
"""

from collections.abc import Sequence
from typing import Protocol, assert_never

from rowgate.rows.encode_csv import CsvEncoder
from rowgate.rows.encode_json import GroupEncoder, RowEncoder
from rowgate.rows.model import Format, Plan, Row

CONTENT_TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8; header=present",  # RFC 4180 §3, RFC 7111 §2
    Format.ARROW: "application/vnd.apache.arrow.stream",
}


class BlockEncoder(Protocol):
    """Writes one result; blocks must come in order. The end is written only for a result that is whole."""

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of the next rows.

        Raises:
            InvalidParameter: The format has no way to write a value; nothing of the block is written.
        """

    def encode_end(self) -> bytes:
        """Give what closes the document."""


def open_encoder(plan: Plan, form: Format) -> BlockEncoder:
    """Give the encoder for a plan's rows in a format.

    Only JSON can nest: in the others the group keys are columns before the others, and the rows of a group stand
    together.
    """
    match form:
        case Format.JSON | Format.NDJSON:
            lines = form is Format.NDJSON
            if plan.group_by and not plan.aggregates:
                return GroupEncoder(plan.group_by, plan.columns, lines=lines)
            return RowEncoder(plan.result_columns, lines=lines)
        case Format.CSV:
            return CsvEncoder(plan.result_columns)
        case Format.ARROW:
            from rowgate.rows.encode_arrow import ArrowEncoder  # noqa: PLC0415 - start-up does without its library

            return ArrowEncoder(plan.result_columns)
        case _:
            assert_never(form)
