"""An object that is changed while its description is remembered: the answer says so, and the next one is right."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import httpx
import pytest

from rows.harness import Reader, open_reader, success
from support.postgres import PostgresServer

TABLES = ("dropped", "renamed", "retyped", "counted")
ASKED = {"filters": [{"column": "v", "function": "equals", "value": "1"}], "columns": ["v"]}


class Changing:
    """A served database, and what its owner does to it."""

    def __init__(self, reader: Reader, execute: Callable[[str], object], *, keeps_to_types: bool) -> None:
        self.reader = reader
        self.execute = execute
        self.keeps_to_types = keeps_to_types


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def changing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    """On each engine that is read by hand."""
    folder = tmp_path_factory.mktemp("changing")
    path = folder / "served.sqlite"
    if request.param == "sqlite":
        with closing(apsw.Connection(str(path))) as owner, _serve(folder, path, owner.execute) as reader:
            yield Changing(reader, owner.execute, keeps_to_types=False)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    with server.owner(name) as connection:

        def execute(text: str) -> object:
            return connection.execute(text.encode())

        with _serve(folder, path, execute, served=server.address(name)) as reader:
            yield Changing(reader, execute, keeps_to_types=True)


@contextmanager
def _serve(folder: Path, path: Path, execute: Callable[[str], object], *, served: str = "") -> Iterator[Reader]:
    for name in TABLES:
        execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, v TEXT)")
        execute(f"INSERT INTO {name} VALUES (1, '1')")
    with open_reader(path, folder / "home", served=served) as reader:
        yield reader


def _is_told_to_come_again(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and "retry-after" in answer.headers


def test_dropped_object_does_not_exist(changing: Changing) -> None:
    assert success(changing.reader.post("dropped", ASKED)) == [{"v": "1"}]
    changing.execute("DROP TABLE dropped")
    for _ in range(2):
        assert changing.reader.post("dropped", ASKED).status_code == 404


def test_renamed_column_is_told_by_what_there_is_now(changing: Changing) -> None:
    assert success(changing.reader.post("renamed", ASKED)) == [{"v": "1"}]
    changing.execute("ALTER TABLE renamed RENAME v TO w")
    answers = [changing.reader.post("renamed", ASKED) for _ in range(2)]
    assert _is_told_to_come_again(answers[0]) or answers[0].status_code == 400
    assert answers[1].status_code == 400
    assert answers[1].json()["field"] == "columns[0]"
    assert success(changing.reader.post("renamed", {})) == [{"id": 1, "w": "1"}]


def test_column_of_another_type_is_compared_as_such(changing: Changing) -> None:
    if not changing.keeps_to_types:
        pytest.skip("its columns have no types to change")
    assert success(changing.reader.post("retyped", ASKED)) == [{"v": "1"}]
    changing.execute("ALTER TABLE retyped ALTER v TYPE integer USING CAST(v AS integer)")
    first = changing.reader.post("retyped", ASKED)
    assert _is_told_to_come_again(first) or first.json() == [{"v": 1}]
    assert success(changing.reader.post("retyped", ASKED)) == [{"v": 1}]


def test_count_before_the_rows_notices_it_too(changing: Changing) -> None:
    asked = {**ASKED, "count": "exact"}
    assert success(changing.reader.post("counted", asked)) == [{"v": "1"}]
    changing.execute("DROP TABLE counted")
    assert changing.reader.post("counted", asked).status_code == 404
