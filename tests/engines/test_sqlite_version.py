"""A version of rows in SQLite never stays the same while they change: by whomever, in every journal mode."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.errors import EngineUnavailable
from rowgate.rows.model import Statement

# In this process apsw writes: of two SQLite libraries in one process neither sees the locks of the other.
WRITE = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"


@pytest.fixture(params=["delete", "truncate", "persist", "wal"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / "versions.sqlite"
    with closing(sqlite3.connect(made)) as writer, writer:
        writer.execute(f"PRAGMA journal_mode = {request.param}")
        writer.execute("CREATE TABLE t (n INTEGER)")
        writer.execute("CREATE TABLE other (n INTEGER)")
    return made


@pytest.fixture
def source(path: Path) -> Iterator[SqliteSource]:
    with closing(SqliteSource(path)) as opened:
        yield opened


def find(source: SqliteSource, name: str = "t") -> bytes | None:
    described = source.find_object(name)
    assert described is not None
    return source.find_version(described)


def write_elsewhere(path: Path, statement: str) -> None:
    subprocess.run([sys.executable, "-c", WRITE, str(path), statement], check=True, timeout=30)


def read(source: SqliteSource) -> list[tuple[object, ...]]:
    with closing(source.open_rows(Statement("SELECT n FROM t", ()), statement_seconds=5)) as blocks:
        return list(blocks.read_block())


def test_it_stays_while_nothing_is_written(source: SqliteSource) -> None:
    first = find(source)
    assert first is not None
    read(source)
    assert find(source) == first == find(source)


def test_another_process_changes_it_with_every_commit(source: SqliteSource, path: Path) -> None:
    seen = {find(source)}
    for n in range(5):
        write_elsewhere(path, f"INSERT INTO t VALUES ({n})")
        seen.add(find(source))
        assert len(read(source)) == n + 1
    assert len(seen) == 6
    assert None not in seen


def test_a_connection_of_this_process_changes_it_too(source: SqliteSource, path: Path) -> None:
    """Written without a pause, so that times of files have no chance to differ."""
    seen = {find(source)}
    with closing(apsw.Connection(str(path))) as writer:
        for n in range(200):
            writer.execute("INSERT INTO t VALUES (?)", (n,))
            seen.add(find(source))
    assert len(seen) == 201


def test_what_is_not_committed_does_not_change_it(source: SqliteSource, path: Path) -> None:
    """Equal versions, equal rows: what was written and taken back was never there."""
    first = find(source)
    with closing(apsw.Connection(str(path))) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 50000) INSERT INTO t SELECT n FROM c"
        )
        during = find(source)
        if writer.pragma("journal_mode") == "wal":
            assert (during, read(source)) == (first, [])
        writer.execute("ROLLBACK")  # in the other modes its pages are in the file, and readers are kept out
    assert read(source) == []
    assert first is not None


def test_a_checkpoint_loses_no_change(source: SqliteSource, path: Path) -> None:
    with closing(apsw.Connection(str(path))) as writer:
        for n in range(20):
            before = find(source)
            writer.execute("INSERT INTO t VALUES (?)", (n,))
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            assert find(source) != before


def test_a_file_put_in_its_place_has_another(source: SqliteSource, path: Path, tmp_path: Path) -> None:
    """Renamed over it, or copied into it: with the same number of changes, but other rows."""
    write_elsewhere(path, "PRAGMA journal_mode = delete")
    twin = tmp_path / "twin.sqlite"
    shutil.copy(path, twin)
    for file, n in ((path, 1), (twin, 2)):
        write_elsewhere(file, f"INSERT INTO t VALUES ({n})")
    first = find(source)
    assert read(source) == [(1,)]
    shutil.copyfile(twin, path)
    second = find(source)
    twin.rename(path)
    assert len({first, second, find(source)}) == 3


FIND = """
import sys
from contextlib import closing
from pathlib import Path
from rowgate.engines.sqlite import SqliteSource
with closing(SqliteSource(Path(sys.argv[1]))) as source:
    source.find_version(source.find_object("t"))  # which opens the file
    print(source.find_version(source.find_object("t")).hex())
"""


def test_it_is_the_same_in_every_process(source: SqliteSource, path: Path) -> None:
    """So a tag that one worker gave is understood by the others, and after a restart."""
    read(source)
    first = find(source)
    assert first is not None
    elsewhere = subprocess.run([sys.executable, "-c", FIND, str(path)], check=True, capture_output=True, timeout=30)
    assert bytes.fromhex(elsewhere.stdout.decode()) == first == find(source)


def test_nobody_waits_for_a_writer(source: SqliteSource, path: Path) -> None:
    """The file says itself what was committed last."""
    first = find(source)
    with closing(apsw.Connection(str(path))) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert find(source) == first
        writer.execute("ROLLBACK")


WRITE_OR_SAY_BUSY = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], timeout=0)
try:
    c.execute("INSERT INTO t VALUES (1)")
    c.commit()
except sqlite3.OperationalError as error:
    print(error)
"""


def test_to_look_takes_no_lock_from_a_reader(source: SqliteSource, path: Path) -> None:
    """A process that closes a file drops all its locks on it, so whoever is done with looking must not close it."""
    write_elsewhere(path, "PRAGMA journal_mode = delete")
    with closing(apsw.Connection(str(path))) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT n FROM t").fetchall()
        find(source)
        with closing(SqliteSource(path)) as other:
            find(other)
        tried = subprocess.run(
            [sys.executable, "-c", WRITE_OR_SAY_BUSY, str(path)], check=True, capture_output=True, timeout=30
        )
        assert tried.stdout == b"database is locked\n"


def list_open_files() -> set[int]:
    """Give the inodes of what this process has open."""
    return {link.stat().st_ino for link in Path("/proc/self/fd").iterdir() if link.exists()}


def test_files_that_were_replaced_are_let_go(source: SqliteSource, path: Path, tmp_path: Path) -> None:
    """Else a file that is put in place every night would keep the space of all before it; the last may wait."""
    replaced = []
    for n in range(5):
        read(source)
        find(source)
        twin = tmp_path / f"twin{n}.sqlite"
        shutil.copy(path, twin)
        replaced.append(path.stat().st_ino)
        twin.rename(path)
    source.look_again()
    find(source)
    read(source)
    numbers = {path.stat().st_ino, replaced[-1]}  # they are given again
    assert list_open_files().isdisjoint(set(replaced) - numbers)


@pytest.mark.parametrize(
    ("view", "is_steady"),
    [
        ("SELECT n, upper(n) AS u, count(*) OVER () AS c FROM t", True),
        ("SELECT * FROM t JOIN other USING (n)", True),
        ("SELECT n FROM t WHERE n > random()", False),
        ("SELECT n, datetime('now') AS d FROM t", False),
        ("SELECT n, CURRENT_TIMESTAMP AS d FROM t", False),
        ("SELECT value FROM json_each('[1]')", False),
        ("SELECT n FROM fts", False),
    ],
)
def test_only_what_hangs_on_nothing_else_has_one(tmp_path: Path, view: str, is_steady: bool) -> None:  # noqa: FBT001
    path = tmp_path / "views.sqlite"
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("CREATE TABLE t (n INTEGER)")
        writer.execute("CREATE TABLE other (n INTEGER)")
        writer.execute("CREATE VIRTUAL TABLE fts USING fts5(n)")
        writer.execute(f"CREATE VIEW v AS {view}")
        writer.execute("CREATE VIEW outer_v AS SELECT * FROM v")
    with closing(SqliteSource(path)) as source:
        for name in ("v", "outer_v"):
            assert (find(source, name) is not None) is is_steady
        assert find(source, "fts") is None


def test_another_view_of_the_same_name_is_looked_at_anew(tmp_path: Path) -> None:
    path = tmp_path / "views.sqlite"
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("CREATE VIEW v AS SELECT 1 AS n")
    with closing(SqliteSource(path)) as source:
        assert find(source, "v") is not None
        write_elsewhere(path, "DROP VIEW v")
        write_elsewhere(path, "CREATE VIEW v AS SELECT random() AS n")
        described = source.find_object("v")
        assert described is not None
        assert source.find_version(described) is None


COUNT = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for n in range(400):
    c.execute("UPDATE t SET n = ?", (n,))
    if n % 50 == 0:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


def test_one_version_is_never_of_two_contents(source: SqliteSource, path: Path) -> None:
    """What is read between two equal versions is the same whenever that version comes again."""
    write_elsewhere(path, "INSERT INTO t VALUES (-1)")
    contents: dict[bytes, list[tuple[object, ...]]] = {}
    with subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) as writer:
        while writer.poll() is None:
            try:
                before, rows, after = find(source), read(source), find(source)
            except EngineUnavailable:  # the writer leaves no gap
                continue
            if before is not None and before == after:
                assert contents.setdefault(before, rows) == rows
    assert writer.returncode == 0
    before, rows = find(source), read(source)
    assert rows == [(399,)]
    assert before is not None
    assert contents.get(before, rows) == rows
