"""Settings: one frozen record from the home's file, the environment and the flags, in that order of precedence.

Every setting has its unit in its name, a default and a help line, in the one table below. `dump` writes the
record back as the file that would make it.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rowgate.config_addresses import check_origin, check_proxy, check_public_url
from rowgate.served_databases import DatabaseSettings, read_databases
from rowgate.trusted_issuers import IssuerSettings, read_issuers

CONFIG_NAME = "rowgate.toml"
ENVIRONMENT_PREFIX = "ROWGATE_"
_SWITCHES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CONTROLS = re.compile("[\x00-\x1f\x7f]")  # TOML wants them escaped
_SCHEMA = re.compile("(?!pg_)[a-z_][a-z0-9_]{0,62}")  # PostgreSQL keeps pg_ to itself
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ConfigError(Exception):
    """The settings cannot be used; the text says which and what to do."""


def _setting(default: Any, help_line: str, *, least: int = 0, most: int = 2**31 - 1, convert: Any = None) -> Any:
    return field(default=default, metadata={"help": help_line, "least": least, "most": most, "convert": convert})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Times in seconds, sizes in bytes."""

    # ruff: noqa: FBT003 - the default of a switch
    home: Path = field(metadata={"help": "where state, keys and audit are kept"})
    database: str = _setting(
        "", "the served database: sqlite:///PATH, postgresql://USER@HOST/DATABASE, mariadb://…, duckdb:///PATH"
    )
    databases: tuple[DatabaseSettings, ...] = _setting(
        (), "further ones, a [[databases]] table each: their objects are called NAME.OBJECT", convert=read_databases
    )
    state: str = _setting(
        "", "where the state is: postgresql://USER@HOST/DATABASE, which replicas share; empty: state.db in the home"
    )
    state_schema: str = _setting("rowgate", "the schema of that database which holds the state and nothing else")
    state_password_file: str = _setting("", "file with the password of that user in its first line")
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8082, "port to listen on; 0 takes a free one", most=65_535)
    workers: int = _setting(1, "worker processes", least=1, most=64)
    public_url: str = _setting(
        "", "the address clients use, for example https://data.example.com; empty: from host and port"
    )
    tls_cert: str = _setting("", "PEM file with the certificate chain; with tls_key the server speaks HTTPS")
    tls_key: str = _setting("", "PEM file with the certificate's private key")
    tls_client_certificates: bool = _setting(
        False, "ask clients for a certificate in the TLS handshake; they need not have one (RFC 8705)"
    )
    tls_client_ca: str = _setting("", "PEM file with the authorities whose client certificates are believed by name")
    client_certificate_header: str = _setting(
        "", "header in which trusted_proxies forward the client's certificate; from others it is not looked at"
    )
    client_certificate_format: str = _setting(
        "url_encoded_pem", "of that header: url_encoded_pem (nginx), client_cert (RFC 9440) or base64_der"
    )
    client_certificate_validated: bool = _setting(
        False, "the proxy forwards only certificates whose chain it has validated, so that names in them count"
    )
    insecure_http: bool = _setting(False, "serve plain HTTP beyond this machine")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks (10.0.0.0/8) whose X-Forwarded-For and -Proto are believed"
    )
    cors_origins: tuple[str, ...] = _setting((), "web origins (https://app.example.com) whose pages may read answers")
    forbidden_as_403: bool = _setting(False, "answer insufficient_scope with 403 (RFC 6750) instead of 401")
    conceal_objects: bool = _setting(False, "answer alike for objects that are unknown, blocked or not granted")
    token_endpoint_as_audience: bool = _setting(
        False, "take client assertions that are made out to the token endpoint, as old clients make them"
    )
    client_registration: bool = _setting(
        False, "let clients register themselves with a token of `rowgate registration token` (RFC 7591)"
    )
    dpop_nonce_required: bool = _setting(False, "DPoP proofs must carry a nonce of this server (RFC 9449 §8)")
    max_access_token_seconds: int = _setting(
        86_400, "the longest that an access token may live, whatever is set for its application; 0: no maximum"
    )  # 24 h
    max_refresh_token_seconds: int = _setting(7_776_000, "likewise, of a refresh token; 0: no maximum")  # 90 d
    max_secret_seconds: int = _setting(0, "likewise, of a client secret; 0: no maximum")
    max_token_body_bytes: int = _setting(65_536, "largest body of a token request", least=1024)  # 64 KiB
    max_rows_body_bytes: int = _setting(1_048_576, "largest body of a rows request", least=1024)  # 1 MiB
    max_header_bytes: int = _setting(32_768, "largest request line and headers together", least=1024)  # 32 KiB
    max_connections: int = _setting(2000, "connections per worker; more get 503", least=1)
    max_connections_per_address: int = _setting(
        512, "of them, from one address; trusted proxies may have all, 0: everybody may"
    )
    request_seconds: int = _setting(20, "time for a whole request to arrive", least=1)
    keep_alive_seconds: int = _setting(75, "time that an idle connection stays open", least=1)
    send_stall_seconds: int = _setting(30, "time that a reader may take nothing before its rows are cut", least=1)
    max_reader_seconds: int = _setting(
        3600, "time that one read may wait for its reader in all; a reader slower than that is cut", least=1
    )
    statement_seconds: int = _setting(300, "time that one statement may spend in the database", least=1)
    max_reads: int = _setting(32, "statements per worker at once; further ones wait", least=1, most=1024)
    max_reads_per_application: int = _setting(8, "of them, for one application", least=1, most=1024)
    read_queue_seconds: int = _setting(10, "time that a read waits for its turn before it gets 503")
    shutdown_seconds: int = _setting(30, "time that what runs gets to finish when the server stops; then it is cut")
    signing_key_days: int = _setting(90, "days from one signing key to the next; 0: only on command", most=3650)
    sealing_key_days: int = _setting(90, "days from one sealing key to the next; 0: only on command", most=3650)
    jwks_max_age_seconds: int = _setting(
        3600, "time that others may keep a copy of the public keys; a new key signs after it", least=60, most=43_200
    )
    outgoing_hosts: tuple[str, ...] = _setting(
        (), "hosts that the server may call, at public addresses: keys.example.com or keys.example.com:8443"
    )
    outgoing_private_hosts: tuple[str, ...] = _setting((), "hosts that it may call in the house's own network too")
    outgoing_ca_file: str = _setting("", "PEM file of certificate authorities for these hosts, besides the system's")
    outgoing_seconds: int = _setting(5, "time that one such call may take, all in all", least=1, most=60)
    outgoing_http_on_loopback: bool = _setting(False, "call plain HTTP on this very machine; for tests")
    webhook_url: str = _setting(
        "",
        "address that is told before secrets end, signed by the key of `rowgate webhook key`; an outgoing host",
    )
    trusted_issuers: tuple[IssuerSettings, ...] = _setting(
        (), "platforms whose tokens are believed, a [[trusted_issuers]] table each", convert=read_issuers
    )
    log_format: str = _setting("console", "console or json")
    log_level: str = _setting("info", "debug, info, warning or error")

    @property
    def served_databases(self) -> tuple[DatabaseSettings, ...]:
        """Every served database: the plain one, if there is one, and those of the tables."""
        plain = (DatabaseSettings(address=self.database),) if self.database else ()
        return (*plain, *self.databases)

    @property
    def state_path(self) -> Path:
        """The file of the state database, where no `state` is set."""
        return self.home / "state.db"

    @property
    def master_key_path(self) -> Path:
        """The file of the key that opens the keys in the state database."""
        return self.home / "master.key"

    @property
    def webhook_key_path(self) -> Path:
        """The file of the key that signs what the webhook gets."""
        return self.home / "webhook.key"

    @property
    def audit_path(self) -> Path:
        """The directory of the audit segments."""
        return self.home / "audit"

    @property
    def procedures_path(self) -> Path:
        """The directory of the declared procedures; it need not be there."""
        return self.home / "procedures"

    @property
    def issuer(self) -> str:
        """The server's own address, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    @property
    def knows_client_certificates(self) -> bool:
        """Whether clients may have certificates."""
        return self.tls_client_certificates or bool(self.client_certificate_header)

    @property
    def knows_certificate_names(self) -> bool:
        """Whether the names in clients' certificates count: an authority stands for them."""
        is_validated_here = self.tls_client_certificates and bool(self.tls_client_ca)
        return is_validated_here or bool(self.client_certificate_header and self.client_certificate_validated)

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOOPBACK

    def check(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            ConfigError: It says which.
        """
        if self.database and any(not served.name for served in self.databases):
            raise ConfigError("database and a [[databases]] table without a name would be the same one: keep either")
        self._check_state()
        self._check_addresses()
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("tls_cert and tls_key go together: set both or neither")
        if not (self.tls_cert or self.is_on_loopback or self.trusted_proxies or self.insecure_http):
            # RFC 6749 §3.2: the token endpoint requires TLS.
            raise ConfigError(
                f"host {self.host} is reached from other machines, and secrets would cross the network in the clear: "
                "give --tls-cert and --tls-key, name your proxy in trusted_proxies, or say --insecure-http"
            )
        if (self.tls_client_certificates or self.tls_client_ca) and not self.tls_cert:
            raise ConfigError(
                "clients' certificates come with TLS: set tls_cert and tls_key, or have a proxy forward them"
            )
        if self.tls_client_ca and not self.tls_client_certificates:
            raise ConfigError("tls_client_ca is of no use unless clients are asked: set tls_client_certificates")
        if self.client_certificate_header and not self.trusted_proxies:
            raise ConfigError("client_certificate_header is believed from a proxy only: name it in trusted_proxies")
        for name, allowed in (
            ("client_certificate_format", ("url_encoded_pem", "client_cert", "base64_der")),
            ("log_format", ("console", "json")),
            ("log_level", ("debug", "info", "warning", "error")),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} must be one of {', '.join(allowed)}")

    def _check_addresses(self) -> None:
        for name, check, texts in (
            ("public_url", check_public_url, [self.public_url] if self.public_url else []),
            ("trusted_proxies", check_proxy, self.trusted_proxies),
            ("cors_origins", check_origin, self.cors_origins),
        ):
            for text in texts:
                try:
                    check(text)
                except ValueError as error:
                    raise ConfigError(f"{name}: {error}") from None

    def _check_state(self) -> None:
        if self.state and not self.state.startswith(("postgresql://", "postgres://")):
            raise ConfigError("state is an address of PostgreSQL, postgresql://USER@HOST/DATABASE, or empty")
        if not _SCHEMA.fullmatch(self.state_schema):
            raise ConfigError("state_schema is a name of lower case letters, digits and _, up to 63 of them")


SETTINGS = tuple(item for item in fields(Settings) if item.name != "home")


def load_settings(home: Path, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Give the settings of a home.

    Args:
        home: The home's directory; its rowgate.toml may be absent.
        environment: Variables such as ROWGATE_PORT override the file.
        flags: Values from the command line override both; None means not given.

    Raises:
        ConfigError: The file is not TOML, a name does not exist, a value has the wrong type or they clash.
    """
    path = home / CONFIG_NAME
    values = _read_file(path)
    known = {item.name: item for item in SETTINGS}
    sources = dict.fromkeys(values, str(path))
    for name in values:
        if name not in known:
            raise ConfigError(f"{path} sets {name}, which does not exist; `rowgate config` lists the settings")
    for name in known:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if variable in environment:
            values[name], sources[name] = environment[variable], variable
    for name, value in flags.items():
        if value is not None:
            values[name], sources[name] = value, "the command line"
    converted: dict[str, Any] = {}
    for name, value in values.items():
        try:
            converted[name] = _convert(known[name], value)
        except ConfigError as error:
            raise ConfigError(f"{sources[name]}: {error}") from error.__cause__
    settings = Settings(home=home, **converted)
    settings.check()
    return settings


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read: save it as UTF-8 ({error.reason})") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; check its owner and mode") from error
    except tomllib.TOMLDecodeError as error:
        is_list = "immutable namespace" in str(error)  # as tomllib says that [[databases]] follows databases = [...]
        hint = ": a list that is written on one line cannot go on in [[tables]]: have it one way" if is_list else ""
        raise ConfigError(f"{path} is not TOML: {error}{hint}") from error


def list_unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Give the variables that look like settings and are none: nobody reads them."""
    known = {ENVIRONMENT_PREFIX + item.name.upper() for item in SETTINGS} | {ENVIRONMENT_PREFIX + "HOME"}
    return sorted(name for name in environment if name.startswith(ENVIRONMENT_PREFIX) and name not in known)


def _convert(item: Any, value: Any) -> Any:
    """Give the value as the setting's type; the environment and the file write some types as text."""
    default = item.default
    if item.metadata["convert"] is not None:
        try:
            return item.metadata["convert"](value)
        except ValueError as error:
            raise ConfigError(f"{item.name}: {error}") from error
    if isinstance(default, bool):
        converted = _SWITCHES.get(value.lower()) if isinstance(value, str) else value
        return _require(item, converted, isinstance(converted, bool), "true or false")
    if isinstance(default, int):
        converted = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        least, most = item.metadata["least"], item.metadata["most"]
        fits = isinstance(converted, int) and not isinstance(converted, bool) and least <= converted <= most
        return _require(item, converted, fits, f"a whole number from {least} to {most}")
    if isinstance(default, tuple):
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        is_list = isinstance(parts, (list, tuple)) and all(isinstance(part, str) for part in parts)
        return tuple(_require(item, parts, is_list, "a list of texts"))
    return _require(item, value, isinstance(value, str), "a text")


def _require(item: Any, value: Any, fits: bool, expected: str) -> Any:  # noqa: FBT001 - a private question
    if not fits:
        raise ConfigError(f"{item.name} must be {expected}")
    return value


def dump(settings: Settings) -> str:
    """Give the settings as the file that would make them, each with its help line; defaults stand as comments."""
    lines = ["# Rowgate's settings. A line that begins with # shows the default.", ""]
    for item in SETTINGS:
        value = getattr(settings, item.name)
        mark = "# " if value == item.default else ""
        lines += [f"# {item.metadata['help']}", f"{mark}{item.name} = {_toml(value)}", ""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + _CONTROLS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", escaped) + '"'
    if isinstance(value, (IssuerSettings, DatabaseSettings)):
        members = [(item, getattr(value, item.name)) for item in fields(value)]
        told = (f"{item.name} = {_toml(given)}" for item, given in members if given != item.default)
        return "{" + ", ".join(told) + "}"
    return str(value)


def find_home(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Give the home: as given, else ROWGATE_HOME, else ./.rowgate, else the platform's data folder."""
    named = given or environment.get("ROWGATE_HOME")
    if named:
        return Path(named).absolute()
    here = Path(".rowgate").absolute()
    if here.is_dir():
        return here
    from platformdirs import user_data_path  # noqa: PLC0415 - only here, and only when nothing else names a home

    there = user_data_path("rowgate", appauthor=False)
    return there if there.is_dir() else here
