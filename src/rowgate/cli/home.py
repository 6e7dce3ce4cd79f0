"""A home: how commands find and open it, and `rowgate init` and `rowgate config`."""

import getpass
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rowgate.config import CONFIG_NAME, ConfigError, Settings, dump, find_home, load_settings
from rowgate.served_databases import split_named_addresses

if TYPE_CHECKING:
    from rowgate.wiring import Administration

# of addresses: user:password@, and the parameter
_PASSWORDS = re.compile(r"(://[^/:@\s\"]*:(?=[^@/\s\"]+@)|\bpassword=)[^@&\s\"]+", re.IGNORECASE)
HOME_OPTION = click.option("--home", metavar="DIR", help="The home; see `rowgate --help`.")
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")


def open_settings(home: str | None, **flags: Any) -> Settings:
    """Give the settings of the home that the command line names.

    Raises:
        ConfigError: There is no home there, or its settings cannot be used.
    """
    given = home or click.get_current_context().find_root().obj
    path = find_home(given)
    try:
        if not path.is_dir():
            raise ConfigError(
                f"there is no home at {path}: `rowgate init{_name_home(given)} --database PATH` makes one"
            )
        if not any((path / name).exists() for name in (CONFIG_NAME, "state.db", "master.key")):
            raise ConfigError(f"{path} is no home: `rowgate init{_name_home(str(path))} --database PATH` makes it one")
    except PermissionError:
        raise ConfigError(f"{path} cannot be read by this user: run as its owner") from None
    return load_settings(path, os.environ, flags)


def _name_home(given: str | None) -> str:
    """Give the option that names a home as it was given, to be pasted; without one the next command finds it too."""
    return f" --home {shlex.quote(given)}" if given else ""


def name_actor() -> str:
    """Name who is at the keyboard, for the record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{behind} as {user}" if behind else user


@contextmanager
def administration(home: str | None) -> Iterator["Administration"]:
    """Give the desks of a home, with a record of their own."""
    from rowgate import wiring  # noqa: PLC0415 - the commands that need no home start without it

    with wiring.open_administration(open_settings(home), actor=name_actor()) as administration_:
        yield administration_


@click.command()
@HOME_OPTION
@click.option(
    "--database",
    "given",
    metavar="[NAME=]URL",
    multiple=True,
    help="A database to serve: a path, sqlite:///PATH, postgresql://USER@HOST/DATABASE, mariadb://USER@HOST/DATABASE "
    "or duckdb:///PATH. Several times: NAME=URL names the objects' namespace.",
)
@click.option(
    "--state",
    metavar="URL",
    help="Keep the state in PostgreSQL, which replicas share: postgresql://USER@HOST/DATABASE.",
)
@click.option("--state-schema", metavar="NAME", help="The schema there that holds it and nothing else: rowgate.")
@click.option("--state-password-file", metavar="FILE", help="Holds the password of that user.")
@click.pass_context
def init(context: click.Context, /, home: str | None, given: tuple[str, ...], **state: str | None) -> None:
    """Make a home: state, keys, rowgate.toml."""
    from rowgate import wiring  # noqa: PLC0415 - see administration

    given_home = home or context.find_root().obj
    path = find_home(given_home)
    try:
        plain, named = split_named_addresses(given)
    except ValueError as error:
        raise ConfigError(f"--database: {error}") from error
    database = _complete(plain)
    databases = tuple(replace(one, address=_complete(one.address)) for one in named)
    if (path / CONFIG_NAME).exists() or (path / "state.db").exists():
        raise ConfigError(f"{path} is a home already; nothing was changed")
    if (path / "master.key").exists():
        raise ConfigError(
            f"{path} has a master key already; for a replica copy the first one's {CONFIG_NAME} too, and that is all"
        )
    if password_file := state["state_password_file"]:
        state["state_password_file"] = str(Path(password_file).absolute())
    settings = load_settings(path, {}, {"database": database, "databases": databases, **state})
    made = not path.exists()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        wiring.create_home(settings, name_actor())
    except BaseException:
        if made:
            shutil.rmtree(path, ignore_errors=True)
        raise
    click.echo(f"Made a home at {path}.", err=True)
    if settings.served_databases:
        home_named = _name_home(given_home)
        steps = ("object list", "app add NAME --object OBJECT", "serve")
        click.echo("Next: " + "; ".join(f"rowgate {step}{home_named}" for step in steps), err=True)
    else:
        click.echo(f"Next: set database in {path / CONFIG_NAME}", err=True)


def _complete(database: str) -> str:
    """Give the address with its path made absolute, so that the server finds it from any folder.

    A path alone is a file of SQLite, or a folder of files.
    """
    if not database:
        return ""
    scheme, separator, rest = database.partition("://")
    if not separator:
        path = Path(database).absolute()
        return f"{'duckdb' if path.is_dir() else 'sqlite'}:///{path}"
    is_path = scheme in ("sqlite", "duckdb") and rest.startswith("/")
    return f"{scheme}:///{Path(rest[1:]).absolute()}" if is_path else database


@click.command()
@HOME_OPTION
def config(home: str | None) -> None:
    """Print the settings in force. It is the file that would make them, but for passwords in addresses."""
    click.echo(_PASSWORDS.sub(r"\1***", dump(open_settings(home))))
