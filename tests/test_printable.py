"""What clients wrote is shown to people without doing anything to their terminal."""

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from rowgate.printable import escape_unprintable
from rowgate.web.logs import ConsoleFormatter

HOSTILE = "a\x1b[2J\x9b31m\u202egnp.exe\u2066\x7f\u200b\u2028 x\nkind=token_issued\U000e0001"


@given(st.text())
def test_json_keeps_its_meaning_and_prints_whole(text: str) -> None:
    written = escape_unprintable(json.dumps([text], ensure_ascii=False))
    assert written.isprintable()
    assert json.loads(written) == [text]


def test_a_text_that_prints_stays() -> None:
    assert escape_unprintable("Zoë, 木村 🙂") == "Zoë, 木村 🙂"


def test_a_message_cannot_look_like_another_line_of_the_log() -> None:
    record = logging.LogRecord("rowgate.rows", logging.ERROR, "", 0, "a read failed: %s", (HOSTILE,), None)
    first, *others = ConsoleFormatter().format(record).split("\n")
    assert first.isprintable()
    assert all(line.startswith("  ") and line.isprintable() for line in others)
