"""Makes the tables and the first keys of a state, in whatever database it is. Loads Alembic only when it must."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from rowgate.ports import StoreError
from rowgate.store.master_key import DIGEST, SEALING, wrap_key
from rowgate.store.schema import keys


def bring_up_to_date(connection: Connection, place: str) -> None:
    """Have the tables be those of this release.

    Args:
        connection: Of an open transaction that keeps other writers out.
        place: Where they are, as people are told it.

    Raises:
        StoreError: They are no tables of any release.
    """
    from alembic import command  # noqa: PLC0415 - slow to load, and seldom needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"{place} was written by no release that this one follows: {error}; run the release that wrote it, or "
            "restore it from a backup"
        ) from error


def keep_first_keys(
    connection: Connection, master_key: bytes, *, sealing: bytes, digest: bytes, nonces: bytes, now: float
) -> None:
    """Keep the keys of a new state, see `SqlStore.create`."""
    wrapped = [
        {"purpose": purpose, "wrapped": wrap_key(master_key, purpose, key, nonce), "created_at": int(now)}
        for purpose, key, nonce in ((SEALING, sealing, nonces[:12]), (DIGEST, digest, nonces[12:24]))
    ]
    connection.execute(sa.insert(keys), wrapped)
