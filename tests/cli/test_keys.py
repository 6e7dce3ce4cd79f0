"""`rowgate key list --json`: what scripts rely on, and no key in it."""

import json
from contextlib import closing
from pathlib import Path

from cli.transcript import run
from rowgate import wiring
from rowgate.config import load_settings


def test_key_list_tells_everything_but_the_keys(home: Path) -> None:
    for flags in ((), ("--algorithm", "ES256"), ("--sealing",)):
        assert run(["key", "rotate", *flags]).exit_code == 0
    done = run(["key", "list", "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert [(found["use"], found["algorithm"], found["state"]) for found in listed] == [
        ("signing", "ES256", "current"),
        ("signing", "EdDSA", "current"),
        ("sealing", "A256GCM-SIV", "current"),
        ("sealing", "A256GCM-SIV", "coming"),
    ]
    members = {"use", "name", "algorithm", "state", "created_at", "not_before", "retired_at", "forget_at"}
    assert all(set(found) == members for found in listed)
    assert listed[2]["retired_at"] == listed[3]["not_before"] < listed[2]["forget_at"]
    with closing(wiring.open_reader(load_settings(home, {}, {}))) as reader:
        keys = reader.load_keys()
    printed = done.stdout + "".join(json.dumps(event) for event in [run(["audit", "tail", "--json"]).stdout])
    assert all(key.hex() not in printed for key in keys.sealing.values())
    assert all(key.private_key.decode() not in printed for key in keys.signing)
    assert "PRIVATE" not in printed
