"""Initial access tokens inside a transaction: known by a digest, told apart by a handle."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from rowgate.ports import NameTaken, UnknownName
from rowgate.records import InitialToken
from rowgate.store.schema import initial_access_tokens as kept

_decode_objects = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlInitialTokenWriter:
    """See `ports.registrations.InitialTokenWriter`."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection of the open transaction."""
        self._connection = connection

    def add(self, token: InitialToken) -> None:
        """See `ports.registrations.InitialTokenWriter`."""
        try:
            self._connection.execute(
                sa.insert(kept).values(
                    digest=token.digest,
                    handle=token.handle,
                    scope=" ".join(token.scope),
                    objects=msgspec.json.encode(token.objects).decode(),
                    expires_at=token.expires_at,
                    used_at=token.used_at,
                    client_id=token.client_id,
                )
            )
        except IntegrityError:
            # `from None`: the database's own words repeat the statement's values
            raise NameTaken(f"the handle {token.handle} names another token; try again") from None

    def find(self, digest: bytes) -> InitialToken | None:
        """See `ports.registrations.InitialTokenWriter`."""
        row = self._connection.execute(sa.select(kept).where(kept.c.digest == digest)).first()
        return None if row is None else _read(row)

    def list_all(self) -> Sequence[InitialToken]:
        """See `ports.registrations.InitialTokenWriter`."""
        rows = self._connection.execute(sa.select(kept).order_by(kept.c.expires_at, kept.c.handle))
        return [_read(row) for row in rows]

    def use(self, digest: bytes, *, used_at: int, client_id: str) -> bool:
        """See `ports.registrations.InitialTokenWriter`."""
        which = sa.and_(kept.c.digest == digest, kept.c.used_at == 0)
        used = sa.update(kept).where(which).values(used_at=used_at, client_id=client_id)
        return self._connection.execute(used).rowcount > 0

    def remove(self, handle: str) -> None:
        """See `ports.registrations.InitialTokenWriter`."""
        if self._connection.execute(sa.delete(kept).where(kept.c.handle == handle)).rowcount == 0:
            raise UnknownName(f"there is no initial access token {handle}")

    def forget(self, expired_before: int) -> None:
        """See `ports.registrations.InitialTokenWriter`."""
        self._connection.execute(sa.delete(kept).where(kept.c.expires_at < expired_before))


def _read(row: Any) -> InitialToken:
    return InitialToken(
        digest=row.digest,
        handle=row.handle,
        scope=tuple(row.scope.split(" ")),
        objects=_decode_objects(row.objects),
        expires_at=row.expires_at,
        used_at=row.used_at,
        client_id=row.client_id,
    )
