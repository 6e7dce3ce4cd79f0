"""What scripts rely on: the shapes of --json, and standard output that holds nothing else."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.transcript import run
from rowgate.audit.events import RowsOpened, RowsRefused


def read_json(*arguments: str, exit_code: int = 0) -> Any:
    done = run(list(arguments))
    assert done.exit_code == exit_code, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture
def made(home: Path) -> dict[str, Any]:
    """An application, as `app add --json` gives it."""
    assert home.is_dir()
    made = read_json("app", "add", "reports", "--object", "SA_Activity_Events", "--json")
    assert isinstance(made, dict)
    return made


def test_app_add_gives_the_credentials(made: dict[str, Any]) -> None:
    assert set(made) == {"name", "client_id", "client_secret", "client_secret_expires_at", "key_id", "objects"}
    assert abs(made["client_secret_expires_at"] - time.time() - 72 * 3600) < 60
    assert made["client_secret"].startswith(f"rgcs_{made['key_id']}_")
    assert made["objects"] == ["SA_Activity_Events"]


@pytest.mark.parametrize(
    ("flags", "expires_at"),
    [(("--expires-in", "never"), 0), (("--expires-on", "2099-01-31"), 4_073_500_800)],
)
def test_expiry_is_seconds_since_1970_and_0_is_never(home: Path, flags: tuple[str, str], expires_at: int) -> None:
    assert home.is_dir()
    made = read_json("app", "add", "a", "--object", "SA_Activity_Events", "--json", *flags)
    assert made["client_secret_expires_at"] == expires_at


def test_app_list_and_show_tell_everything_but_secrets(made: dict[str, Any]) -> None:
    (listed,) = read_json("app", "list", "--json")
    assert listed == read_json("app", "show", "reports", "--json")
    assert set(listed) == {
        "name",
        "client_id",
        "enabled",
        "scope",
        "refresh_tokens",
        "rotate_refresh_tokens",
        "access_lifetime_seconds",
        "refresh_lifetime_seconds",
        "authentication_methods",
        "jwks_uri",
        "workloads",
        "keys",
        "access_token_format",
        "access_token_algorithm",
        "dpop_bound_tokens",
        "tokens_per_minute",
        "tls_subject",
        "tls_certificates",
        "certificate_bound_tokens",
        "token_exchange",
        "exchanges_tokens_of",
        "exchanged_token_seconds",
        "attributes",
        "max_reads",
        "statement_seconds",
        "rows_per_day",
        "bytes_per_day",
        "created_at",
        "objects",
        "policies",
        "secrets",
    }
    (secret,) = listed["secrets"]
    assert set(secret) == {"key_id", "name", "created_at", "expires_at", "revoked", "kills_tokens"}
    assert made["client_secret"] not in json.dumps(listed)


def test_secret_add_and_list(made: dict[str, Any]) -> None:
    second = read_json("secret", "add", "reports", "--expires-in", "2w", "--json")
    assert second["client_id"] == made["client_id"]
    assert second["client_secret"] != made["client_secret"]
    assert [found["key_id"] for found in read_json("secret", "list", "reports", "--json")] == [
        made["key_id"],
        second["key_id"],
    ]


def test_object_list_and_show(home: Path) -> None:
    assert home.is_dir()
    listed = {found["name"]: found for found in read_json("object", "list", "--json")}
    assert set(listed["SA_Activity_Events"]) == {
        "name",
        "kind",
        "fault",
        "blocked",
        "block_reason",
        "aliases",
        "run_key",
        "key",
        "title",
        "description",
    }
    shown = read_json("object", "show", "SA_Activity_Events", "--json")
    assert set(shown["columns"][0]) == {"name", "type", "compares_as"}


def test_explain_gives_every_question(made: dict[str, Any]) -> None:
    yes = read_json("explain", made["client_id"], "SA_Activity_Events", "--json")
    assert yes["allowed"] is True
    assert all(set(step) == {"question", "holds", "found"} and step["holds"] for step in yes["steps"])
    assert read_json("explain", "reports", "SA_ServiceAccounts", "--json", exit_code=1)["allowed"] is False


def test_audit_gives_one_object_a_line(made: dict[str, Any]) -> None:
    done = run(["audit", "tail", "--json"])
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["action"] for event in events] == ["home.init", "application.add"]
    assert events[1]["details"]["client_id"] == made["client_id"]
    found = run(["audit", "search", "--json", "--app", "reports"])
    assert [json.loads(line) for line in found.stdout.splitlines()] == events[1:]
    assert made["client_secret"] not in done.stdout


HOSTILE = "a\x1b[2J\x9b31m\u202egnp.exe\x7f\nkind=token_issued"


def test_what_a_client_wrote_cannot_forge_the_record_or_steer_the_terminal(made: dict[str, Any], home: Path) -> None:
    assert made
    wrote = RowsRefused(at=time.time(), error="unknown_object", reason="object", object=HOSTILE)
    opened = RowsOpened(
        at=time.time(),
        client_id="c",
        application="a",
        token_id="t",
        object='x" kind=token_issued',
        columns=("n",),
        filters=(("n", "equals", HOSTILE),),
    )
    lines = b"".join(msgspec.json.encode(event)[:-1] + b',"chain":"c"}\n' for event in (wrote, opened))
    (segment, *_) = sorted((home / "audit").glob("*.jsonl"))
    with segment.open("ab") as record:
        record.write(lines)
    for flags in ((), ("--json",)):
        done = run(["audit", "tail", "-n", "2", *flags])
        shown = done.stdout.splitlines()
        assert len(shown) == 2
        assert all(line.isprintable() for line in shown)
        if not flags:
            assert r'object="a\u001b[2J\u009b31m\u202egnp.exe\u007f\nkind=token_issued"' in shown[0]
            assert r'object="x\" kind=token_issued"' in shown[1]
    found = [json.loads(line) for line in run(["audit", "search", "--object", HOSTILE, "--json"]).stdout.splitlines()]
    assert [event["object"] for event in found] == [HOSTILE]


def test_doctor_gives_every_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.is_dir()
    monkeypatch.setenv("ROWGATE_PORT", "0")
    findings = read_json("doctor", "--json")
    assert len(findings) >= 8
    assert all(set(finding) == {"question", "good", "found", "advice"} and finding["good"] for finding in findings)
