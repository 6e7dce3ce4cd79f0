"""A MariaDB cluster of three nodes on loopback: it is read from while nodes die, until no majority is left."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from engines.test_contract import read_all
from rowgate.engines.generic import GenericSource
from rowgate.engines.mariadb import MariadbManner
from rowgate.engines.mariadb_source import MariadbSource
from rowgate.rows.errors import EngineUnavailable, RowsError
from rowgate.rows.model import Statement
from rowgate.rows.parameters import plan_call
from rowgate.rows.procedures import Procedure
from support.mariadb import PASSWORD, READER, MariadbServer, find_free_port
from support.servers import wait_until

pytestmark = pytest.mark.engines
PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
ALL = Statement("SELECT seq FROM seq_1_to_2500", ())


def kill_all(nodes: list[MariadbServer]) -> None:
    for node in nodes:
        node.kill()


def make_node(folder: Path, group_ports: list[int], place: int) -> MariadbServer:
    nodes = ",".join(f"127.0.0.1:{port}" for port in group_ports)
    options = f"gmcast.listen_addr=tcp://127.0.0.1:{group_ports[place]};ist.recv_addr=127.0.0.1:{find_free_port()}"
    return MariadbServer(
        folder / f"node{place}",
        "--wsrep-on=ON",
        f"--wsrep-provider={PROVIDER}",
        f"--wsrep-cluster-address=gcomm://{nodes}",
        "--wsrep-node-address=127.0.0.1",
        "--wsrep-sst-method=rsync",
        f"--wsrep-sst-receive-address=127.0.0.1:{find_free_port()}",
        f"--wsrep-provider-options={options}",
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[MariadbServer]]:
    """Three nodes with one database; the folders are copied, so that hardly any state has to be sent when they join."""
    if not PROVIDER.exists() or shutil.which("rsync") is None:
        pytest.fail("a part of the cluster is missing: apt-get install galera-4 rsync")
    group_ports = [find_free_port() for _ in range(3)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="galera-")))
        folder.chmod(0o755)  # the state is handed over by rsync, which is nobody when it is started by root
        nodes = [make_node(folder, group_ports, 0)]
        stack.callback(lambda: kill_all(nodes))
        nodes[0].start("--wsrep-new-cluster")
        nodes[0].create_database("shared")
        nodes[0].execute(
            "CREATE TABLE made (n INTEGER PRIMARY KEY)",
            "INSERT INTO made VALUES (1)",
            "CREATE PROCEDURE stored () BEGIN COMMIT; INSERT INTO made VALUES (2); SELECT 1 AS a; END",
            f"GRANT EXECUTE ON shared.* TO {READER}@localhost",
            database="shared",
        )
        nodes[0].stop()
        for place in (1, 2):
            shutil.copytree(folder / "node0/data", folder / f"node{place}/data")
            (folder / f"node{place}/data").chmod(0o777)
            nodes.append(make_node(folder, group_ports, place))
        nodes[0].start("--wsrep-new-cluster")
        for node in nodes[1:]:
            node.start()
        wait_until(lambda: count_members(nodes[0]) == 3, seconds=30)
        yield nodes


def count_members(node: MariadbServer) -> int:
    ((_, members),) = node.execute("SHOW STATUS LIKE 'wsrep_cluster_size'")
    return int(members)


def find_status(node: MariadbServer) -> str:
    ((_, status),) = node.execute("SHOW STATUS LIKE 'wsrep_cluster_status'")
    return str(status)


def try_reading(source: GenericSource) -> int | None:
    """Give how many rows a read gave, whole; None: it was refused."""
    try:
        return len(read_all(source.open_rows(ALL, statement_seconds=10)))
    except EngineUnavailable:
        return None


def test_a_stored_procedure_of_a_cluster_cannot_be_called(cluster: list[MariadbServer]) -> None:
    """Nothing there keeps it from writing; its description says so."""
    manner = MariadbManner(cluster[0].address("shared"), password=PASSWORD)
    with closing(MariadbSource(manner)) as source:
        found = source.find_object("stored")
    assert isinstance(found, Procedure)
    assert "Galera" in found.fault
    with pytest.raises(EngineUnavailable):
        plan_call(found, {})


def test_cluster_answers_while_a_node_dies_and_refuses_without_a_majority(cluster: list[MariadbServer]) -> None:
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in cluster)
    manner = MariadbManner(f"mariadb://{READER}@{hosts}/shared", password=PASSWORD)
    with closing(GenericSource(manner)) as source:
        source.prove_read_only()
        cluster[0].execute("INSERT INTO made VALUES (2)", database="shared")
        for node in cluster:
            wait_until(lambda node=node: node.execute("SELECT count(*) FROM shared.made") == [(2,)])  # type: ignore[misc]
        open_read = source.open_rows(Statement("SELECT seq FROM seq_1_to_10000000", ()), statement_seconds=30)
        open_read.read_block()
        cluster[0].kill()
        # the node that every connection went to is gone: the next statement is asked of another, at once
        assert try_reading(source) == 2500
        assert [found.name for found in source.list_objects()] == ["made", "stored"]
        with pytest.raises(RowsError):  # a read under way is cut, never short
            read_all(open_read)
        wait_until(lambda: count_members(cluster[1]) == 2, seconds=30)
        assert try_reading(source) == 2500
        cluster[1].kill()
        wait_until(lambda: find_status(cluster[2]) == "non-Primary", seconds=30)
        assert try_reading(source) is None
        with pytest.raises(EngineUnavailable):
            source.check_reachable()
