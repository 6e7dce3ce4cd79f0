"""Opens a comparison of two runs: finds both, plans it, reads what differs block by block."""

from collections.abc import Callable, Sequence

from rowgate.ports.rows import RowBlocks
from rowgate.rows.comparison import (
    FIELD,
    RUN_FIELD,
    Comparer,
    Comparison,
    ask_for_run,
    plan_comparison,
    plan_run,
    read_run,
    require_two_runs,
)
from rowgate.rows.model import Format, Plan, Row, RowsRequest, Value
from rowgate.rows.plan import Planner


def find_comparison(request: RowsRequest, plan_request: Planner, read: Callable[[Plan], Sequence[Row]]) -> Comparison:
    """Give the comparison that a request asks for; two small statements say which runs it means.

    Args:
        request: What was asked.
        plan_request: Plans a request, with every permission check.
        read: Gives the rows of a plan that has few.

    Raises:
        RowsError: It cannot be compared, there is no such run, or the database cannot answer now.
    """
    plan = plan_request(request)
    run_key = plan.columns[-1].name
    asked = ((request.job_runtime_key, RUN_FIELD), (request.compare, FIELD))
    for run, field in asked:
        if run is not None:
            plan_run(plan, run, field)  # refused here, where it is known which of the two it is
    new, old = (read_run(read(plan_request(ask_for_run(run, run_key))), field) for run, field in asked)
    require_two_runs(new, old)
    return plan_comparison(plan, request, new=new, old=old)


class ChangedRows:
    """See `ports.rows.RowBlocks`: the rows that differ."""

    def __init__(self, blocks: RowBlocks, comparison: Comparison, form: Format) -> None:
        """Take the rows of both runs, and what is compared."""
        self.is_exhausted = False
        self._blocks = blocks
        self._comparer = Comparer(comparison, form)

    def read_block(self) -> list[tuple[Value, ...]]:
        """See `ports.rows.RowBlocks`. Blocks without any change are passed over."""
        changes: list[tuple[Value, ...]] = []
        while not changes and not self.is_exhausted:
            changes = self._comparer.take(self._blocks.read_block())
            if self._blocks.is_exhausted:
                changes += self._comparer.end()
            self.is_exhausted = self._blocks.is_exhausted or self._comparer.is_full
        return changes

    def cancel(self) -> None:
        """See `ports.rows.RowBlocks`."""
        self._blocks.cancel()

    def close(self) -> None:
        """See `ports.rows.RowBlocks`."""
        self._blocks.close()
