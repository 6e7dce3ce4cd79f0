"""The Iceberg tables of a served folder: the view that stands for each, or why there is none."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from rowgate.engines.iceberg import NAMED_PLACE, UnreadableTable, find_metadata, read_table
from rowgate.engines.iceberg_view import Ask, read_columns, render_view

Look = tuple[
    str, str, Sequence[int]
]  # the table's name; its metadata file, or why none is the current; as that file is


def look_at_tables(folder: Path) -> Iterator[Look]:
    """Give what differs once one of the tables has another snapshot, in order of name."""
    with os.scandir(folder) as entries:
        found = sorted(entry.name for entry in entries if _may_hold(entry))
    for name in found:
        try:
            metadata = find_metadata(folder / name)
            if metadata is not None:
                status = metadata.stat()
                told = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
                yield name, metadata.name, told
        except UnreadableTable as error:
            yield name, str(error), ()
        except OSError as error:
            yield name, f"its metadata cannot be read: {error}", ()


def _may_hold(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith((".", "_")) or NAMED_PLACE.search(entry.name):
        return False
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


class IcebergFolder:
    """What was found of the tables when the folder was opened."""

    def __init__(self, folder: Path) -> None:
        """Take the served folder; nothing is read yet."""
        self._folder = folder
        self._known: dict[Look, str] = {}  # the view of each table as it was last seen
        self.metadata: Mapping[str, Path] = {}  # of the tables that can be read, by name
        self.faults: Mapping[str, str] = {}  # of those that cannot

    def render_views(self, ask: Ask, taken: Collection[str]) -> Mapping[str, str]:
        """Give the statement of each table that can be read, by its name; `taken` has the names of files."""
        views: dict[Look, str] = {}
        faults: dict[str, str] = {}
        names = {name.lower() for name in taken}
        for look in look_at_tables(self._folder):
            name, metadata, told = look
            is_taken = name.lower() in names
            names.add(name.lower())
            if not told or is_taken:
                faults[name] = "another file or table of the folder has the same name" if told else metadata
                continue
            try:
                views[look] = self._known.get(look) or self._render(name, metadata, ask)
            except UnreadableTable as error:
                faults[name] = str(error)
        self._known, self.faults = views, faults
        self.metadata = {name: self._place(name, metadata) for name, metadata, _ in views}
        return {name: view for (name, *_), view in views.items()}

    def _render(self, name: str, metadata: str, ask: Ask) -> str:
        table = read_table(self._place(name, metadata), self._folder)
        try:
            columns = read_columns(ask, [file.path for file in (*table.rows, *table.equalities)])
            view = render_view(table, columns)
            ask(f"DESCRIBE {view}")
        except duckdb.Error as error:
            raise UnreadableTable(f"DuckDB cannot read its files: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UnreadableTable(f"its metadata cannot be read: {type(error).__name__}: {error}") from error
        return view

    def _place(self, name: str, metadata: str) -> Path:
        return self._folder / name / "metadata" / metadata
