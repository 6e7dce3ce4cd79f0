"""The page on limiting lives, walked as an administrator would."""

from pathlib import Path

import pytest

from docs.test_walkthrough import CHECKOUT, Reader
from support.homes import add_application, make_home

_PAGE = "docs/how-to/limit-lifetimes.md"


@pytest.mark.slow
def test_page_on_lifetimes_does_what_it_says(sample_database: Path, tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", sample_database)
    add_application(settings, "report")
    blocks = [part.split("\n", 1) for part in (CHECKOUT / _PAGE).read_text("utf-8").split("```")[1::2]]
    config, *sets = (block for language, block in blocks if language in ("toml", "sh"))
    refusal, healthy = (block for language, block in blocks if language == "text")
    reader = Reader(tmp_path)
    reader.environment["ROWGATE_HOME"] = str(settings.home)
    make, refused, look = sets
    said = reader.paste(make)
    assert "good for 10m" in said
    assert "(in 14d)" in said
    assert reader.paste(f"{refused.strip()} 2>&1 || true") == refusal
    assert healthy in reader.paste(f"{look.strip()} || true")
    with (settings.home / "rowgate.toml").open("a", encoding="utf-8") as file:
        file.write(config)
    assert "max_secret_seconds = 2592000" in reader.paste("rowgate config")
