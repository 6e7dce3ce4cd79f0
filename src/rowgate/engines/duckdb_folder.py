"""A folder that DuckDB serves: the views that stand for its files and Iceberg tables, or why there is none for one.

Rule: what cannot be read is left out alone, and who runs the server is told; the rest is served.
"""

import logging
import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from rowgate.engines.duckdb_texts import quote_text
from rowgate.engines.iceberg import NAMED_PLACE
from rowgate.engines.iceberg_folder import IcebergFolder, look_at_tables
from rowgate.engines.iceberg_view import Ask
from rowgate.rows.dialects.duckdb import DUCKDB

AGAIN_SECONDS = 30.0  # after which what was left out is looked at anew, though no file has changed
_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv"}
_log = logging.getLogger("rowgate.databases")


class ServedFolder:
    """What was found in the folder when it was opened."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the folder and a clock (seconds); nothing is read yet."""
        self._folder = folder
        self._clock = clock
        self._looked_at = 0.0
        self._round = 0
        self._tables = IcebergFolder(folder)
        self.places: Mapping[str, Path] = {}  # by object, the one file that says what its rows are
        self.faults: Mapping[str, str] = {}  # why there is none, by the name that it would have

    def identify(self) -> Hashable:
        """Give what differs once a file was added, taken away or replaced, a table written, or another look is due.

        Raises:
            OSError: The folder cannot be looked at.
        """
        if self.faults and self._clock() - self._looked_at >= AGAIN_SECONDS:
            self._looked_at = self._clock()
            self._round += 1
        return tuple(_list_files(self._folder)), tuple(look_at_tables(self._folder)), self._round

    def make_views(self, ask: Ask) -> None:
        """Make a view of each file and table that can be read; `ask` runs a statement and gives its rows.

        Raises:
            duckdb.Error: DuckDB has no memory left, which says nothing of a file.
        """
        self._looked_at = self._clock()
        files, faults = _tell_apart([name for name, *_ in _list_files(self._folder)])
        places: dict[str, Path] = {}
        for name, file in files.items():
            reader = f"{_READERS[Path(file).suffix.lower()]}({quote_text(str(self._folder / file))})"
            try:
                ask(f"CREATE VIEW {DUCKDB.quote(name)} AS SELECT * FROM {reader}")  # noqa: S608 - quoted
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error as error:
                why, _, _ = str(error).partition("\n")  # what follows is the statement
                faults[name] = f"DuckDB cannot read {file}: {why}"
            else:
                places[name] = self._folder / file
        for name, text in self._tables.render_views(ask, {**files, **faults}).items():
            ask(f"CREATE VIEW {DUCKDB.quote(name)} AS {text}")
        self.places = {**places, **self._tables.metadata}
        self._tell({**self._tables.faults, **faults})

    def _tell(self, faults: Mapping[str, str]) -> None:
        """Keep the faults, and log what was not so when the folder was last opened."""
        for name, fault in faults.items():
            if self.faults.get(name) != fault:
                _log.warning("%s of %s is not served: %s", name, self._folder, fault)
        for name in self.faults:
            if name in self.places:
                _log.info("%s of %s is served again", name, self._folder)
        self.faults = faults


def _tell_apart(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Give the file of each object by its name, and why others have none.

    Of files whose objects would have one name none is served: nobody who was granted one of them may get the other.
    To DuckDB names are the same that differ in case alone.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(Path(name).stem.lower(), []).append(name)
    files: dict[str, str] = {}
    faults: dict[str, str] = {}
    for same in alike.values():
        for name in same:
            if len(same) == 1:
                files[Path(name).stem] = name
            else:
                faults[Path(name).stem] = f"{', '.join(same)} would have one name: rename all but one"
    return files, faults


def _list_files(folder: Path) -> Iterator[tuple[str, int, int, int, int]]:
    """Give the files that are served, each with its number, times and size, in order of name."""
    with os.scandir(folder) as entries:
        files = sorted(entries, key=lambda entry: entry.name)
    for entry in files:
        is_served = Path(entry.name).suffix.lower() in _READERS and not entry.name.startswith((".", "_"))
        if is_served and entry.is_file() and not NAMED_PLACE.search(entry.name):
            status = entry.stat()
            yield entry.name, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
