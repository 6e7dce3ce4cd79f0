"""The home's keys inside a transaction: sealing keys by number, signing keys by kid. Never kept in the clear."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection, CursorResult
from sqlalchemy.exc import IntegrityError

from rowgate.ports import NameTaken, StoreError, UnknownName
from rowgate.records import KeptSigningKey, KeyMaterial
from rowgate.store import loading
from rowgate.store.master_key import SEALING, name_signing_purpose, wrap_key
from rowgate.store.plain import run_plain
from rowgate.store.schema import keys, signing_keys

MAX_SEALING_NUMBER = 65_535  # two bytes of every token


class SqlKeyWriter:
    """See `ports.KeyWriter`."""

    def __init__(self, connection: Connection, master_key: bytes, *, changed: Callable[[str, str], None]) -> None:
        """Take the connection of the open transaction, the master key, and what leaves a mark for the followers."""
        self._connection = connection
        self._master_key = master_key
        self._changed = changed

    def load(self) -> KeyMaterial:
        """See `ports.KeyWriter`."""
        return loading.load_keys(partial(run_plain, self._connection), self._master_key)

    def add_sealing_key(self, key: bytes, *, created_at: int, nonce: bytes) -> int:
        """See `ports.KeyWriter`."""
        wrapped = wrap_key(self._master_key, SEALING, key, nonce)
        inserted = self._connection.execute(
            sa.insert(keys).values(purpose=SEALING, wrapped=wrapped, created_at=created_at)
        )
        primary_key = inserted.inserted_primary_key
        assert primary_key is not None, "internal error: an insert that gave no number"
        number = int(primary_key[0])
        if number > MAX_SEALING_NUMBER:
            raise StoreError("the numbers of sealing keys are used up: make a new home")
        self._changed("keys", str(number))
        return number

    def remove_sealing_key(self, number: int) -> None:
        """See `ports.KeyWriter`."""
        self._require_one(sa.delete(keys).where(keys.c.number == number, keys.c.purpose == SEALING))
        self._changed("keys", str(number))

    def add_signing_key(self, key: KeptSigningKey, *, nonce: bytes) -> None:
        """See `ports.KeyWriter`."""
        values = asdict(key)
        private_key = values.pop("private_key")
        values["wrapped"] = wrap_key(self._master_key, name_signing_purpose(key.kid), private_key, nonce)
        try:
            self._connection.execute(sa.insert(signing_keys).values(values))
        except IntegrityError:
            # `from None`: the database's own words repeat the statement's values
            raise NameTaken(f"there is a signing key {key.kid} already") from None
        self._changed("keys", key.kid)

    def retire_signing_key(self, kid: str, *, retired_at: int, forget_at: int) -> None:
        """See `ports.KeyWriter`."""
        which = sa.update(signing_keys).where(signing_keys.c.kid == kid)
        self._require_one(which.values(retired_at=retired_at, forget_at=forget_at))
        self._changed("keys", kid)

    def remove_signing_key(self, kid: str) -> None:
        """See `ports.KeyWriter`."""
        self._require_one(sa.delete(signing_keys).where(signing_keys.c.kid == kid))
        self._changed("keys", kid)

    def _require_one(self, statement: sa.Update | sa.Delete) -> None:
        touched: CursorResult[object] = self._connection.execute(statement)
        if touched.rowcount == 0:
            raise UnknownName("there is no such key")
