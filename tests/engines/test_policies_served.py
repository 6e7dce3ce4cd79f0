"""Policies of grants and budgets over HTTP, on every engine and in every format, whichever way rows take through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from engines.road_tables import TYPED_ROWS
from engines.test_formats_served import READERS, plain
from rowgate.rows.masking import COVER
from rowgate.rows.masks import Mask
from rowgate.service.admin.grants import GrantChange
from rowgate.service.admin.policies import PolicyChange
from rows.harness import Reader, address, register, success
from support.homes import administer
from support.servers import fetch_token, wait_until

TYPED = address("typed")
MASKED = {"id": None, "i": Mask.NULL, "day": Mask.YEAR, "t": Mask.LAST_FOUR, "m": Mask.HASH}
ALL, HALF = len(TYPED_ROWS), len(TYPED_ROWS) // 2


@contextmanager
def sign_in(roads: Reader, name: str, change: GrantChange, **policy: Any) -> Iterator[httpx.Client]:
    """Give a client of a new application that may read the table as the change says."""
    credentials = register(roads.server, name, (), policy=PolicyChange(**policy))
    with administer(roads.server.settings) as desks:
        desks.grants.grant(name, ["typed"], change)
    token = fetch_token(roads.server.url, *credentials)["access_token"]
    with httpx.Client(base_url=roads.server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        wait_until(lambda: client.head(f"{TYPED}?limit=0").is_success)
        yield client


def test_masks_are_the_same_in_every_format(roads: Reader) -> None:
    masks = tuple((name, mask) for name, mask in MASKED.items() if mask is not None)
    with sign_in(roads, "masked", GrantChange(columns=tuple(MASKED), masks=masks)) as client:
        asked = {"columns": list(MASKED), "orderby": ["id"]}
        rows = success(client.post(TYPED, json=asked))
        for row, held in zip(rows, TYPED_ROWS, strict=True):
            assert (row["id"], row["i"]) == (held.id, None)
            assert row["day"] == (None if held.day is None else int(held.day[:4]))
            assert row["t"] == (None if held.t is None else _cover(held.t))
            assert (row["m"] is None) == (held.m is None)
        assert len({row["m"] for row in rows}) == len({held.m for held in TYPED_ROWS})
        for form, read in READERS.items():
            answer = client.post(TYPED, json={**asked, "format": form})
            assert answer.status_code == 200, answer.text[:500]
            found = [[_whole(name, value) for name, value in zip(MASKED, row, strict=True)] for row in read(answer)]
            assert found == [[_whole(name, value) for name, value in row.items()] for row in rows]
        for wrong in ({"orderby": ["i"]}, {"groupby": ["t"]}, {"filters": [{"column": "m", "function": "is_null"}]}):
            assert client.post(TYPED, json=wrong).status_code == 400


def list_ends(roads: Reader, application: str) -> list[tuple[str, str]]:
    events = roads.server.events(kind="rows_ended", application=application)
    return [(event["outcome"], event["reason"]) for event in events]


def _cover(text: str) -> str:
    shown = min(4, len(text) // 2)
    return COVER + text[len(text) - shown :]


def _whole(name: str, value: Any) -> Any:
    """Give a value as any format may have it: of a year some have a text."""
    value = plain(name, value)
    return int(value) if name == "day" and value is not None else value


def test_a_budget_of_rows_holds_to_the_row(roads: Reader) -> None:
    with sign_in(roads, "spare", GrantChange(), rows_per_day=HALF) as client:
        assert len(success(client.get(f"{TYPED}?limit={HALF - 4}"))) == HALF - 4
        refused = client.get(f"{TYPED}?limit=5")
        assert (refused.status_code, refused.json()["left"]) == (429, 4)
        assert len(success(client.get(f"{TYPED}?limit=4"))) == 4
        assert client.get(f"{TYPED}?limit=1").json()["left"] == 0


@pytest.mark.parametrize("form", READERS)
def test_what_is_beyond_a_budget_never_looks_whole(roads: Reader, form: str) -> None:
    """It is refused before its first byte, or cut, and on record as that."""
    name = f"spare-{form}"
    with sign_in(roads, name, GrantChange(), rows_per_day=ALL - 1) as client:
        try:
            answer = client.get(TYPED, params={"format": form})
        except httpx.RemoteProtocolError:
            wait_until(lambda: ("cut", "rows_per_day") in list_ends(roads, name))
            told = client.get(f"{TYPED}?limit=1000").json()
            assert told["used"] + told["left"] == ALL - 1, "a block that does not fit is not counted"
        else:
            assert (answer.status_code, answer.json()["field"]) == (429, "rows_per_day")
