"""The page for operators: a home that is backed up while it serves comes up elsewhere, with its record."""

import dataclasses
import re
import shutil
from pathlib import Path

import httpx

from docs.test_docs import CHECKOUT
from docs.test_docs import find_blocks as list_blocks
from docs.test_walkthrough import Reader, find_blocks
from rowgate.service.tally import MEASURES
from support.homes import add_application, make_home
from support.servers import run_server, wait_until

_PAGE = "docs/how-to/keep-it-running.md"


def test_a_home_is_restored_from_its_backup(tmp_path: Path, sample_database: Path) -> None:
    (_, backing_up), (_, restoring) = find_blocks(_PAGE, "## Back up", "## What you see when something is wrong")
    settings = make_home(tmp_path / "home", sample_database)
    made = add_application(settings, "reports")
    (settings.home / "rowgate.toml").write_text(f'database = "sqlite:///{sample_database}"\n')
    form = {
        "grant_type": "client_credentials",
        "client_id": made.application.client_id,
        "client_secret": made.client_secret,
    }
    folders = {name: tmp_path / name for name in ("backup", "new")}
    folders["backup"].mkdir()
    shutil.copy(settings.master_key_path, tmp_path / "kept-apart.key")
    variables = (
        f"BACKUP={folders['backup']}\nNEW={folders['new']}\nMASTER_KEY={tmp_path}/kept-apart.key\nexport BACKUP\n"
    )
    operator = Reader(settings.home)
    with run_server(settings) as server:
        assert httpx.post(f"{server.url}/token", data=form).status_code == 200
        operator.paste(variables + backing_up)
        add_application(settings, "later")
    said = operator.paste(variables + restoring)
    assert "reports" in said
    assert "later" not in said
    assert (folders["new"] / "state.db").stat().st_mode & 0o077 == 0
    shutil.rmtree(settings.home)
    restored = dataclasses.replace(settings, home=folders["new"])
    with run_server(restored) as server:
        assert httpx.post(f"{server.url}/token", data=form).status_code == 200
        wait_until(lambda: len(server.events(kind="token_issued")) == 2)


def test_the_rules_ask_for_what_is_told() -> None:
    (rules,) = list_blocks((CHECKOUT / _PAGE).read_text("utf-8"), "yaml")
    endings = {True: ("_bucket", "_sum", "_count"), False: ("", "_total")}
    told = {measure.name + ending: measure for measure in MEASURES for ending in endings[bool(measure.bounds)]}
    asked = re.findall(r"(rowgate_\w+)(?:{(\w+)=)?", rules)
    assert len(asked) > len(re.findall("alert:", rules))
    for name, label in asked:
        if name == "rowgate_secrets_expiring":
            continue  # of the state: see test_be_warned.py
        assert name in told, name
        assert not label or label in told[name].labels, name
