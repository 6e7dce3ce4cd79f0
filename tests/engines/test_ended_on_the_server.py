"""A statement that is cut has ended on the server too: it works for nobody, and its connection is gone or idle."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from engines.heavy import HEAVY
from engines.servings_generic import MariadbServing, MysqlServing
from engines.servings_other import OtherServing
from engines.servings_postgres import PostgresServing
from rowgate.rows.errors import StatementCancelled, StatementTimeout
from support.servers import wait_until

Served = PostgresServing | OtherServing | MariadbServing
_SERVINGS: dict[str, Callable[..., Served]] = {
    "postgres": PostgresServing,
    "other": OtherServing,
    "mariadb": MariadbServing,
    "mysql": MysqlServing,
}


@pytest.fixture(params=[pytest.param(name, marks=HEAVY.get(name, ())) for name in _SERVINGS])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    server = request.getfixturevalue("postgres" if request.param == "other" else request.param)
    made = _SERVINGS[request.param](server)
    with closing(made.source):
        yield made
    made.remove()


def count_running(served: Served) -> int:
    """Give how many statements the server works on for the reader, asked as somebody else."""
    if isinstance(served, MariadbServing):
        running = f"FROM information_schema.processlist WHERE user = 'reader' AND db = '{served.name}' AND info <> ''"
        ((count,),) = served.server.execute(f"SELECT count(*) {running}")
    else:
        # a cursor on the server is not active between two looks, but its transaction is open
        running = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND datname = %s AND state <> 'idle'"
        with served.server.owner() as owner:
            ((count,),) = owner.execute(running.encode(), (served.name,)).fetchall()
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("what", ["runaway", "endless"])
def test_statement_that_has_taken_too_long_has_ended(served: Served, what: str) -> None:
    blocks = served.source.open_rows(getattr(served, what), statement_seconds=0.3)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(lambda: [blocks.read_block() for _ in range(1_000_000)])
        wait_until(lambda: count_running(served) or reading.done())
        with pytest.raises(StatementTimeout):
            reading.result(20)
    blocks.close()
    wait_until(lambda: count_running(served) == 0, seconds=2)


@pytest.mark.parametrize("what", ["runaway", "endless"])
def test_statement_whose_reader_is_gone_has_ended(served: Served, what: str) -> None:
    blocks = served.source.open_rows(getattr(served, what), statement_seconds=60)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(lambda: [blocks.read_block() for _ in range(1_000_000)])
        wait_until(lambda: count_running(served) == 1)
        blocks.cancel()
        with pytest.raises(StatementCancelled):
            reading.result(20)
    blocks.close()
    wait_until(lambda: count_running(served) == 0, seconds=2)


def test_statement_that_is_closed_between_blocks_has_ended(served: Served) -> None:
    blocks = served.source.open_rows(served.endless, statement_seconds=60)
    blocks.read_block()
    wait_until(lambda: count_running(served) == 1)
    blocks.close()
    wait_until(lambda: count_running(served) == 0, seconds=2)
