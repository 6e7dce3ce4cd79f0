"""The sample's procedures work on the sample."""

from contextlib import closing
from pathlib import Path

from rowgate.engines.declared import DeclaredProcedures
from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.procedures import Procedure
from rowgate.sample import write_procedures


def test_every_procedure_can_be_called(sample_database: Path, tmp_path: Path) -> None:
    names = write_procedures(tmp_path / "home" / "procedures")
    with closing(DeclaredProcedures(SqliteSource(sample_database), tmp_path / "home" / "procedures")) as source:
        assert source.list_faults() == []
        assert [found.name for found in source.list_objects() if found.kind == "procedure"] == list(names)
        for name in names:
            found = source.find_object(name)
            assert isinstance(found, Procedure)
            assert found.title
            assert found.parameters
