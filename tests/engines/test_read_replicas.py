"""A database with read replicas: which server is read, and that each has proven that it cannot be written.

Most of these take two databases of one server for the two: what was read shows which of them was asked.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from engines.servings_postgres import PostgresServing
from engines.test_contract import read_all
from rowgate import wiring
from rowgate.cli.main import cli
from rowgate.config import ConfigError, Settings, dump, load_settings
from rowgate.engines.postgres import PostgresSource
from rowgate.engines.read_replicas import AWAY_SECONDS, ReadReplicas, Server
from rowgate.ports.rows import RowBlocks
from rowgate.rows.errors import EngineFailure, EngineUnavailable, NotReadOnly
from rowgate.rows.model import Format, Plan, Statement
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.served_databases import DatabaseSettings
from rows.harness import read_from
from support.clock import MovableClock
from support.mariadb import PASSWORD, run_mariadb
from support.postgres import PostgresServer, run_standby
from support.servers import wait_until

ASKED = Statement("SELECT who FROM asked", ())
REPLICA, PRIMARY = [("replica",)], [("primary",)]


class Pair:
    """A primary and a replica, or more of them, each of which can be taken away."""

    def __init__(self, server: PostgresServer, *, replica_user: str = "reader", others: tuple[str, ...] = ()) -> None:
        self.server = server
        self.clock = MovableClock()
        self.names = {who: server.create_database() for who in ("replica", *others, "primary")}
        for who, name in self.names.items():
            with server.owner(name) as owner:
                owner.execute(f"CREATE TABLE asked AS SELECT '{who}' AS who".encode())
        replica = PostgresSource(server.address(self.names["replica"], replica_user))
        primary = PostgresSource(server.address(self.names["primary"]))
        more = [Server(f"the {who}", PostgresSource(server.address(self.names[who]))) for who in others]
        self.source = ReadReplicas(
            [Server("the read replica", replica), *more, Server("the primary", primary)], clock=self.clock
        )

    def plan(self, **asked: object) -> Plan:
        described = self.source.find_object("asked")
        assert described is not None
        return plan_rows(parse_rows_body(json.dumps(asked).encode()), described, run_key="")

    def read(self) -> list[tuple[object, ...]]:
        assert self.source.find_object("asked") is not None
        return list(read_all(self.source.open_rows(ASKED, statement_seconds=10)))

    def take_away(self, who: str) -> None:
        with self.server.owner() as owner:
            owner.execute(f"ALTER DATABASE {self.names[who]} ALLOW_CONNECTIONS false".encode())
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            owner.execute(end, (self.names[who],))

    def bring_back(self, who: str) -> None:
        with self.server.owner() as owner:
            owner.execute(f"ALTER DATABASE {self.names[who]} ALLOW_CONNECTIONS true".encode())

    def close(self) -> None:
        self.source.close()
        for name in self.names.values():
            self.server.drop_database(name)


@pytest.fixture
def pair(postgres: PostgresServer) -> Iterator[Pair]:
    with closing(Pair(postgres)) as made:
        made.source.prove_read_only()
        yield made


def test_the_replica_is_read_and_the_primary_while_it_does_not_answer(pair: Pair) -> None:
    assert pair.read() == REPLICA
    pair.clock.freeze()
    pair.take_away("replica")
    assert pair.read() == PRIMARY
    assert [found.name for found in pair.source.list_objects()] == ["asked"]
    pair.source.check_reachable()
    pair.bring_back("replica")
    pair.clock.advance(AWAY_SECONDS - 1)
    assert pair.read() == PRIMARY, "it is left alone for a while"
    pair.clock.advance(1)
    assert pair.read() == REPLICA


def test_what_is_remembered_of_a_server_that_is_away_does_not_bring_it_back(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    pair.read()
    pair.clock.freeze()
    pair.take_away("replica")
    for _ in range(3):
        assert pair.source.dialect is not None
        assert pair.read() == PRIMARY
        pair.clock.advance(AWAY_SECONDS)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the read replica does not answer, the next is read"
    ]


def test_the_primary_may_be_away_and_without_both_there_is_nothing_to_read(pair: Pair) -> None:
    pair.take_away("primary")
    assert pair.read() == REPLICA
    pair.take_away("replica")
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            pair.read()
    pair.bring_back("replica")
    assert pair.read() == REPLICA, "no server is left alone while none answers"


def test_a_read_that_has_given_nothing_yet_goes_to_the_next_server(pair: Pair) -> None:
    opened = pair.source.open_rows(ASKED, statement_seconds=10)
    pair.take_away("replica")
    assert read_all(opened) == PRIMARY


def test_a_read_that_has_begun_is_cut_and_never_goes_on_elsewhere(pair: Pair) -> None:
    with closing(pair.source.open_rows(PostgresServing.endless, statement_seconds=30)) as opened:
        opened.read_block()
        pair.take_away("replica")
        with pytest.raises(EngineUnavailable):
            read_all(opened)


def test_a_read_that_no_server_answers_leaves_every_connection_where_it_belongs(pair: Pair) -> None:
    opened = pair.source.open_rows(ASKED, statement_seconds=10)
    pair.take_away("replica")
    pair.take_away("primary")
    with pytest.raises(EngineUnavailable):
        read_all(opened)
    pair.bring_back("primary")
    assert pair.read() == PRIMARY


def test_reads_are_spread_over_the_replicas_and_the_primary_has_none(postgres: PostgresServer) -> None:
    """The one with the fewest is read; one that is away has none until it is back, and then the next."""
    with closing(Pair(postgres, others=("second", "third"))) as three:
        three.source.prove_read_only()

        def open_reads(count: int) -> list[RowBlocks]:
            return [three.source.open_rows(ASKED, statement_seconds=10) for _ in range(count)]

        def end_reads(opened: list[RowBlocks]) -> list[str]:
            return [str(read_all(blocks)[0][0]) for blocks in opened]

        assert end_reads(open_reads(5)) == ["replica", "second", "third", "replica", "second"]
        assert three.read() == three.read() == REPLICA, "nothing else is read: each is the first of equals"
        first, *others = open_reads(3)
        assert end_reads([first]) == ["replica"]
        first.close()
        assert [three.read(), end_reads(others)] == [REPLICA, ["second", "third"]]
        assert three.source.open_lines(three.plan(limit=1), Format.CSV, statement_seconds=10) is None
        three.clock.freeze()
        three.take_away("second")
        assert "second" not in end_reads(open_reads(3))
        assert end_reads(open_reads(4)) == ["replica", "third", "replica", "third"], "nobody waits for it any more"
        three.take_away("replica")
        three.take_away("third")
        assert end_reads(open_reads(2)) == ["primary", "primary"]
        for who in ("replica", "second", "third"):
            three.bring_back(who)
        three.clock.advance(AWAY_SECONDS)
        assert sorted(end_reads(open_reads(6))) == ["replica", "replica", "second", "second", "third", "third"]


def test_reads_in_many_threads_are_counted_out_again(pair: Pair) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert {str(rows) for rows in threads.map(lambda _: pair.read(), range(80))} == {str(REPLICA)}
    with pytest.raises(EngineFailure):
        read_all(pair.source.open_rows(Statement("SELECT nothing", ()), statement_seconds=10))
    assert [server.reads for server in pair.source._servers] == [0, 0]


def test_a_replica_that_could_be_written_keeps_the_database_from_being_served(postgres: PostgresServer) -> None:
    with closing(Pair(postgres, replica_user="postgres")) as pair:
        with pytest.raises(NotReadOnly, match=r"the read replica: .*superuser"):
            pair.source.prove_read_only()
        assert pair.read() == PRIMARY


def test_a_replica_that_was_away_proves_itself_before_it_is_read(postgres: PostgresServer) -> None:
    with closing(Pair(postgres, replica_user="postgres")) as pair:
        pair.take_away("replica")
        pair.source.prove_read_only()
        pair.bring_back("replica")
        pair.clock.advance(AWAY_SECONDS)
        assert pair.read() == PRIMARY


def make_settings(folder: Path, served: DatabaseSettings) -> Settings:
    home = folder / "home"
    home.mkdir(mode=0o700)
    settings = load_settings(home, {}, {"databases": (served,), "port": 0})
    wiring.create_home(settings, "tests")
    (home / "rowgate.toml").write_text(dump(settings))
    return settings


def test_rows_and_doctor_over_a_replica(pair: Pair, tmp_path: Path) -> None:
    address, replica = (pair.server.address(pair.names[who]) for who in ("primary", "replica"))
    settings = make_settings(tmp_path, DatabaseSettings(address=address, name="shop", read_replicas=(replica,)))
    with read_from(settings, tmp_path) as reader:
        assert reader.rows("shop.asked") == [{"who": "replica"}]
        pair.take_away("replica")
        assert reader.rows("shop.asked") == [{"who": "primary"}]
        told = CliRunner().invoke(cli, ["doctor", "--json", "--home", str(settings.home)])
    found = {finding["question"]: finding["good"] for finding in json.loads(told.stdout)}
    assert found[f"the read replica {replica} of database shop can be read, and only read"] is False
    assert found[f"the primary {address} of database shop can be read, and only read"] is True


@pytest.mark.parametrize(
    ("address", "replica"),
    [
        ("sqlite:////data/a.db", "sqlite:////data/b.db"),
        ("duckdb:////data/a.duckdb", "postgresql://reader@b/shop"),
        ("postgresql://reader@a/shop", "mariadb://reader@b/shop"),
        ("postgresql://reader@a/shop", "postgresql://reader:secret@b/shop"),
    ],
)
def test_replicas_are_servers_of_one_engine(tmp_path: Path, address: str, replica: str) -> None:
    settings = load_settings(
        tmp_path, {}, {"databases": (DatabaseSettings(address=address, read_replicas=(replica,)),)}
    )
    with pytest.raises(ConfigError) as refused:
        wiring.open_databases(settings)
    assert "secret" not in str(refused.value)


@contextmanager
def _read(settings: Settings) -> Iterator[ReadReplicas]:
    [served] = settings.served_databases
    with closing(ReadReplicas(wiring.open_servers(served, 2))) as source:
        yield source


@pytest.mark.slow
def test_a_standby_of_postgresql_is_read(postgres: PostgresServer, tmp_path: Path) -> None:
    """Its rows are those of the primary, it cannot be written, and the primary takes over when it stops."""
    name = postgres.create_database()
    with postgres.owner(name) as owner, run_standby(postgres) as standby:
        served = DatabaseSettings(address=postgres.address(name), read_replicas=(standby.address(name),))
        with _read(make_settings(tmp_path, served)) as source:
            source.prove_read_only()
            owner.execute("CREATE TABLE asked AS SELECT 'both' AS who")
            wait_until(lambda: source.find_object("asked"))
            where = Statement("SELECT pg_is_in_recovery(), who FROM asked", ())
            assert read_all(source.open_rows(where, statement_seconds=10)) == [(True, "both")]
            standby.stop()
            assert read_all(source.open_rows(where, statement_seconds=10)) == [(False, "both")]
    postgres.drop_database(name)


@pytest.mark.engines
def test_a_replica_of_mariadb_is_read(tmp_path: Path) -> None:
    """As a standby of PostgreSQL is."""
    with (
        run_mariadb(tmp_path / "primary", "--server-id=1", f"--log-bin={tmp_path}/primary/binlog") as primary,
        run_mariadb(tmp_path / "replica", "--server-id=2", "--read-only") as replica,
    ):
        primary.execute("CREATE USER follower@'%' IDENTIFIED BY 'x'", "GRANT REPLICATION SLAVE ON *.* TO follower@'%'")
        replica.execute(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, MASTER_USER='follower', "
            "MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos",
            "START SLAVE",
        )
        name = primary.create_database("shop")
        primary.execute("CREATE TABLE asked AS SELECT 'both' AS who", database=name)
        (tmp_path / "password").write_text(PASSWORD)
        served = DatabaseSettings(
            address=primary.address(name),
            password_file=str(tmp_path / "password"),
            read_replicas=(replica.address(name),),
        )
        followed = "SELECT 1 FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'asked'"
        wait_until(lambda: replica.execute(followed), seconds=20)
        with _read(make_settings(tmp_path, served)) as source:
            source.prove_read_only()
            assert source.find_object("asked") is not None
            where = Statement("SELECT @@server_id, who FROM asked", ())
            assert read_all(source.open_rows(where, statement_seconds=10)) == [(2, "both")]
            replica.stop()
            assert read_all(source.open_rows(where, statement_seconds=10)) == [(1, "both")]
