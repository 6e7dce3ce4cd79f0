"""The page on narrower tokens, walked as a reader would: its lines, in their order, against a real server."""

import itertools
import json
from pathlib import Path

import httpx
import pytest

from docs.served_report import serve_report
from docs.test_walkthrough import CHECKOUT, find_blocks
from rowgate.oauth.token_exchange import TOKEN_EXCHANGE
from support.homes import administer
from support.servers import wait_until

_PAGE = "docs/how-to/narrower-tokens.md"


@pytest.mark.slow
def test_page_on_narrower_tokens_does_what_it_says(sample_database: Path, tmp_path: Path) -> None:
    text = (CHECKOUT / _PAGE).read_text("utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == 3
    ask, exchange = (find_blocks(_PAGE, first, last) for first, last in itertools.pairwise(headings))
    narrow, order, other, explain = (block for _, block in ask)
    allow, use = (block for _, block in exchange)

    with serve_report(sample_database, tmp_path) as (reader, server):
        (row,) = json.loads(reader.paste(narrow))
        assert set(row) == {"UserId", "DisplayName", "Department"}
        assert json.loads(reader.paste(order))["field"] == "orderby[0]"
        assert 'error="insufficient_scope"' in reader.paste(other)
        assert "columns: Department, DisplayName, UserId" in reader.paste(explain)
        reader.paste(allow)
        metadata = f"{server.url}/.well-known/oauth-authorization-server"
        wait_until(lambda: TOKEN_EXCHANGE in httpx.get(metadata).json()["grant_types_supported"])
        made_token = json.loads(reader.paste(use))
        assert (made_token["expires_in"], made_token["authorization_details"][0]["objects"]) == (
            600,
            ["SA_Activity_Events"],
        )
        said = [reader.paste(block) for _, block in find_blocks(_PAGE, headings[2], text.splitlines()[-1])]
        assert "client_secret" in said[0]
        assert said[-1].endswith("its own tokens\n")
    with administer(server.settings) as desks:
        assert desks.applications.load("gateway")[0].policy.exchanges_tokens_of == ()
