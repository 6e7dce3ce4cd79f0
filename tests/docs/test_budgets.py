"""The page on budgets, walked as a reader would."""

import json
from pathlib import Path

import pytest

from docs.test_walkthrough import Reader, find_blocks
from rowgate.oauth.model import ClientPolicy
from support.homes import add_application, administer, make_home
from support.servers import run_server, within_a_second

_PAGE = "docs/how-to/budgets.md"


@pytest.mark.slow
def test_page_on_budgets_does_what_it_says(sample_database: Path, tmp_path: Path) -> None:
    setting, reading, again, taking_away = (b for _, b in find_blocks(_PAGE, "## Set it", "## A slow reader"))
    settings = make_home(tmp_path / "home", sample_database)
    (settings.home / "rowgate.toml").write_text(f'database = "sqlite:///{sample_database}"\n', "utf-8")
    made = add_application(settings, "report", ("*",))
    (tmp_path / "administrator").mkdir()
    administrator, reader = Reader(tmp_path / "administrator"), Reader(tmp_path)
    for person in (administrator, reader):
        person.environment |= {"ROWGATE_HOME": str(settings.home)}
    administrator.paste(setting)  # before the server starts: a budget that comes a second later counts from then on
    with administer(settings) as desks:
        policy: ClientPolicy = desks.applications.load("report")[0].policy
        assert (policy.max_reads, policy.rows_per_day, policy.statement_seconds) == (2, 10, 20)
    with run_server(settings) as server:
        reader.environment |= {"URL": server.url, "ID": made.application.client_id, "SECRET": made.client_secret}
        said = reader.paste(reading)
        assert "HTTP/1.1 429" in said
        assert '"limit":10,"used":6,"left":4' in said
        found = reader.paste(again)
        rows, _ = json.JSONDecoder().raw_decode(found)
        assert len(rows) == 4
        within_a_second(lambda: "rows_per_day" in reader.paste(again))
        administrator.paste(taking_away)
        within_a_second(lambda: "HTTP/1.1 429" not in reader.paste(reading))
