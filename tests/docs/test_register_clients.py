"""The page on clients that register themselves, walked as a reader would, against a real server."""

import json
import re
from pathlib import Path

import pytest

from docs.test_walkthrough import CHECKOUT, Reader
from support.homes import make_home
from support.servers import serve_process

_PAGE = "docs/how-to/register-clients.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_page_on_registration_does_what_it_says(sample_database: Path, tmp_path: Path) -> None:
    blocks = _FENCE.findall((CHECKOUT / _PAGE).read_text("utf-8"))
    assert [language for language, _ in blocks] == ["toml", "sh", "sh", "sh", "python", "sh", "sh"]
    setting, make, register, ask, manage, end, watch = (block for _, block in blocks)

    settings = make_home(tmp_path / "home", sample_database)
    lines = f'database = "sqlite:///{sample_database}"\n{setting}'
    (settings.home / "rowgate.toml").write_text(lines, "utf-8")
    reader = Reader(tmp_path)
    with serve_process(settings.home) as server:
        reader.environment |= {"URL": server.url, "ROWGATE_HOME": str(settings.home)}
        reader.paste(make)
        reader.paste(register)
        assert (tmp_path / "client.json").stat().st_mode & 0o077 == 0
        assert json.loads(reader.paste(ask))["token_type"] == "bearer"
        (tmp_path / "program.py").write_text(manage, "utf-8")
        assert reader.paste("python program.py") == "read\nnightly report, second edition\n"
        reader.paste(end)
        said = reader.paste(watch)
    for told in ("client_registered", 'application="nightly report"', "action=update", "action=delete"):
        assert told in said, said
