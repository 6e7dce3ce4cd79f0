"""The name of the file that an answer becomes when somebody saves it."""

import re
from urllib.parse import quote

from rowgate.rows.model import Format

FILES = frozenset({Format.CSV, Format.PARQUET, Format.XLSX})
MAX_NAME = 100  # characters
_NO_FILE_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')  # what paths, Windows and header lines are made of
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._-]+")


def render_disposition(object_name: str, suffix: str) -> bytes:
    r"""Give the value of Content-Disposition.

    >>> render_disposition("SA_Users", "csv")
    b'attachment; filename="SA_Users.csv"'
    >>> render_disposition("../Zoë", "csv")
    b'attachment; filename="Zo.csv"; filename*=UTF-8\'\'Zo%C3%AB.csv'

    Source: RFC 6266 §4, RFC 8187 §3.2
    """
    name = _NO_FILE_NAME.sub("_", object_name[:MAX_NAME]).strip("._ ") or "rows"
    plain = _NO_TOKEN.sub("_", name).strip("._") or "rows"
    told = f'attachment; filename="{plain}.{suffix}"'
    if plain != name:
        told += f"; filename*=UTF-8''{quote(name, safe='', errors='replace')}.{suffix}"
    return told.encode("ascii")
