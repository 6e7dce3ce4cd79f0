"""Pages by cursor over HTTP, on every engine and by every type of column: together they are the whole read."""

from collections.abc import Iterator
from itertools import islice

import httpx
import pytest

from engines.road_tables import PLACED_ROWS
from engines.roads import Road
from rows.harness import Members, success
from support.laws import choose_examples

ORDERS = {"{}": 3, "{} desc nulls first": 5, "{} desc": 2, "{} nulls last": 4}  # and rows on a page
MOST_PAGES = PLACED_ROWS  # pages that go on for ever are no pages


def turn_pages(roads: Road, name: str, body: Members) -> Iterator[httpx.Response]:
    cursor: str | None = ""
    while cursor is not None:
        answer = roads.post(name, {**body, "cursor": cursor})
        yield answer
        cursor = answer.headers.get("rowgate-next-cursor")


def join_pages(roads: Road, name: str, body: Members) -> list[Members]:
    """Give the rows of all pages; each but the last is full, and none is empty."""
    pages = [success(answer) for answer in islice(turn_pages(roads, name, body), MOST_PAGES)]
    assert all(len(page) == body["limit"] for page in pages[:-1])
    assert pages[-1]
    return [row for page in pages for row in page]


def list_columns(roads: Road) -> list[str]:
    return [column["name"] for column in roads.client.get("/api/v1/data/placed").json()["columns"]]


def test_pages_are_the_whole_by_every_type_of_column(every_road: Road) -> None:
    """With every value of the column at the end of some page, rows that are alike in it among them."""
    wrong: list[str] = []
    for column in list_columns(every_road):
        for order, size in islice(ORDERS.items(), choose_examples(len(ORDERS))):
            body = {"orderby": [order.format(column)], "columns": ["n", column]}
            whole = success(every_road.post("placed", body))
            try:
                pages = join_pages(every_road, "placed", {**body, "limit": size})
            except AssertionError as failed:
                wrong.append(f"{body['orderby']}: {str(failed)[:500]}")
                continue
            if [row[column] for row in pages] != [row[column] for row in whole]:
                wrong.append(f"{body['orderby']}: {[row[column] for row in pages]} {[row[column] for row in whole]}")
            elif sorted(row["n"] for row in pages) != list(range(PLACED_ROWS)):
                wrong.append(f"{body['orderby']}: rows are missing or come twice")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
