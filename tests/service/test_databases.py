"""Databases by namespace: a name stands for one object, and a database that is down for nothing but its own."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rowgate.rows.errors import EngineUnavailable, NotReadOnly
from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing
from rowgate.service import databases as module
from rowgate.service.databases import Database, Databases


class MovableTime:
    """In the place of the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class FakeSource:
    """Tables of those names; `failure` is raised by everything."""

    name = "fake"

    def __init__(self, *tables: str) -> None:
        self.tables = {table: _describe(table) for table in tables}
        self.failure: Exception | None = None
        self.proofs = 0
        self.when_proving: Callable[[], None] = lambda: None

    def prove_read_only(self) -> None:
        self.proofs += 1
        self.when_proving()
        self._fail()

    def list_objects(self) -> Sequence[ObjectListing]:
        self._fail()
        return [ObjectListing(table, "table") for table in sorted(self.tables)]

    def find_object(self, name: str) -> ObjectDescription | None:
        self._fail()
        return self.tables.get(name)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for")


def _describe(name: str) -> ObjectDescription:
    return ObjectDescription(name, "table", (Column("n", "INTEGER", Family.NUMBER, may_be_real=False),))


def make(**sources: FakeSource) -> Databases:
    return Databases(
        Database("" if namespace == "plain" else namespace, source) for namespace, source in sources.items()
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("orders", ("orders",)),
        ("sales.orders", ("orders",)),
        ("sales.a.b", ("a.b",)),
        ("x.y", ("x.y",)),
        (".orders", (".orders",)),
        ("Sales.orders", None),
        ("sales.Orders", None),
        ("sales. orders", None),
        ("sales.sales.orders", None),
        ("sales.", None),
        ("sales", None),
        ("stock.orders", None),
        ("", None),
    ],
)
def test_name_stands_for_one_object_by_exact_look_up(name: str, path: tuple[str, ...] | None) -> None:
    databases = make(plain=FakeSource("orders", "x.y", ".orders"), sales=FakeSource("orders", "a.b"))
    found = databases.find_object(name)
    assert (found and (found.name, found.path)) == (path and (name, path))


def test_objects_of_several_databases_are_listed_in_order_of_name() -> None:
    databases = make(plain=FakeSource("z", "a"), sales=FakeSource("orders"))
    assert [found.name for found in databases.list_objects()] == ["a", "sales.orders", "z"]


def test_namespace_wins_over_an_object_that_looks_like_one_of_it() -> None:
    databases = make(plain=FakeSource("sales.orders", "sales.old", "kept"), sales=FakeSource("orders"))
    found = databases.find_object("sales.orders")
    assert found is not None
    assert found.path == ("orders",)
    assert databases.find_object("sales.old") is None
    assert [found.name for found in databases.list_objects()] == ["kept", "sales.orders"]
    assert databases.find_clashes() == ["sales.old", "sales.orders"]


def test_description_is_named_once_and_anew_when_the_catalog_changed() -> None:
    sales = FakeSource("orders")
    databases = make(sales=sales)
    first = databases.find_object("sales.orders")
    assert databases.find_object("sales.orders") is first
    sales.tables["orders"] = _describe("orders")
    assert databases.find_object("sales.orders") is not first


def test_database_that_is_down_refuses_its_own_objects_only() -> None:
    sales = FakeSource("orders")
    databases = make(plain=FakeSource("kept"), sales=sales)
    sales.failure = EngineUnavailable("down")
    assert databases.find_object("kept")
    with pytest.raises(EngineUnavailable):
        databases.find_object("sales.orders")
    with pytest.raises(EngineUnavailable):
        databases.list_objects()
    assert [found.name for found in databases.list_objects(["kept", "gone"])] == ["kept"]
    listed, unreachable = databases.list_reachable()
    assert [found.name for found in listed] == ["kept"]
    assert [missing.namespace for missing in unreachable] == ["sales"]


def test_database_proves_itself_once_and_before_anything_else() -> None:
    source = FakeSource("orders")
    database = Database("", source)
    for failure in (EngineUnavailable("down"), NotReadOnly("it may write")):
        source.failure = failure
        with pytest.raises(EngineUnavailable):
            database.find_object("orders")
    source.failure = None
    assert database.find_object("orders")
    assert database.find_object("orders")
    assert source.proofs == 3


def test_failed_proof_counts_for_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers do not queue up behind the time-outs of a database that is down."""
    clock = MovableTime()
    monkeypatch.setattr(module, "time", clock)
    source = FakeSource("orders")
    source.failure = EngineUnavailable("down")
    source.when_proving = lambda: clock.pass_(5)
    database = Database("", source)
    for proofs in (1, 1, 1, 2):
        with pytest.raises(EngineUnavailable):
            database.find_object("orders")
        assert source.proofs == proofs
        clock.pass_(2)
