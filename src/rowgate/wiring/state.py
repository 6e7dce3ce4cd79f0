"""Opens a home's state where the settings say that it is: a file in the home, or PostgreSQL, which replicas share."""

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rowgate.config import ConfigError, Settings
from rowgate.ports import Store
from rowgate.store.following import NEWEST_REVISION, SqlReader
from rowgate.store.master_key import load_master_key
from rowgate.store.reader import SqliteReader

if TYPE_CHECKING:
    from rowgate.store.postgres_connection import PostgresPlace


def open_store(settings: Settings) -> Store:
    """Open the home's state.

    Raises:
        StoreError: The home is not usable; the text says what to do.
        ConfigError: The settings do not say where it is.
    """
    master_key = load_master_key(settings.master_key_path)
    # loaded here: workers do without, until something is to be written
    if settings.state:
        place = _find_place(settings)
        from rowgate.store.postgres_store import PostgresStore  # noqa: PLC0415

        return PostgresStore(place, master_key, max_secret_seconds=settings.max_secret_seconds)
    from rowgate.store.sql_store import SqlStore  # noqa: PLC0415

    return SqlStore(settings.state_path, master_key, max_secret_seconds=settings.max_secret_seconds)


def open_reader(settings: Settings) -> SqlReader:
    """Open the home's state to follow it; its tables are brought up to date first.

    Raises:
        StoreError: The home is not usable; the text says what to do.
        ConfigError: The settings do not say where it is.
    """
    reader = _make_reader(settings, load_master_key(settings.master_key_path))
    try:
        if reader.find_revision() != NEWEST_REVISION:
            open_store(settings).close()
    except BaseException:
        reader.close()
        raise
    return reader


def create_state(settings: Settings, master_key: bytes, *, entropy: Callable[[int], bytes], now: float) -> None:
    """Make a new state with its first keys.

    Raises:
        StoreError: There is one already, or it cannot be made.
        ConfigError: The settings do not say where it is to be.
    """
    first = {"sealing": entropy(32), "digest": entropy(32), "nonces": entropy(24)}
    if settings.state:
        place = _find_place(settings)
        from rowgate.store.postgres_store import PostgresStore  # noqa: PLC0415 - see open_store

        PostgresStore.create(place, master_key, **first, now=now).close()
        return
    from rowgate.store.sql_store import SqlStore  # noqa: PLC0415

    SqlStore.create(settings.state_path, master_key, **first, now=now).close()


def copy_state(settings: Settings, target: Settings) -> None:
    """Copy a home's state from the home into PostgreSQL, with its keys as they are.

    Raises:
        StoreError: It cannot be read, or there is a state at the target already.
        ConfigError: The home's state is not in the home, or the target's settings do not say where it goes.
    """
    if settings.state:
        raise ConfigError(f"the state of this home is in PostgreSQL already: {tell_state(settings)}")
    master_key = load_master_key(settings.master_key_path)
    place = _find_place(target)
    from rowgate.store.postgres_store import PostgresStore  # noqa: PLC0415 - see open_store
    from rowgate.store.sql_store import SqlStore  # noqa: PLC0415

    with contextlib.closing(SqlStore(settings.state_path, master_key)) as source:
        PostgresStore.copy(place, master_key, source).close()


def tell_state(settings: Settings) -> str:
    """Give where the state is, as people are told it; nothing for a file in the home.

    Raises:
        ConfigError: The settings do not say where it is.
    """
    return _find_place(settings).told if settings.state else ""


def measure_clock_error(settings: Settings) -> float | None:
    """Give by how many seconds this machine's clock is ahead of that of the state's server; None: it is a file here.

    Raises:
        StoreError: The server cannot be asked.
        ConfigError: The settings do not say where it is.
    """
    if not settings.state:
        return None
    place = _find_place(settings)
    from rowgate.store.postgres import PostgresReader  # noqa: PLC0415 - most do without

    with contextlib.closing(PostgresReader(place, load_master_key(settings.master_key_path))) as reader:
        reader.find_revision()  # so that the time to connect is no part of it
        asked_at = time.time()
        told = reader.ask_clock()
        return (asked_at + time.time()) / 2 - told


def _make_reader(settings: Settings, master_key: bytes) -> SqlReader:
    if settings.state:
        place = _find_place(settings)
        from rowgate.store.postgres import PostgresReader  # noqa: PLC0415 - most do without

        return PostgresReader(place, master_key, max_secret_seconds=settings.max_secret_seconds)
    return SqliteReader(settings.state_path, master_key, max_secret_seconds=settings.max_secret_seconds)


def _find_place(settings: Settings) -> "PostgresPlace":
    try:
        from rowgate.engines.postgres_address import read_address  # noqa: PLC0415 - most do without
        from rowgate.store.postgres_connection import PostgresPlace  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("to keep the state in PostgreSQL: pip install 'rowgate[postgres]'") from error
    try:
        return PostgresPlace(read_address(settings.state, settings.state_password_file), settings.state_schema)
    except OSError as error:
        raise ConfigError(f"state_password_file cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the address of the state: {error}") from error
