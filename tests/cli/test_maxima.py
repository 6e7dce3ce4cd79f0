"""The server's maxima, as the commands tell of them."""

import json
import time

import pytest

from cli.transcript import run

pytestmark = pytest.mark.usefixtures("home")
OBJECT = "SA_ServiceAccounts"


def test_a_longer_life_is_refused_by_the_name_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without a length the maximum is chosen, so that the plain command works."""
    monkeypatch.setenv("ROWGATE_MAX_ACCESS_TOKEN_SECONDS", "600")
    monkeypatch.setenv("ROWGATE_MAX_SECRET_SECONDS", "7200")
    assert run(["app", "add", "report", "--object", OBJECT]).exit_code == 0
    assert "sealed, good for 10m\n" in run(["app", "show", "report"]).stdout
    for arguments, setting in (
        (["app", "set", "report", "--access-lifetime", "1h"], "max_access_token_seconds"),
        (["app", "set", "report", "--refresh-lifetime", "91d"], "max_refresh_token_seconds"),
        (["secret", "add", "report", "--expires-in", "never"], "max_secret_seconds"),
        (["secret", "policy", "report", "--lifetime", "72h"], "max_secret_seconds"),
    ):
        refused = run(arguments)
        assert refused.exit_code == 1
        assert refused.stderr.startswith("rowgate: "), refused.stderr
        assert setting in refused.stderr


def test_what_was_set_is_shown_beside_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run(["app", "add", "report", "--object", OBJECT, "--access-lifetime", "2h"])
    monkeypatch.setenv("ROWGATE_MAX_ACCESS_TOKEN_SECONDS", "600")
    shown = run(["app", "show", "report"]).stdout
    assert "good for 10m, the server's maximum (2h was set)" in shown
    assert "10m" in run(["app", "set", "report", "--tokens-per-minute", "9"]).stdout


def test_doctor_says_whose_secrets_a_maximum_would_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is set: the setting is given to the command alone."""
    made = json.loads(run(["app", "add", "report", "--object", OBJECT, "--expires-in", "never", "--json"]).stdout)
    question = "max_secret_seconds ends no secret before its own time"

    def ask(seconds: int) -> list[tuple[bool, str]]:
        monkeypatch.setenv("ROWGATE_MAX_SECRET_SECONDS", str(seconds))
        findings = json.loads(run(["doctor", "--json"]).stdout)
        return [(found["good"], found["found"]) for found in findings if found["question"] == question]

    assert ask(0) == []
    assert ask(3600) == [(True, "none")]
    later = time.time() + 3601
    monkeypatch.setattr("time.time", lambda: later)
    assert ask(3600) == [(False, f"report {made['key_id']}")]
