"""What one read sends: counted, hashed and coded as it goes by, so that a download can be proven whole afterwards.

Runs in the read's thread: hashing and coding a block let go of the interpreter.
"""

import hashlib

from rowgate.rows.coding import LEAST_CODED_BYTES, PLAIN, AcceptedCoding, Coder, Coding, open_coder


class Body:
    """The body of one answer, part by part in order. Used by one thread at a time."""

    def __init__(self, accepted: AcceptedCoding = PLAIN) -> None:
        """Take what the client accepts; whether it is coded is decided with the first part."""
        self.coding = accepted.best
        self.bytes = 0  # before coding
        self.sent_bytes = 0
        self._may_be_plain = accepted.may_be_plain
        self._hash = hashlib.sha256()
        self._coder: Coder | None = None
        self._coded_hash = self._hash  # of what is sent; the same object where nothing is coded
        self._is_begun = False

    def take(self, part: bytes, *, is_last: bool) -> bytes:
        """Give what is sent for the next part of the document."""
        if not self._is_begun:
            self._begin(is_short=is_last and len(part) < LEAST_CODED_BYTES)
        self.bytes += len(part)
        self._hash.update(part)
        if self._coder is not None and (part or is_last):
            part = self._coder.end(part) if is_last else self._coder.code(part)
            self._coded_hash.update(part)
        self.sent_bytes += len(part)
        return part

    def _begin(self, *, is_short: bool) -> None:
        self._is_begun = True
        if is_short and self._may_be_plain:
            self.coding = Coding.IDENTITY
        self._coder = open_coder(self.coding)
        if self._coder is not None:
            self._coded_hash = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """The SHA-256 of all that was taken, before coding: of the whole document once its last part has been."""
        return self._hash.digest()

    @property
    def sent_digest(self) -> bytes:
        """The SHA-256 of what was sent for it."""
        return self._coded_hash.digest()
