"""A folder that DuckDB serves: the views that stand for its files and Iceberg tables, or why there is none for one.

Rule: what cannot be read is left out alone, and who runs the server is told; the rest is served.
"""

import logging
import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb

from rowgate.engines.duckdb_texts import quote_text
from rowgate.engines.iceberg import NAMED_PLACE
from rowgate.engines.iceberg_folder import IcebergFolder, look_at_tables
from rowgate.engines.iceberg_view import Ask
from rowgate.rows.dialects.duckdb import DUCKDB

AGAIN_SECONDS = 30.0  # after which what was left out is looked at anew, though no file has changed
_SHARE = 20  # or so many times as long as the look took: a line of 5 MB in a CSV file is looked at for 18 s
_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv"}
_PACKED = (".gz", ".zst")  # behind .csv or .tsv; Parquet packs itself
_File: TypeAlias = tuple[str, int, int, int, int]  # its name, number, times and size
_log = logging.getLogger("rowgate.databases")


class ServedFolder:
    """What was found in the folder when it was opened."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the folder and a clock (seconds); nothing is read yet."""
        self._folder = folder
        self._clock = clock
        self._looked_at = 0.0
        self._round = 0
        self._known: dict[_File, tuple[str, float]] = {}  # why a file cannot be read, and after how long that was known
        self._tables = IcebergFolder(folder)
        self.places: Mapping[str, Path] = {}  # by object, the one file that says what its rows are
        self.faults: Mapping[str, str] = {}  # why there is none, by the name that it would have

    def identify(self) -> Hashable:
        """Give what differs once a file was added, taken away or replaced, a table written, or another look is due.

        Raises:
            OSError: The folder cannot be looked at.
        """
        pause = max(AGAIN_SECONDS, _SHARE * sum(seconds for _, seconds in self._known.values()))
        if self.faults and self._clock() - self._looked_at >= pause:
            self._looked_at = self._clock()
            self._round += 1
            self._known = {}
        return tuple(_list_files(self._folder)), tuple(look_at_tables(self._folder)), self._round

    def make_views(self, ask: Ask) -> None:
        """Make a view of each file and table that can be read; `ask` runs a statement and gives its rows."""
        self._looked_at = self._clock()
        listed = {file[0]: file for file in _list_files(self._folder)}
        files, faults = _tell_apart(list(listed))
        places: dict[str, Path] = {}
        known: dict[_File, tuple[str, float]] = {}
        for name, file in files.items():
            began = self._clock()
            found = self._known.get(listed[file]) or (self._find_fault(name, file, ask), self._clock() - began)
            if found[0]:
                faults[name], _ = known[listed[file]] = found
            else:
                places[name] = self._folder / file
        for name, text in self._tables.render_views(ask, {**files, **faults}).items():
            ask(f"CREATE VIEW {DUCKDB.quote(name)} AS {text}")
        self._known = known
        self.places = {**places, **self._tables.metadata}
        self._tell({**self._tables.faults, **faults})

    def _find_fault(self, name: str, file: str, ask: Ask) -> str:
        """Make the view of a file, or give why there is none: that it takes all memory is its own fault, too."""
        place = self._folder / file
        if not place.resolve().is_relative_to(self._folder.resolve()):
            return f"{file} is a link to a file outside of the folder"
        try:
            reader = f"{_READERS[_take_apart(file)[1]]}({quote_text(str(place))})"
            ask(f"CREATE VIEW {DUCKDB.quote(name)} AS SELECT * FROM {reader}")  # noqa: S608 - quoted
        except duckdb.Error as error:
            return f"DuckDB cannot read {file}: {_tell_why(error)}"
        return ""

    def _tell(self, faults: Mapping[str, str]) -> None:
        """Keep the faults, and log what was not so when the folder was last opened."""
        for name, fault in faults.items():
            if self.faults.get(name) != fault:
                _log.warning("%s of %s is not served: %s", name, self._folder, fault)
        for name in self.faults:
            if name in self.places:
                _log.info("%s of %s is served again", name, self._folder)
        self.faults = faults


def _take_apart(file: str) -> tuple[str, str]:
    """Give the object's name and what kind of file it is, in lower case; a text file may be packed.

    >>> _take_apart("sales.2024.CSV.gz")
    ('sales.2024', '.csv')
    >>> _take_apart("backup.gz")
    ('backup', '.gz')
    """
    path = Path(file)
    inner = Path(path.stem)
    if path.suffix.lower() in _PACKED and _READERS.get(inner.suffix.lower()) == "read_csv":
        path = inner
    return path.stem, path.suffix.lower()


def _tell_why(error: duckdb.Error) -> str:
    """Give the first line: what follows may hold the statement, and rows of the file."""
    why, _, rest = str(error).partition("\n")
    return f"{why}: it is not UTF-8" if "not utf-8 encoded" in rest.lower() else why


def _tell_apart(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Give the file of each object by its name, and why others have none.

    Of files whose objects would have one name none is served: nobody who was granted one of them may get the other.
    To DuckDB names are the same that differ in case alone.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_take_apart(name)[0].lower(), []).append(name)
    files: dict[str, str] = {}
    faults: dict[str, str] = {}
    for same in alike.values():
        for name in same:
            if len(same) == 1:
                files[_take_apart(name)[0]] = name
            else:
                faults[_take_apart(name)[0]] = f"{', '.join(same)} would have one name: rename all but one"
    return files, faults


def _list_files(folder: Path) -> Iterator[_File]:
    """Give the files that are served, in order of name."""
    with os.scandir(folder) as entries:
        files = sorted(entries, key=lambda entry: entry.name)
    for entry in files:
        is_served = _take_apart(entry.name)[1] in _READERS and not entry.name.startswith((".", "_"))
        if not is_served or NAMED_PLACE.search(entry.name):
            continue
        try:
            status = entry.stat() if entry.is_file() else None
        except OSError:  # gone by now, or a link that leads to itself: no file, and the others are served
            status = None
        if status is not None:
            yield entry.name, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
