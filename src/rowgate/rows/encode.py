"""Turns blocks of rows into bytes, in the format that was asked for.

All work that can be done once per result is done once per result. How each value is written in each format:
docs/reference/types.md.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, assert_never

from rowgate.rows.encode_csv import CsvEncoder
from rowgate.rows.encode_json import GroupEncoder, RowEncoder
from rowgate.rows.masking import MaskRows, describe_masked, make_masking
from rowgate.rows.model import Format, Plan, Row

CONTENT_TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8; header=present",  # RFC 4180 §3, RFC 7111 §2
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

COMPRESSED = frozenset({Format.PARQUET, Format.XLSX})  # by themselves: a content coding would gain nothing


class BlockEncoder(Protocol):
    """Writes one result; blocks must come in order. The end is written only for a result that is whole."""

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of the next rows.

        Raises:
            InvalidParameter: The format has no way to write a value; nothing of the block is written.
        """

    def encode_end(self) -> bytes:
        """Give what closes the document."""


class _MaskedEncoder:
    """Lays masks on the rows, whatever the format."""

    def __init__(self, encoder: BlockEncoder, mask_rows: MaskRows) -> None:
        self._encoder = encoder
        self._mask_rows = mask_rows
        self.encode_end = encoder.encode_end

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        return self._encoder.encode_block(self._mask_rows(rows))


def open_encoder(plan: Plan, form: Format, *, mask_key: bytes = b"") -> BlockEncoder:
    """Give the encoder for a plan's rows in a format.

    Only JSON can nest: in the others the group keys are columns before the others, and the rows of a group stand
    together.

    Args:
        plan: What is read.
        form: How it is written.
        mask_key: What hashes are keyed by; a plan without masks needs none.
    """
    mask_rows = make_masking(plan.result_columns, mask_key)
    if mask_rows is None:
        return _choose_encoder(plan, form)
    shown = replace(plan, columns=tuple(describe_masked(column) for column in plan.columns))
    return _MaskedEncoder(_choose_encoder(shown, form), mask_rows)


def _choose_encoder(plan: Plan, form: Format) -> BlockEncoder:
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
        case Format.PARQUET:
            from rowgate.rows.encode_parquet import ParquetEncoder  # noqa: PLC0415 - the same

            return ParquetEncoder(plan.result_columns)
        case Format.XLSX:
            from rowgate.rows.encode_xlsx import XlsxEncoder  # noqa: PLC0415 - few ask for it

            return XlsxEncoder(plan.result_columns)
        case _:
            assert_never(form)
