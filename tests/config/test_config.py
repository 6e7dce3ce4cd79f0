"""Settings: the dump is pinned (golden/), and gives back the settings it came from."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.config import (
    CONFIG_NAME,
    SETTINGS,
    ConfigError,
    Settings,
    dump,
    find_home,
    list_unknown_variables,
    load_settings,
)
from rowgate.served_databases import DatabaseSettings, split_named_addresses

GOLDEN = Path(__file__).with_name("golden")
HOME = Path("/home/of/rowgate")
CHANGED: dict[str, Any] = {
    "database": 'sqlite:////data/with "quotes" and \\.db',
    "state": "postgresql://rowgate@db.example.com/rowgate?sslmode=verify-full",
    "state_password_file": "/run/secrets/state",
    "host": "0.0.0.0",
    "port": 443,
    "workers": 4,
    "public_url": "https://data.example.com/",
    "tls_cert": "/etc/cert.pem",
    "tls_key": "/etc/key.pem",
    "trusted_proxies": ("10.0.0.1", "10.0.0.2"),
    "forbidden_as_403": True,
    "log_format": "json",
    "databases": (
        DatabaseSettings(name="sales", address="sqlite:////data/sales.db"),
        DatabaseSettings(
            name="stock",
            address="mariadb://reader@db/stock",
            password_file="/run/secrets/stock",
            read_replicas=("mariadb://reader@db2/stock",),
        ),
    ),
}


@pytest.mark.parametrize(("name", "flags"), [("defaults", {}), ("changed", CHANGED)])
def test_the_dump_is_as_it_was(name: str, flags: dict[str, Any]) -> None:
    """A change here is a change of everybody's configuration file: say so in the changelog."""
    loaded = load_settings(HOME, {}, flags)
    assert dump(loaded) == (GOLDEN / f"{name}.toml").read_text("utf-8")


@pytest.mark.parametrize("name", ["defaults", "changed"])
def test_a_dump_is_read_back_as_the_same_settings(tmp_path: Path, name: str) -> None:
    text = (GOLDEN / f"{name}.toml").read_text("utf-8")
    (tmp_path / CONFIG_NAME).write_text(text, "utf-8")
    loaded = load_settings(tmp_path, {}, {})
    assert dump(loaded) == text
    assert loaded == load_settings(tmp_path, {}, CHANGED if name == "changed" else {})


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=50, deadline=None)
@given(database=TEXTS, ca_file=TEXTS, hosts=st.lists(TEXTS, max_size=3), port=st.integers(0, 65_535))
def test_any_settings_survive_the_dump(
    tmp_path_factory: pytest.TempPathFactory, database: str, ca_file: str, hosts: list[str], port: int
) -> None:
    home = tmp_path_factory.getbasetemp()
    values = {"database": database, "outgoing_ca_file": ca_file, "outgoing_hosts": tuple(hosts), "port": port}
    wanted = Settings(home=home, **values)  # type: ignore[arg-type]
    (home / CONFIG_NAME).write_text(dump(wanted), "utf-8", newline="")
    assert load_settings(home, {}, {}) == wanted


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("port = 1\nworkers = 1\nhost = 'localhost'\n")
    environment = {"ROWGATE_PORT": "2", "ROWGATE_WORKERS": "2", "ROWGATE_HOME": "ignored"}
    loaded = load_settings(tmp_path, environment, {"port": 3, "host": None})
    assert (loaded.port, loaded.workers, loaded.host, loaded.home) == (3, 2, "localhost", tmp_path)


def test_the_environment_reads_every_type(tmp_path: Path) -> None:
    environment = {
        "ROWGATE_CORS_ORIGINS": "https://a.example, https://b.example,",
        "ROWGATE_CONCEAL_OBJECTS": "Yes",
        "ROWGATE_INSECURE_HTTP": "0",
        "ROWGATE_PORT": "80",
    }
    loaded = load_settings(tmp_path, environment, {})
    assert loaded.cors_origins == ("https://a.example", "https://b.example")
    assert (loaded.conceal_objects, loaded.insecure_http, loaded.port) == (True, False, 80)


@pytest.mark.parametrize("value", ["", "maybe", "2"])
def test_a_switch_is_true_or_false(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="conceal_objects must be true or false"):
        load_settings(tmp_path, {"ROWGATE_CONCEAL_OBJECTS": value}, {})


@pytest.mark.parametrize("value", ["", "1.5", "-1", "\uff11", "1e3", " 1"])
def test_a_number_is_whole_and_ascii(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="port must be a whole number"):
        load_settings(tmp_path, {"ROWGATE_PORT": value}, {})


def test_every_setting_has_its_help_and_a_default() -> None:
    for item in SETTINGS:
        assert item.metadata["help"], item.name
        assert item.default is not dataclasses.MISSING


@pytest.mark.parametrize(
    "flags",
    [
        {"host": "127.0.0.1"},
        {"host": "::1"},
        {"host": "localhost"},
        {"host": "0.0.0.0", "insecure_http": True},
        {"host": "0.0.0.0", "tls_cert": "c", "tls_key": "k"},
        {"host": "0.0.0.0", "trusted_proxies": ("10.0.0.1",)},
    ],
)
def test_hosts_that_may_be_served(flags: dict[str, Any]) -> None:
    load_settings(HOME, {}, flags)


@pytest.mark.parametrize("flags", [{"host": "0.0.0.0"}, {"host": "::"}, {"host": ""}, {"tls_cert": "c"}])
def test_hosts_that_may_not_be_served(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        load_settings(HOME, {}, flags)


def test_the_home_is_found_in_the_order_that_is_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert find_home(None, {}) == tmp_path / ".rowgate"
    (tmp_path / "data" / "rowgate").mkdir(parents=True)
    assert find_home(None, {}) == tmp_path / "data" / "rowgate"
    (tmp_path / ".rowgate").mkdir()
    assert find_home(None, {}) == tmp_path / ".rowgate"
    assert find_home(None, {"ROWGATE_HOME": "named"}) == tmp_path / "named"
    assert find_home("given", {"ROWGATE_HOME": "named"}) == tmp_path / "given"


def test_trusted_issuers_are_tables_and_survive_the_dump(tmp_path: Path) -> None:
    tables = """[[trusted_issuers]]
name = "github"
audience = "https://a.example"
issuer = "https://i.example"
jwks_uri = "https://i.example/keys"
algorithms = ["ES256"]
single_use = true
[[trusted_issuers]]
name = "mesh"
audience = "b"
spiffe_trust_domain = "acme.example"
jwks_file = "keys.json"
"""
    (tmp_path / CONFIG_NAME).write_text(tables, "utf-8")
    loaded = load_settings(tmp_path, {}, {})
    assert [(one.name, one.algorithms, one.single_use) for one in loaded.trusted_issuers] == [
        ("github", ("ES256",), True),
        ("mesh", ("RS256", "ES256"), False),
    ]
    (tmp_path / CONFIG_NAME).write_text(dump(loaded), "utf-8")
    assert load_settings(tmp_path, {}, {}) == loaded
    text = '[{"name": "x", "audience": "y"}]'
    assert load_settings(tmp_path, {"ROWGATE_TRUSTED_ISSUERS": text}, {}).trusted_issuers[0].audience == "y"


@pytest.mark.parametrize(
    "table",
    [
        'trusted_issuers = "x"',
        "trusted_issuers = 1",
        "trusted_issuers = [1]",
        'trusted_issuers = [{name = "a"}]',
        'trusted_issuers = [{name = "a", audience = ""}]',
        'trusted_issuers = [{name = "a", audience = 1}]',
        'trusted_issuers = [{name = "a", audience = "b", max_age_seconds = true}]',
        'trusted_issuers = [{name = "a", audience = "b", algorithms = "RS256"}]',
        'trusted_issuers = [{name = "a", audience = "b", pattern = "*"}]',
        'trusted_issuers = [{name = "a", audience = "b"}, {name = "a", audience = "c"}]',
    ],
)
def test_table_that_is_none_is_refused(tmp_path: Path, table: str) -> None:
    (tmp_path / CONFIG_NAME).write_text(table, "utf-8")
    with pytest.raises(ConfigError, match="trusted_issuers"):
        load_settings(tmp_path, {}, {})


@pytest.mark.parametrize(
    "table",
    [
        'databases = "x"',
        "databases = 1",
        "databases = ['x']",
        'databases = [{name = "a"}]',
        'databases = [{name = "a", address = ""}]',
        'databases = [{name = "a.b", address = "x"}]',
        'databases = [{name = "a/b", address = "x"}]',
        'databases = [{name = "1", address = "x"}]',
        'databases = [{name = "a", address = 1}]',
        'databases = [{name = "a", address = "x", password_file = 1}]',
        'databases = [{name = "a", address = "x", owner = "y"}]',
        'databases = [{name = "a", address = "x", read_replicas = "y"}]',
        'databases = [{name = "a", address = "x", read_replicas = [1]}]',
        'databases = [{name = "a", address = "x", read_replicas = [""]}]',
        'databases = [{name = "a", address = "x"}, {name = "a", address = "y"}]',
        'database = "x"\ndatabases = [{address = "y"}]',
    ],
)
def test_table_that_is_no_database_is_refused(tmp_path: Path, table: str) -> None:
    (tmp_path / CONFIG_NAME).write_text(table, "utf-8")
    with pytest.raises(ConfigError, match="databases"):
        load_settings(tmp_path, {}, {})


def test_table_without_a_name_is_the_plain_database(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text('[[databases]]\naddress = "x"\npassword_file = "y"\n', "utf-8")
    [served] = load_settings(tmp_path, {}, {}).served_databases
    assert (served.name, served.address, served.password_file) == ("", "x", "y")


def test_databases_of_the_command_line_have_names_but_one() -> None:
    plain, named = split_named_addresses(["/a=b.db", "sales=sqlite:////s=t.db"])
    assert plain == "/a=b.db"
    assert named == (DatabaseSettings(name="sales", address="sqlite:////s=t.db"),)
    for several in (["a.db", "b.db"], ["x=a.db", "x=b.db"]):
        with pytest.raises(ValueError, match="name"):
            split_named_addresses(several)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "sqlite:///state.db"},
        {"state": "mysql://rowgate@db/rowgate"},
        {"state": "state.db"},
        {"state_schema": ""},
        {"state_schema": "Rowgate"},
        {"state_schema": "pg_rowgate"},
        {"state_schema": 'a"b'},
        {"state_schema": "1a"},
        {"state_schema": "a" * 64},
    ],
)
def test_a_state_elsewhere_is_postgresql_in_a_schema_of_a_plain_name(tmp_path: Path, values: dict[str, str]) -> None:
    (name,) = values
    with pytest.raises(ConfigError, match=f"^{name} is"):
        load_settings(tmp_path, {}, values)


@pytest.mark.parametrize(
    "url", ["https://data.example.com", "https://data.example.com/hr/", "http://127.0.0.1:8082", "http://[::1]:8082"]
)
def test_a_public_url_is_a_whole_address(url: str) -> None:
    assert load_settings(HOME, {}, {"public_url": url}).issuer == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "data.example.com",
        "//data.example.com",
        "https:data.example.com",
        "https://",
        "https:///hr",
        "ftp://data.example.com",
        "https://data.example.com?",
        "https://data.example.com/?tenant=hr",
        "https://data.example.com/#hr",
        "https://data.example.com#",
        "https://hr@data.example.com",
        "https://data.example.com:port",
        "https://data.example.com:0",
        "https://data.example.com:70000",
        "https://[::1",
        "https://data.example.com/a b",
        " https://data.example.com",
        "https://data.example.com\n",
        "https://dat\u00e4.example.com",
    ],
)
def test_what_cannot_be_an_issuer_is_refused(url: str) -> None:
    """RFC 8414 §2: no query and no fragment; every address in the metadata begins with it."""
    with pytest.raises(ConfigError, match=r"^public_url: "):
        load_settings(HOME, {}, {"public_url": url})


@pytest.mark.parametrize("proxy", ["10.0.0.1", "::1", "10.0.0.0/8", "0.0.0.0/0", "fd00::/8"])
def test_a_proxy_is_an_address_or_a_network(proxy: str) -> None:
    assert load_settings(HOME, {}, {"trusted_proxies": (proxy,)}).trusted_proxies == (proxy,)


@pytest.mark.parametrize("proxy", ["proxy", "localhost", "*", "10.0.0.1:80", "10.0.0.1/8", "10.0.0", "[::1]", ""])
def test_a_proxy_that_no_connection_comes_from_is_refused(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"^trusted_proxies: "):
        load_settings(HOME, {}, {"trusted_proxies": ("127.0.0.1", proxy)})


@pytest.mark.parametrize("origin", ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000"])
def test_an_origin_is_as_browsers_write_it(origin: str) -> None:
    assert load_settings(HOME, {}, {"cors_origins": (origin,)}).cors_origins == (origin,)


@pytest.mark.parametrize(
    "origin", ["app.example.com", "https://app.example.com/", "https://App.example.com", "*", "null", "https://a b", ""]
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    """Taken, it would match nothing."""
    with pytest.raises(ConfigError, match=r"^cors_origins: "):
        load_settings(HOME, {}, {"cors_origins": (origin,)})


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ('[[trusted_issuers]]\nname = "a"\naudience = "b"', "trusted_issuers: a table has no port, it has name"),
        ('[[databases]]\nname = "a"\naddress = "b"', "databases: a table has no port, it has address"),
    ],
)
def test_a_setting_below_a_table_is_named_and_where_it_belongs(tmp_path: Path, head: str, said: str) -> None:
    (tmp_path / CONFIG_NAME).write_text(head + "\nport = 1\n", "utf-8")
    with pytest.raises(ConfigError, match=f"rowgate.toml: {said}.* stands above the first$"):
        load_settings(tmp_path, {}, {})


@pytest.mark.parametrize("name", ["trusted_issuers", "databases"])
def test_tables_of_the_environment_are_json(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^ROWGATE_{name.upper()}: {name}: a text is a JSON list"):
        load_settings(HOME, {f"ROWGATE_{name.upper()}": "[{"}, {})


def test_variables_that_are_no_settings_are_listed() -> None:
    environment = {"ROWGATE_PORT": "1", "ROWGATE_HOME": "x", "ROWGATE_MAX_SECRET_SECOND": "1", "PATH": "x"}
    assert list_unknown_variables(environment) == ["ROWGATE_MAX_SECRET_SECOND"]
