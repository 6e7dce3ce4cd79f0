"""What leaves out the deleted rows of an Iceberg table: those at a place of a file, and those with certain values.

Rule: a delete by place is of rows that came with its own commit or an earlier one; a delete by values is of rows that
came with an earlier one, in the delete file's partition, or in all where that is in none.

Source: Apache Iceberg table specification, version 2, "Scan Planning", "Row-level Deletes".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from rowgate.engines.duckdb_texts import quote_text
from rowgate.engines.iceberg import DataFile, IcebergTable
from rowgate.rows.dialects.duckdb import DUCKDB

ROW, FILE = "file_row_number", "rowgate file"  # columns of every file that is read where rows are left out
_DELETES = "rowgate deletes"

RenderSchema = Callable[[Iterable[int]], str]  # gives how the columns with these ids are read


def may_be_deleted_from(table: IcebergTable, file: DataFile) -> bool:
    """Tell whether a delete may be of rows of a file."""
    return any(file.sequence <= delete.sequence for delete in table.positions) or any(
        file.sequence < delete.sequence and delete.partition in ("", file.partition) for delete in table.equalities
    )


def render_kept(
    table: IcebergTable, files: Sequence[DataFile], read: str, names: Mapping[int, str], render_schema: RenderSchema
) -> str:
    """Give `FROM` and what follows, by which those of the rows `r` are left that are not deleted.

    Args:
        table: Whose deletes there are.
        files: What is read.
        read: Gives their columns, and ROW and FILE.
        names: Of the columns by their ids.
        render_schema: For the files of deletes.
    """
    joins = [f"JOIN {_render_places(files)} AS f(place, sequence, named, part) ON f.place = r.{DUCKDB.quote(FILE)}"]
    left: list[str] = []
    if table.positions:
        pairs = {"e.file_path": "f.named", "e.pos": f"r.{ROW}"}
        joins.append(_join_last("p", table.positions, pairs))
        left.append("(p.sequence IS NULL OR f.sequence > p.sequence)")
    for number, deletes in enumerate(_group(table.equalities)):
        ids = deletes[0].equality_ids
        pairs = {f"e.{name}": f"r.{name}" for name in (DUCKDB.quote(names[one]) for one in ids)}
        if deletes[0].partition:
            pairs["d.part"] = "f.part"
        joins.append(_join_last(f"e{number}", deletes, pairs, schema=render_schema(ids)))
        left.append(f"(e{number}.sequence IS NULL OR f.sequence >= e{number}.sequence)")
    return f"FROM {read} AS r {' '.join(joins)} WHERE {' AND '.join(left)}"


def _join_last(alias: str, deletes: Sequence[DataFile], pairs: Mapping[str, str], *, schema: str = "") -> str:
    """Give what joins each row with the last commit that has deleted one like it, if there is any."""
    keys = ", ".join(f"{delete} AS k{place}" for place, delete in enumerate(pairs))
    alike = " AND ".join(f"{alias}.k{place} IS NOT DISTINCT FROM {row}" for place, row in enumerate(pairs.values()))
    listed = ", ".join(quote_text(str(file.path)) for file in deletes)
    options = f"{schema}, filename => {quote_text(_DELETES)}, hive_partitioning => false".removeprefix(", ")
    return (
        f"LEFT JOIN (SELECT {keys}, max(d.sequence) AS sequence FROM read_parquet([{listed}], {options}) AS e "  # noqa: S608 - quoted
        f"JOIN {_render_places(deletes)} AS d(place, sequence, named, part) ON d.place = e.{DUCKDB.quote(_DELETES)} "
        f"GROUP BY ALL) AS {alias} ON {alike}"
    )


def _group(deletes: Iterable[DataFile]) -> Iterable[Sequence[DataFile]]:
    """Give those together that go by the same columns, and of which each is in a partition, or none."""
    groups: dict[tuple[frozenset[int], bool], list[DataFile]] = {}
    for delete in deletes:
        groups.setdefault((frozenset(delete.equality_ids), bool(delete.partition)), []).append(delete)
    return groups.values()


def _render_places(files: Sequence[DataFile]) -> str:
    rows = (
        f"({quote_text(str(file.path))}, {int(file.sequence)}, {quote_text(file.named)}, {quote_text(file.partition)})"
        for file in files
    )
    return f"(VALUES {', '.join(rows)})"
