"""`rowgate doctor` names the applications whose last secret is about to end."""

import json
import time
from pathlib import Path

import pytest

from cli.transcript import run
from rowgate.config import load_settings
from support.homes import add_application

QUESTION = "no application is about to have no good secret"


@pytest.mark.parametrize(
    ("age_hours", "good", "told"),
    [(0, True, "none within a day"), (60, True, "reports in 12h"), (71.5, False, "reports in 30m")],
)
def test_doctor_tells_of_secrets_that_end(home: Path, age_hours: float, good: bool, told: str) -> None:  # noqa: FBT001
    began = time.time() - age_hours * 3600
    add_application(load_settings(home, {}, {}), "reports", clock=lambda: began)
    (finding,) = [f for f in json.loads(run(["doctor", "--json"]).stdout) if f["question"] == QUESTION]
    assert finding["good"] is good
    assert finding["found"] == told
