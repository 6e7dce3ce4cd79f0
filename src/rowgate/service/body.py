"""What one read sends: counted and hashed as it goes by, so that a download can be proven whole afterwards.

Runs in the read's thread: hashing a block lets go of the interpreter.
"""

import hashlib


class Body:
    """The body of one answer, part by part in order. Used by one thread at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.bytes = 0
        self._hash = hashlib.sha256()

    def take(self, part: bytes) -> bytes:
        """Give what is sent for the next part of the document."""
        self.bytes += len(part)
        self._hash.update(part)
        return part

    @property
    def digest(self) -> bytes:
        """The SHA-256 of all that was taken: of the whole document once its last part has been."""
        return self._hash.digest()
