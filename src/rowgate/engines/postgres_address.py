"""The address of a PostgreSQL database, as libpq takes it (postgresql://user@host/database?sslmode=verify-full).

Rule: no password stands in it, for addresses are shown in settings, on screens and in logs. libpq takes one from
PGPASSWORD or a password file, and so does `password_file`.
"""

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo


def read_address(address: str, password_file: str) -> str:
    """Give what a connection is made with.

    Args:
        address: As the settings have it.
        password_file: Holds the password in its first line; empty: libpq looks for one by itself.

    Raises:
        ValueError: The address cannot be read, or holds a password; the text does not repeat it.
        OSError: The file cannot be read.
    """
    try:
        parts = conninfo_to_dict(address)
    except psycopg.Error:
        raise ValueError("it is not one of PostgreSQL: postgresql://user@host:5432/database") from None
    if "password" in parts:
        raise ValueError("a password stands in it; put it in a password file, PGPASSWORD or ~/.pgpass")
    if not password_file:
        return address
    password = Path(password_file).read_text("utf-8").partition("\n")[0]
    return make_conninfo(address, password=password)
