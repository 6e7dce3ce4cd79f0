"""The sample database: the same for the same seed, and holding what the demo and other tests count on."""

import errno
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rowgate.sample import SampleSummary, build, build_sample

OBJECTS = {
    "SA_ADInventory_Users": "table",
    "SA_ADInventory_UsersView": "view",
    "SA_ADInventory_Computers": "table",
    "SA_ADInventory_ComputersView": "view",
    "SA_ServiceAccounts": "table",
    "SA_SharePoint_Permissions": "table",
    "SA_Jobs_DiskUsage": "table",
    "SA_Jobs_OpenShares": "table",
    "SA_Activity_Events": "table",
}
# If this changes on purpose, every example with values of the sample changes with it.
DEFAULT_DIGEST = "27f0018cc7138ad4"


def query(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(statement).fetchall()


def digest(path: Path) -> str:
    rows = [query(path, f"SELECT * FROM {name}") for name in OBJECTS]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return build_sample(tmp_path_factory.mktemp("sample") / "sample.sqlite")


def test_default_sample_is_the_same_everywhere(sample: SampleSummary) -> None:
    assert digest(sample.path) == DEFAULT_DIGEST


def test_seed_decides_the_rows_of_every_object(sample: SampleSummary, tmp_path: Path) -> None:
    again = build_sample(tmp_path / "again.sqlite", seed=72).path
    other = build_sample(tmp_path / "other.sqlite", seed=73).path
    assert digest(again) == digest(sample.path)
    for name in OBJECTS:
        assert query(other, f"SELECT * FROM {name}") != query(sample.path, f"SELECT * FROM {name}"), name


def test_summary_tells_what_the_file_holds(sample: SampleSummary) -> None:
    assert {name: kind for name, kind, _ in sample.objects} == OBJECTS
    for name, _, rows in sample.objects:
        assert query(sample.path, f"SELECT count(*) FROM {name}") == [(rows,)]
        assert 20 <= rows <= 500


def test_rows_scale_the_events_alone(sample: SampleSummary, tmp_path: Path) -> None:
    reports: list[int] = []
    large = build_sample(tmp_path / "large.sqlite", rows=50_000, progress=reports.append)
    assert large.objects[:-1] == sample.objects[:-1]
    assert large.objects[-1] == ("SA_Activity_Events", "table", 50_000)
    assert reports == sorted(reports)
    assert reports[-1] == 50_000
    assert build_sample(tmp_path / "empty.sqlite", rows=0).objects[-1].rows == 0


@pytest.mark.parametrize("table", ["SA_Jobs_DiskUsage", "SA_Jobs_OpenShares"])
def test_job_tables_hold_several_runs(sample: SampleSummary, table: str) -> None:
    runs = [key for (key,) in query(sample.path, f"SELECT DISTINCT JobRunTimeKey FROM {table} ORDER BY 1")]
    assert len(runs) >= 4
    assert "2018-11-05T13:15:30" in runs[:-1]


def test_values_that_readers_get_wrong_are_there(sample: SampleSummary) -> None:
    names = {name for (name,) in query(sample.path, "SELECT DisplayName FROM SA_ADInventory_UsersView")}
    assert {"Zoë Åkesson", "Łukasz Wójcik", "Jörg Straßer", "山田 花子"} <= names
    assert query(sample.path, "SELECT max(TotalBytes) FROM SA_Jobs_DiskUsage") == [(9_007_199_254_740_993,)]
    nullable = "UserName", "FilePath", "Bytes", "DurationMs", "StorageCost"
    for column in nullable:
        ((nulls,),) = query(sample.path, f"SELECT count(*) FROM SA_Activity_Events WHERE {column} IS NULL")
        assert 0 < nulls < 150, column


def test_names_are_unique_and_grouping_has_groups(sample: SampleSummary) -> None:
    assert query(sample.path, "SELECT count(DISTINCT SamAccountName) FROM SA_ADInventory_Users") == [(240,)]
    groups = query(sample.path, "SELECT count(*) FROM SA_SharePoint_Permissions GROUP BY hostName")
    assert len(groups) >= 4
    assert min(groups) >= (50,)


def test_a_file_that_exists_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        build_sample(path)
    assert path.read_text() == "mine"


def test_a_build_cut_short_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_sample(tmp_path / "cut.sqlite", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_negative_rows_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows"):
        build_sample(tmp_path / "none.sqlite", rows=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_as_one_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = f"{build._FAST_SETTINGS}; PRAGMA max_page_count = 10;"  # which the engine takes for a full disk
    monkeypatch.setattr(build, "_FAST_SETTINGS", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        build_sample(tmp_path / "sample.sqlite")
    assert raised.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
