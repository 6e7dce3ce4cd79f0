"""What every `RowSource` keeps (ports.py), whatever the engine."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import apsw
import pytest

from engines.servings import Serving
from rowgate.engines.block_weight import BLOCK_ROWS
from rowgate.ports.rows import RowBlocks
from rowgate.rows.errors import (
    EngineFailure,
    EngineUnavailable,
    RowsError,
    StatementCancelled,
    StatementTimeout,
)
from rowgate.rows.model import Statement, Value
from support.servers import wait_until
from support.stopwatch import Stopwatch

MADE = Statement("SELECT n FROM made ORDER BY n", ())


def fill(serving: Serving, count: int) -> None:
    if count:
        numbers = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c"
        serving.execute(f"INSERT INTO made {numbers}")


def read_all(blocks: RowBlocks) -> list[tuple[Value, ...]]:
    rows: list[tuple[Value, ...]] = []
    try:
        while not blocks.is_exhausted:
            rows += blocks.read_block()
    finally:
        blocks.close()
    return rows


def run(serving: Serving, statement: Statement = MADE, *, seconds: float = 10) -> list[tuple[Value, ...]]:
    return read_all(serving.source.open_rows(statement, statement_seconds=seconds))


def columns(serving: Serving, name: str) -> list[str] | None:
    described = serving.source.find_object(name)
    return None if described is None else [column.name for column in described.columns]


def names(serving: Serving) -> list[str]:
    return [listed.name for listed in serving.source.list_objects()]


def test_it_proves_that_it_cannot_write(unharmed: Serving) -> None:
    unharmed.source.prove_read_only()
    unharmed.source.check_reachable()
    assert [listed.name for listed in unharmed.source.list_objects()] == ["made"]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO made VALUES (1)",
        "UPDATE made SET n = 1",
        "DELETE FROM made",
        "DROP TABLE made",
        "CREATE TABLE more (n INTEGER)",
        "CREATE TEMPORARY TABLE more (n INTEGER)",
        "SELECT 1; DELETE FROM made",
        "BEGIN",
    ],
)
def test_no_statement_writes(unharmed: Serving, text: str) -> None:
    with pytest.raises(EngineFailure):
        run(unharmed, Statement(text, ()))
    assert run(unharmed) == [(1,), (2,), (3,)]


def test_objects_are_listed_in_order_with_their_kind(serving: Serving) -> None:
    serving.execute("CREATE VIEW a_view AS SELECT n FROM made", "CREATE TABLE z_table (n INTEGER)")
    found = [(listed.name, listed.kind) for listed in serving.source.list_objects()]
    assert found == [("a_view", "view"), ("made", "table"), ("z_table", "table")]


@pytest.mark.parametrize(
    "name", ["MADE", "Made", "made ", " made", "made\n", "made\0", '"made"', "main.made", "", "%", "mad_"]
)
def test_object_is_found_by_exactly_its_name(unharmed: Serving, name: str) -> None:
    assert unharmed.source.find_object(name) is None
    assert columns(unharmed, "made") == ["n"]


def test_columns_come_in_order_with_their_spelling(serving: Serving) -> None:
    serving.execute('CREATE TABLE spelled ("B" TEXT, "a" INTEGER, "É" REAL, "a b" TEXT)')
    assert columns(serving, "spelled") == ["B", "a", "É", "a b"]


def test_catalog_changes_are_noticed_within_a_minute(serving: Serving) -> None:
    """Added, altered and dropped; also when the old answer was in memory."""
    serving.clock.freeze()
    assert (columns(serving, "added"), names(serving)) == (None, ["made"])
    serving.execute("CREATE TABLE added (a INTEGER)")
    serving.clock.advance(60)
    assert (columns(serving, "added"), names(serving)) == (["a"], ["added", "made"])
    serving.execute("ALTER TABLE added ADD COLUMN b TEXT")
    serving.clock.advance(60)
    assert columns(serving, "added") == ["a", "b"]
    serving.execute("DROP TABLE added")
    serving.clock.advance(60)
    assert (columns(serving, "added"), names(serving)) == (None, ["made"])


def test_what_is_known_of_the_catalog_is_not_asked_for_again(serving: Serving) -> None:
    serving.clock.freeze()
    described, listed = serving.source.find_object("made"), serving.source.list_objects()
    assert described is not None
    assert serving.source.find_object("made") is described
    assert serving.source.list_objects()[0] is listed[0]


def test_an_object_that_is_dropped_in_mid_read_gives_all_its_rows_or_an_error(serving: Serving) -> None:
    """Whether the engine has the owner wait, refuses the owner or goes on with what it has: nothing is short."""
    fill(serving, 20 * BLOCK_ROWS)

    def drop() -> bool:
        try:
            serving.execute("DROP TABLE made")
        except apsw.BusyError:  # SQLite has no owner wait for a reader
            return False
        return True

    with ThreadPoolExecutor(1) as thread:
        blocks = serving.source.open_rows(MADE, statement_seconds=30)
        count = len(blocks.read_block())
        dropping = thread.submit(drop)
        try:
            while not blocks.is_exhausted:
                count += len(blocks.read_block())
            assert count == 20 * BLOCK_ROWS
        except RowsError:
            assert not blocks.is_exhausted
        finally:
            blocks.close()
        was_dropped = dropping.result(30)
    serving.clock.advance(60)
    assert columns(serving, "made") == (None if was_dropped else ["n"])
    if was_dropped:
        with pytest.raises(EngineFailure):
            run(serving)


def test_another_database_in_its_place_is_noticed(serving: Serving) -> None:
    fill(serving, 3)
    assert run(serving) == [(1,), (2,), (3,)]
    assert columns(serving, "made") == ["n"]
    serving.replace("CREATE TABLE other (o INTEGER)", "INSERT INTO other VALUES (5)")
    serving.clock.advance(60)
    assert columns(serving, "made") is None
    assert columns(serving, "other") == ["o"]
    assert run(serving, Statement("SELECT o FROM other", ())) == [(5,)]


@pytest.mark.parametrize(
    "count", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS, 2 * BLOCK_ROWS + 1]
)
def test_blocks_hold_every_row_once_and_the_last_says_so(serving: Serving, count: int) -> None:
    fill(serving, count)
    blocks = serving.source.open_rows(MADE, statement_seconds=10)
    sizes, rows = [], []
    while not blocks.is_exhausted:
        block = blocks.read_block()
        sizes.append(len(block))
        rows += block
    blocks.close()
    assert rows == [(n + 1,) for n in range(count)]
    assert all(size == BLOCK_ROWS for size in sizes[:-1])
    assert sizes[-1] <= BLOCK_ROWS


def test_connections_that_work_are_counted(serving: Serving) -> None:
    fill(serving, 2 * BLOCK_ROWS)
    idle = serving.source.count_connections()
    if idle is None:
        pytest.skip("the driver has no pool that tells")
    blocks = serving.source.open_rows(MADE, statement_seconds=10)
    blocks.read_block()
    assert serving.source.count_connections() == idle + 1
    blocks.close()
    assert serving.source.count_connections() == idle


def test_values_keep_their_type(serving: Serving) -> None:
    serving.execute("CREATE TABLE typed (i BIGINT, r DOUBLE PRECISION, t VARCHAR(20), x INTEGER)")
    serving.execute("INSERT INTO typed VALUES (9223372036854775807, 0.1, 'Zoë 山田 😀', NULL)")
    ((i, r, t, x),) = run(serving, Statement("SELECT i, r, t, x FROM typed", ()))
    assert (i, r, t, x) == (2**63 - 1, 0.1, "Zoë 山田 😀", None)
    assert [type(value) for value in (i, r, t)] == [int, float, str]


def test_values_are_bound(unharmed: Serving) -> None:
    first, second = map(unharmed.source.dialect.place, (1, 2))
    described = unharmed.source.find_object("made")
    assert described is not None
    text = unharmed.source.dialect.text(described.columns[0])
    for value in ("'", '"', "1; DROP TABLE made", "\x01", "😀"):
        assert run(unharmed, Statement(f"SELECT n FROM made WHERE {text} = {first}", (value,))) == []
    asked = f"SELECT n FROM made WHERE n >= {first} AND n < CAST({second} AS DECIMAL(4, 2)) ORDER BY n"
    assert run(unharmed, Statement(asked, (2, 2.5))) == [(2,)]


def test_rows_committed_meanwhile_are_seen_by_the_next_statement(serving: Serving) -> None:
    assert run(serving) == []
    fill(serving, 2)
    assert run(serving) == [(1,), (2,)]


def test_cancel_from_another_thread_stops_a_runaway_statement(serving: Serving) -> None:
    blocks = serving.source.open_rows(serving.runaway, statement_seconds=60)
    is_reading = threading.Event()

    def read() -> None:
        is_reading.set()
        with pytest.raises(StatementCancelled):
            blocks.read_block()

    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(read)
        is_reading.wait(5)
        with Stopwatch() as watch:
            blocks.cancel()
            ended.result(10)
        assert watch.seconds < 1
    blocks.close()
    assert run(serving) == []


def test_cancel_between_blocks_and_before_the_first(serving: Serving) -> None:
    blocks = serving.source.open_rows(serving.endless, statement_seconds=60)
    assert len(blocks.read_block()) == BLOCK_ROWS
    blocks.cancel()
    with pytest.raises(StatementCancelled):
        blocks.read_block()
    blocks.close()
    unread = serving.source.open_rows(serving.endless, statement_seconds=60)
    unread.cancel()
    with pytest.raises(StatementCancelled):
        unread.read_block()
    unread.close()
    serving.source.open_rows(serving.endless, statement_seconds=60).close()
    assert run(serving) == []


def test_deadline_ends_a_runaway_statement(serving: Serving) -> None:
    with Stopwatch() as watch, pytest.raises(StatementTimeout):
        run(serving, serving.runaway, seconds=0.1)
    assert watch.seconds < 1.1
    assert run(serving) == []


def test_deadline_counts_over_all_blocks(serving: Serving) -> None:
    with pytest.raises(StatementTimeout):
        run(serving, serving.endless, seconds=0.1)


def test_time_in_which_the_reader_pauses_does_not_count(serving: Serving) -> None:
    begun_at = time.monotonic()
    with closing(serving.source.open_rows(serving.endless, statement_seconds=60)) as first:
        first.read_block()
    seconds = serving.prompt_seconds + 5 * (time.monotonic() - begun_at)  # a busy machine takes longer over a block
    blocks = serving.source.open_rows(serving.endless, statement_seconds=seconds)
    blocks.read_block()
    paused_at = time.monotonic()
    wait_until(lambda: time.monotonic() - paused_at > seconds + 0.05)
    assert len(blocks.read_block()) == BLOCK_ROWS
    blocks.close()


def test_locked_database_is_unavailable_and_then_available(serving: Serving) -> None:
    for _ in range(2):  # with a fresh connection, and with one that was used
        with serving.locked(), pytest.raises(EngineUnavailable):
            run(serving)
        assert run(serving) == []


@pytest.mark.parametrize("harm", ["remove", "corrupt"])
def test_missing_or_corrupt_database_is_unavailable(serving: Serving, harm: str) -> None:
    assert run(serving) == []
    getattr(serving, harm)()
    for use in (
        lambda: run(serving),
        serving.source.check_reachable,
        serving.source.list_objects,
        serving.source.prove_read_only,
        lambda: serving.source.find_object("never asked before"),
        lambda: serving.source.explain(MADE),
    ):
        with pytest.raises(EngineUnavailable):
            use()


def test_failures_keep_the_engines_words_private_and_give_the_connection_back(unharmed: Serving) -> None:
    for _ in range(50):
        with pytest.raises(EngineFailure) as failed:
            run(unharmed, Statement("SELECT secret_column FROM made", ()))
        assert "secret" not in failed.value.description
        assert "secret" in failed.value.detail
    assert run(unharmed) == [(1,), (2,), (3,)]


def test_many_threads_read_at_once(serving: Serving) -> None:
    fill(serving, 2500)

    def use(number: int) -> int:
        if number % 4 == 0:
            with pytest.raises(RowsError):
                run(serving, Statement("SELECT nope FROM made", ()))
        assert columns(serving, "made") == ["n"]
        assert columns(serving, f"unknown {number}") is None
        return len(run(serving))

    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(use, range(96))) == [2500] * 96


def test_plan_is_explained_in_lines(unharmed: Serving) -> None:
    place = unharmed.source.dialect.place(1)
    lines = unharmed.source.explain(Statement(f"SELECT n FROM made WHERE n < {place}", (987_654,)))
    assert any("made" in line for line in lines)
    assert not any("987654" in line for line in lines)  # a value may be a policy's
    with pytest.raises(EngineFailure):
        unharmed.source.explain(Statement("SELECT 1; DROP TABLE made", ()))
    assert columns(unharmed, "made") == ["n"]


def test_a_plan_of_hostile_values_tells_none_of_them(unharmed: Serving) -> None:
    described = unharmed.source.find_object("made")
    assert described is not None
    dialect = unharmed.source.dialect
    bound = f"{dialect.text(described.columns[0])} IN ({dialect.place(1)}, {dialect.place(2)})"
    for value in (
        "'",
        '"',
        "?",
        "%s",
        "$1",
        "\\' OR 1=1 --",
        "it's ?; DROP TABLE made",
        "', ?) -- ",
        "/*",
        "\x01",
        "😀",
    ):
        lines = unharmed.source.explain(Statement(f"SELECT n FROM made WHERE {bound}", (value, "a private word")))
        assert lines
        assert not any("private" in line or "DROP" in line for line in lines)
    assert run(unharmed) == [(1,), (2,), (3,)]
