"""`rowgate doctor` and `object list` tell what is wrong with declared procedures."""

import json
from pathlib import Path

from cli.transcript import run

MODE = "only its owner can declare procedures"
CALLS = "every declared procedure can be called"


def find_answers(question: str) -> list[tuple[bool, str]]:
    findings = json.loads(run(["doctor", "--json"]).stdout)
    return [(found["good"], found["found"]) for found in findings if found["question"] == question]


def test_without_procedures_nothing_is_asked(home: Path) -> None:
    assert home.is_dir()
    assert find_answers(MODE) == find_answers(CALLS) == []


def test_good_procedures_are_counted(home: Path) -> None:
    folder = home / "procedures"
    folder.mkdir(mode=0o700)
    (folder / "one.sql").write_text("SELECT 1 AS a")
    assert find_answers(MODE) == [(True, "mode 700")]
    assert find_answers(CALLS) == [(True, "1 procedure")]
    folder.chmod(0o770)
    assert find_answers(MODE) == [(False, "mode 770")]


def test_faults_are_told_by_name_and_line(home: Path) -> None:
    folder = home / "procedures"
    folder.mkdir(mode=0o700)
    (folder / "one.sql").write_text("-- parameter: a text\nSELECT 1,\n  :b AS b")
    (folder / "SA_ServiceAccounts.sql").write_text("SELECT 1 AS a")
    clash = "the database has an object of this name, which comes before it: rename the file"
    fault = "line 3: :b is not declared"
    assert find_answers(CALLS) == [(False, f"SA_ServiceAccounts: {clash}"), (False, f"one: {fault}")]
    told = run(["object", "list"])
    assert told.exit_code == 0
    assert told.stderr.splitlines() == [
        f"The procedure SA_ServiceAccounts cannot be called: {clash}",
        f"The procedure one cannot be called: {fault}",
    ]
    listed = {item["name"]: item for item in json.loads(run(["object", "list", "--json"]).stdout)}
    assert (listed["one"]["kind"], listed["one"]["fault"]) == ("procedure", fault)
    shown = run(["object", "show", "one"])
    assert (shown.exit_code, shown.stdout) == (0, f"one (procedure)\nit cannot be called: {fault}\n")


def test_what_cannot_be_read_declares_no_type_or_writes_is_told(home: Path) -> None:
    folder = home / "procedures"
    folder.mkdir(mode=0o700)
    (folder / "folder.sql").mkdir()
    (folder / "gone.sql").symlink_to(folder / "nowhere")
    (folder / "latin.sql").write_bytes(b"SELECT '\xe9' AS a")
    (folder / "typed.sql").write_text("-- parameter: a uuid\nSELECT :a AS a")
    (folder / "writes.sql").write_text("DELETE FROM SA_ServiceAccounts RETURNING 1 AS a")
    told = dict(found.split(": ", 1) for _, found in find_answers(CALLS))
    assert "directory" in told["folder"].lower()
    assert "decode" in told["latin"]
    assert told["typed"].startswith("line 1: uuid is none of text, integer")
    assert "not authorized" in told["writes"]
    assert told.keys() == {"folder", "latin", "typed", "writes"}, "a link to nothing is nothing"
