"""The commands, as scripts that a user could read: see transcripts/."""

from pathlib import Path

import pytest

from cli.transcript import play

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_commands_do_what_is_written(transcript: Path, home: Path) -> None:
    play(transcript, {"home": str(home)})
