"""The entity tags of answers with rows: equal only for the same request under the same policy on the same rows.

Source: RFC 9110 §8.8.3
"""

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from rowgate.ports.rows import RowSource
from rowgate.rows.model import Plan, Statement
from rowgate.service.reading import Reading

_PURPOSE = b"rowgate rows tag\x00"
NO_TAG = b""  # of an answer of which nobody knows whether it has changed
_TAG_BYTES = 16
_encode = msgspec.msgpack.Encoder().encode


class RowTags:
    """Makes tags; what they are made of cannot be guessed from them."""

    def __init__(self, digest_key: bytes) -> None:
        """Take the key that the key of the tags is made of (32 bytes)."""
        self._key = hmac.digest(digest_key, _PURPOSE, hashlib.sha256)

    def start(
        self, reading: Reading, plan: Plan, statement: Statement, source: RowSource, start: Callable[[], None]
    ) -> None:
        """Start a read, and tag it where that is sure; not if the client has the same already, or wants another.

        Args:
            reading: What is started.
            plan: Its plan.
            statement: Made of the plan.
            source: Where its rows are.
            start: Has the statement run up to its first rows.

        Raises:
            PreconditionFailed: The client wants another answer than this.
        """
        version = source.find_version(plan.object) if reading.has_copy is not None else None
        if reading.has_copy is None or version is None:
            reading.require_wanted(NO_TAG)
            start()
            return
        tag = self.make(reading, plan, statement, version)
        reading.require_wanted(tag)
        if reading.has_copy(tag):
            reading.end_unread(plan, tag)
            return
        start()
        if source.find_version(plan.object) == version:  # so it was what the statement found when it began
            reading.tag = tag
        else:  # something was written meanwhile: these rows may be others than were wanted
            reading.require_wanted(NO_TAG)

    def make(self, reading: Reading, plan: Plan, statement: Statement, version: bytes) -> bytes:
        """Give the tag, quoted.

        Args:
            reading: Who reads, in which format and coding.
            plan: What is read; everything that a policy says is in it.
            statement: Made of the plan.
            version: Of the object's rows.
        """
        columns = plan.result_columns
        told = _encode(
            (
                version,
                reading.access.application_number,
                statement.text,
                repr(statement.parameters),
                # what decides how a value is written, beside the statement that gives it
                [column.name for column in columns],
                [column.declared_type for column in columns],
                [column.mask for column in columns],
                len(plan.group_by),
                reading.format,
                reading.coding.best,
                reading.coding.may_be_plain,
            )
        )
        return b'"%b"' % hmac.digest(self._key, told, hashlib.sha256)[:_TAG_BYTES].hex().encode()
