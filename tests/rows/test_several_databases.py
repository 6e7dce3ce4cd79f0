"""Several databases behind one service, over HTTP: namespaces, and one of them down."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from rowgate import wiring
from rowgate.cli.main import cli
from rowgate.config import ConfigError, Settings, load_settings
from rowgate.rows.errors import RowsError
from rowgate.served_databases import DatabaseSettings
from rows.harness import Reader, read_from, success
from support.homes import add_application, administer
from support.servers import fetch_token, run_server, wait_until


def make_database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """`orders` in the plain database and in two others; they differ in what they hold."""
    for name in ("plain", "sales", "stock"):
        make_database(
            tmp_path / f"{name}.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, held TEXT, JobRuntimeKey TEXT)",
            f"INSERT INTO orders VALUES (1, '{name}', '2020'), (2, '{name}', '2021'), (3, '{name}', '2021')",
        )
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    named = tuple(DatabaseSettings(name=name, address=f"sqlite:///{tmp_path}/{name}.db") for name in ("sales", "stock"))
    made = load_settings(home, {}, {"database": f"sqlite:///{tmp_path}/plain.db", "databases": named, "port": 0})
    wiring.create_home(made, "tests")
    return made


@pytest.fixture
def reader(settings: Settings, tmp_path: Path) -> Iterator[Reader]:
    with read_from(settings, tmp_path / "plain.db") as opened:
        yield opened


def test_object_is_read_from_its_own_database(reader: Reader) -> None:
    for name, held in (("orders", "plain"), ("sales.orders", "sales"), ("stock.orders", "stock")):
        rows = success(reader.get(name, "jobRuntimeKey=all&columns=held"))
        assert rows == [{"held": held}] * 3
        assert [row["id"] for row in reader.rows(name, {"orderby": ["id"], "count": "exact"})] == [2, 3]
    for name in ("plain.orders", "Sales.orders", "sales.Orders", "stock.sales.orders", "sales.", "sales"):
        assert reader.get(name).status_code == 404
    opened = [event["object"] for event in reader.server.events(kind="rows_opened")]
    assert {"orders", "sales.orders", "stock.orders"} <= set(opened)


def test_cursor_of_one_database_is_none_of_another(reader: Reader) -> None:
    first = reader.get("sales.orders", "cursor=&limit=1")
    follow = httpx.URL(first.links["next"]["url"]).params
    assert success(reader.get("sales.orders", str(follow)))[0]["id"] == 3
    assert reader.get("stock.orders", str(follow)).status_code == 400


def test_objects_are_listed_and_described_by_their_whole_names(reader: Reader) -> None:
    listed = reader.client.get("/api/v1/data").json()
    assert [found["name"] for found in listed] == ["orders", "sales.orders", "stock.orders"]
    told = reader.client.get("/api/v1/data/sales.orders").json()
    assert told["name"] == "sales.orders"
    assert success(reader.client.get(told["rows"]))


def test_grant_block_and_alias_are_of_one_database(settings: Settings) -> None:
    made = add_application(settings, "narrow", ("sales.*",))
    with administer(settings) as desks:
        desks.objects.add_alias("sales.orders", "deals")
    with run_server(settings) as server:
        token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}) as client:

            def status(name: str) -> int:
                return client.get(f"/api/v1/data/{name}/rows").status_code

            assert [status(name) for name in ("sales.orders", "deals", "orders", "stock.orders")] == [
                200,
                200,
                401,
                401,
            ]
            assert [found["name"] for found in client.get("/api/v1/data").json()] == ["sales.orders"]
            with administer(settings) as desks:
                desks.objects.block("deals", reason="")
            wait_until(lambda: status("sales.orders") == 401)
            assert status("deals") == 401


def test_alias_cannot_look_like_an_object_of_a_namespace(settings: Settings) -> None:
    result = CliRunner().invoke(cli, ["--home", str(settings.home), "object", "alias", "orders", "sales.new"])
    assert "looks like an object of" in str(result.exception)


def test_database_that_goes_away_refuses_only_its_own_objects_and_comes_back(reader: Reader, tmp_path: Path) -> None:
    path, away = tmp_path / "sales.db", tmp_path / "away"
    assert success(reader.get("sales.orders"))
    path.rename(away)
    refused = reader.get("sales.orders")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert success(reader.get("orders"))
    assert success(reader.get("stock.orders"))
    listed = reader.client.get("/api/v1/data")
    assert listed.status_code == 503  # a list without them would look whole
    ready = wait_until(lambda: _is_degraded(reader.client.get("/readyz")))
    assert ready["checks"] == {
        "database": True,
        "database sales": False,
        "database stock": True,
        "state": True,
        "audit": True,
    }
    away.rename(path)
    assert success(reader.get("sales.orders"))


def _is_degraded(answer: httpx.Response) -> dict[str, object] | None:
    assert answer.status_code == 200
    body: dict[str, object] = answer.json()
    return body if body["status"] == "degraded" else None


def test_server_without_any_database_is_not_ready(reader: Reader, tmp_path: Path) -> None:
    for name in ("plain", "sales", "stock"):
        (tmp_path / f"{name}.db").unlink()
    refused = wait_until(lambda: [a for a in [reader.client.get("/readyz")] if a.status_code == 503])
    assert refused[0].json()["status"] == "unavailable"


def test_database_that_is_down_at_the_start_is_served_once_it_has_proven_itself(
    settings: Settings, tmp_path: Path
) -> None:
    path, away = tmp_path / "sales.db", tmp_path / "away"
    add_application(settings, "other", ("*",))
    path.rename(away)
    databases = wiring.open_databases(settings)
    assert [missing.namespace for missing in wiring.prove_databases(databases)] == ["sales"]
    databases.close()
    path_of_plain = tmp_path / "plain.db"
    away.rename(path)
    with read_from(settings, path_of_plain) as reader:
        assert success(reader.get("sales.orders"))


def test_start_is_refused_when_no_database_answers_or_names_clash(settings: Settings, tmp_path: Path) -> None:
    make_database(tmp_path / "plain.db", 'CREATE TABLE "sales.orders" (id INTEGER)')
    databases = wiring.open_databases(settings)
    with pytest.raises(ConfigError, match=r"sales\.orders"):
        wiring.prove_databases(databases)
    for name in ("plain", "sales", "stock"):
        (tmp_path / f"{name}.db").unlink()
    with pytest.raises(RowsError):
        wiring.prove_databases(databases)
    databases.close()


def test_what_is_granted_can_be_blocked_while_its_database_is_down(settings: Settings, tmp_path: Path) -> None:
    add_application(settings, "one", ("sales.orders",))
    (tmp_path / "sales.db").unlink()
    with administer(settings) as desks:
        assert desks.objects.block("sales.orders", reason="").blocked
        with pytest.raises(RowsError):
            desks.objects.block("sales.unheard", reason="")
        listed, unreachable = desks.objects.list_all()
    assert [found.name for found, _ in listed] == ["orders", "stock.orders"]
    assert [missing.namespace for missing in unreachable] == ["sales"]


def test_init_takes_several_databases_and_doctor_looks_at_each(settings: Settings, tmp_path: Path) -> None:
    assert settings.database
    home = ["--home", str(tmp_path / "new")]
    runner = CliRunner()
    given = ["--database", f"{tmp_path}/plain.db", "--database", f"sales=sqlite:///{tmp_path}/sales.db"]
    made = runner.invoke(cli, [*home, "init", *given], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    found = runner.invoke(cli, [*home, "doctor"], catch_exceptions=False).output
    assert "ok   the database can be read, and only read: SQLite, 1 table or view" in found
    assert "ok   database sales can be read, and only read: SQLite, 1 table or view" in found
    assert "ok   no object of the plain database looks like one of a namespace: none" in found
    (tmp_path / "sales.db").unlink()
    listed = runner.invoke(cli, [*home, "object", "list"], standalone_mode=False)
    assert "orders" in listed.output
    assert "not listed: database sales" in listed.output
    assert "BAD  database sales" in runner.invoke(cli, [*home, "doctor"]).output


def test_each_database_has_its_own_procedures(settings: Settings, tmp_path: Path) -> None:
    folder = settings.procedures_path
    for place in (folder, folder / "sales"):
        place.mkdir()
        (place / "Held.sql").write_text("-- parameter: least integer\nSELECT id, held FROM orders WHERE id >= :least")
    (folder / "sales" / "wrong.sql").write_text("SELEC")
    with read_from(settings, tmp_path / "plain.db") as reader:

        def call(name: str) -> httpx.Response:
            return reader.client.post(
                f"/api/v1/data/{name}/proc", json={"parameters": {"least": 2}, "columns": ["held"]}
            )

        assert success(call("Held")) == [{"held": "plain"}] * 2
        assert success(call("sales.Held")) == [{"held": "sales"}] * 2
        assert reader.client.get("/api/v1/data/sales.Held").json()["name"] == "sales.Held"
        assert call("stock.Held").status_code == call("sales/Held").status_code == 404
    with administer(settings) as desks:
        assert [name for name, _ in desks.objects.list_faults()] == ["sales.wrong"]
