"""Rows of DuckDB as the arrays that it holds them in: no value becomes one of Python's."""

from typing import Any

from rowgate.engines.block_weight import BLOCK_BYTES
from rowgate.engines.generic import GenericRun

BATCH_ROWS = 4096  # two of DuckDB's own vectors


class DuckdbArrays(GenericRun):
    """See `ports.ArrayBlocks`. What DuckDB gives at once is given on in parts where it is heavy."""

    _batch: Any = ()  # what is left of it

    def read_block(self) -> Any:
        """See `ports.ArrayBlocks`."""
        return self._take()

    def _start(self) -> Any:
        assert self._connection is not None, "internal error: a read that has ended"
        driver: Any = self._connection.connection.driver_connection
        self._source.manner.check(driver, self._statement.text, seconds=self.seconds_left)
        # a relation, not a result of the driver's own kind: of that DuckDB would make a copy first
        relation = getattr(driver, "c", driver).sql(self._statement.text, params=list(self._statement.parameters))
        return relation.to_arrow_reader(BATCH_ROWS)

    def _fill(self, result: Any) -> Any:
        if not len(self._batch):
            try:
                self._batch = result.read_next_batch()
            except StopIteration:
                self.is_exhausted = True
                return ()
        batch = self._batch
        rows = max(1, len(batch) * BLOCK_BYTES // max(batch.nbytes, 1))
        self._batch = batch.slice(rows)
        return batch.slice(0, rows)
