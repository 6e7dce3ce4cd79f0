"""The page on limiting columns and rows, walked as a reader would."""

import json
from pathlib import Path

import pytest

from docs.served_report import serve_report
from docs.test_walkthrough import CHECKOUT, find_blocks
from support.servers import within_a_second

_PAGE = "docs/how-to/limit-columns-and-rows.md"


@pytest.mark.slow
def test_page_on_columns_and_rows_does_what_it_says(sample_database: Path, tmp_path: Path) -> None:
    lines = (CHECKOUT / _PAGE).read_text("utf-8").splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    columns, rows, back = (
        [block for _, block in find_blocks(_PAGE, headings[place], headings[place + 1])] for place in range(3)
    )
    with serve_report(sample_database, tmp_path) as (reader, _):
        reader.paste(columns[0])
        within_a_second(lambda: len(json.loads(reader.paste(columns[1]))[0]) == 5)
        (row,) = json.loads(reader.paste(columns[1]))
        assert set(row) == {"UserId", "DisplayName", "Mail", "Department", "LastLogon"}
        assert len(row["Mail"]) == 32
        assert isinstance(row["LastLogon"], int)
        refused = json.loads(reader.paste(columns[2]))
        assert (refused["field"], "masked" in refused["error_description"]) == ("orderby[0]", True)
        assert "rows where Department = Finance (its department)" in reader.paste(rows[0])
        within_a_second(lambda: json.loads(reader.paste(rows[1])) == [{"Department": "Finance"}])
        assert "yes  what is granted of it can be read: reads 5 of" in reader.paste(back[0])
        within_a_second(lambda: len(json.loads(reader.paste(columns[1]))[0]) > 5)
