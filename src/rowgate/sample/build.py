"""Makes the sample database file. Everything random comes from the seed: no clock, no machine, no environment."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Literal, cast

import apsw

from rowgate.sample import events, inventory, jobs, names, schema
from rowgate.sample.dice import Dice
from rowgate.sample.model import SampleObject, SampleSummary

_USERS = 240
_SERVERS = 24
_WORKSTATIONS = 156
_BLOCK_ROWS = 20_000  # between two reports of progress

# Nothing else sees the file before it is whole, so nothing has to be recoverable until then.
_FAST_SETTINGS = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE"


def build_sample(
    path: Path, *, rows: int = 300, seed: int = 72, progress: Callable[[int], None] | None = None
) -> SampleSummary:
    """Make the sample database at `path`; the same `rows` and `seed` give the same rows.

    The file appears whole or not at all: until the end an empty file holds its place.

    Args:
        path: where the file goes; its folder must exist.
        rows: how many rows `SA_Activity_Events` has, from 0; the other tables have a few hundred whatever it is.
        seed: any whole number.
        progress: called now and then, and at the end, with the number of events written so far.

    Raises:
        ValueError: `rows` is negative.
        FileExistsError: something stands at `path`; it is left as it was.
        OSError: the folder is missing or cannot be written, or the disk is full or failed.
    """
    if rows < 0:
        raise ValueError(f"rows must be 0 or more, not {rows}")
    with _claimed(path) as unfinished, closing(apsw.Connection(str(unfinished))) as database:
        for _ in database.execute(_FAST_SETTINGS):
            pass
        database.execute("BEGIN")
        database.execute(schema.CREATE_TABLES)
        people = names.draw_people(Dice(seed, "people"), count=_USERS)
        _fill_small_tables(database, seed, people)
        event_rows = events.event_rows(Dice(seed, "events"), people, rows=rows, hosts=_SERVERS + _WORKSTATIONS)
        for written in range(0, rows, _BLOCK_ROWS):
            database.executemany(schema.INSERT_EVENT, islice(event_rows, _BLOCK_ROWS))
            if progress is not None:
                progress(min(written + _BLOCK_ROWS, rows))
        database.execute(schema.CREATE_INDEXES_AND_VIEWS)
        database.execute("ANALYZE")
        database.execute("COMMIT")
        objects = tuple(
            SampleObject(cast("str", name), cast("Literal['table', 'view']", kind), cast("int", count))
            for name, kind, count in database.execute(schema.COUNT_ROWS)
        )
    return SampleSummary(path, objects)


def _fill_small_tables(database: apsw.Connection, seed: int, people: list[names.Person]) -> None:
    hosts = names.draw_hosts(servers=_SERVERS, workstations=_WORKSTATIONS)
    servers = hosts[:_SERVERS]
    for statement, rows in (
        (schema.INSERT_USER, inventory.user_rows(Dice(seed, "users"), people)),
        (
            schema.INSERT_COMPUTER,
            inventory.computer_rows(Dice(seed, "computers"), hosts, servers=_SERVERS, users=_USERS),
        ),
        (schema.INSERT_SERVICE_ACCOUNT, inventory.service_account_rows(Dice(seed, "service accounts"), people)),
        (schema.INSERT_PERMISSION, inventory.permission_rows(Dice(seed, "permissions"), people)),
        (schema.INSERT_DISK_USAGE, jobs.disk_usage_rows(Dice(seed, "disk usage"), servers)),
        (schema.INSERT_OPEN_SHARE, jobs.open_share_rows(Dice(seed, "open shares"), servers)),
    ):
        database.executemany(statement, rows)


@contextmanager
def _claimed(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is there takes the place of `path` in the end, or goes if the block fails.

    An exclusive create both refuses what exists and holds the place: two who make the same sample cannot both win.
    """
    path.open("xb").close()
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if isinstance(error, (apsw.FullError, apsw.IOError)):
            number = errno.ENOSPC if isinstance(error, apsw.FullError) else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from error
        raise
