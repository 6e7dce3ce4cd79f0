"""What registration asks of the store; the contract is that of `ports.StoreWriter`."""

from collections.abc import Sequence
from typing import Protocol

from rowgate.records import InitialToken


class InitialTokenWriter(Protocol):
    """Initial access tokens (RFC 7591 §3), inside a transaction of the administrator's side. No follower needs them."""

    def add(self, token: InitialToken) -> None:
        """Keep a new one.

        Raises:
            NameTaken: There is one of that handle.
        """

    def find(self, digest: bytes) -> InitialToken | None:
        """Give the one of that digest, or None."""

    def list_all(self) -> Sequence[InitialToken]:
        """Give all that are known, in order of their end; those that were used too."""

    def use(self, digest: bytes, *, used_at: int, client_id: str) -> bool:
        """Tell whether this is the first use of a known one; from then on it is not."""

    def remove(self, handle: str) -> None:
        """Forget one.

        Raises:
            UnknownName: There is none of that handle.
        """

    def forget(self, expired_before: int) -> None:
        """Drop those that expired before that second, used or not."""
