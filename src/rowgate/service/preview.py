"""What a request for rows would run, told without running it: statements, columns, the engine's plan.

Rule: no value of a request or of a policy is told, and no name of a column that the reader may not know.
"""

from collections.abc import Collection, Iterator

import msgspec

from rowgate.ports.rows import RowSource
from rowgate.rows.comparison import FIELD, RUN_FIELD, ask_for_run, plan_comparison, plan_run, require_two_runs
from rowgate.rows.masking import describe_masked
from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, Counting, Format, ObjectDescription, Plan, RowsRequest, Statement
from rowgate.rows.plan import Planner
from rowgate.rows.procedures import Call, Parameter, describe_type
from rowgate.rows.sql import render_count, render_select
from rowgate.rows.sql_call import render_call

TABLE = "table"  # the kind of object whose plan is told
HIDDEN = "hidden"  # in place of the name of a column that the reader may not know


class PreviewedColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of the answer."""

    name: str
    type: str  # as the database declares it; empty: it says nothing
    mask: Mask | None = None  # what stands in place of its values


class PreviewedStatement(msgspec.Struct, frozen=True):
    """A statement that would be run."""

    purpose: str  # run: finds the run; count; rows; call: of what is read from only when it has answered
    sql: str
    values: int  # that would be bound
    plan: tuple[str, ...] | None  # in the engine's words; None: it would tell of what the reader may not know


class PreviewedParameter(msgspec.Struct, frozen=True):
    """A parameter of a procedure that would be called."""

    name: str
    type: str
    value_from: str  # request, default, database: its own default


class Preview(msgspec.Struct, frozen=True):
    """What a request would do."""

    object: str
    engine: str
    format: str
    columns: tuple[PreviewedColumn, ...]
    statements: tuple[PreviewedStatement, ...]  # in the order in which they would be run
    estimated_rows: int | None  # that match, by the engine's guess; None: it has none
    parameters: tuple[PreviewedParameter, ...] | msgspec.UnsetType = msgspec.UNSET  # unset: nothing would be called


def preview_rows(
    request: RowsRequest, plan: Plan, plan_request: Planner, described: ObjectDescription, source: RowSource
) -> tuple[Preview, Plan]:
    """Give what a request would do, and the plan of the rows that it would answer with; see `Preview`.

    Args:
        request: What is asked, with a format.
        plan: Of the request, at its page.
        plan_request: Plans others, with every permission check.
        described: The object with all its columns.
        source: Where it is.

    Raises:
        RowsError: As the read itself would, as far as that is known without reading.
    """
    assert request.format is not None, "internal error: a preview without its format"
    shown = plan
    if request.compare is not None:
        new = old = plan_run(plan, request.compare, FIELD)  # that of the newest run is not known without reading
        if request.job_runtime_key is not None:
            new = plan_run(plan, request.job_runtime_key, RUN_FIELD)
            require_two_runs(new, old)
        comparison = plan_comparison(plan, request, new=new, old=old)
        plan, shown = comparison.read, comparison.shown
    hidden = list_hidden(described, plan)
    # a view's would tell of other objects, and of the values by which the view leaves rows out; under a rule the
    # engine's estimates would be of all rows; an index is often named after its columns, the hidden ones too
    tells_plan = described.kind == TABLE and not plan.rule and not hidden
    preview = Preview(
        object=plan.object.name,
        engine=source.name,
        format=request.format.value,
        columns=_preview_columns(shown),
        statements=tuple(
            _preview_statement(purpose, statement, source, hidden, tells_plan=tells_plan)
            for purpose, statement in _list_statements(request, plan, plan_request, source)
        ),
        estimated_rows=None if plan.rule else source.estimate_rows(plan),
    )
    return preview, shown


def preview_call(call: Call, plan: Plan | None, *, form: Format, source: RowSource) -> Preview:
    """Give what a call would do. What its procedure is made of is not told, nor the engine's plan, which would tell it.

    Args:
        call: The procedure with its values.
        plan: Of what is read from its result; None: that is known only once it is called.
        form: How the answer would be written.
        source: Where it is.
    """
    procedure = call.procedure
    if procedure.is_held:
        statements = [("call", statement) for statement in render_call(call, source.dialect) if statement is not None]
    else:
        assert plan is not None, "internal error: a query whose columns are not known"
        counts = [("count", render_count(plan, source.dialect))] if plan.count is not Counting.NONE else []
        statements = [*counts, ("rows", render_select(plan, source.dialect))]
    hidden = [] if plan is None else list_hidden(procedure, plan)
    given = {name for name, _ in call.given}
    return Preview(
        object=procedure.name,
        engine=source.name,
        format=form.value,
        columns=() if plan is None else _preview_columns(plan),
        statements=tuple(
            _preview_statement(purpose, statement, source, hidden, tells_plan=False)
            for purpose, statement in statements
        ),
        estimated_rows=None,
        parameters=tuple(
            PreviewedParameter(one.name, describe_type(one.type), _find_origin(one, given))
            for one in procedure.parameters
        ),
    )


def list_hidden(described: ObjectDescription, plan: Plan) -> list[Column]:
    """Give the columns that the reader of a plan may not know."""
    return [column for column in described.columns if column.name not in plan.object.by_name]


def _find_origin(parameter: Parameter, given: Collection[str]) -> str:
    if parameter.name in given:
        return "request"
    return "database" if parameter.has_own_default else "default"


def _preview_columns(plan: Plan) -> tuple[PreviewedColumn, ...]:
    return tuple(
        PreviewedColumn(column.name, describe_masked(column).declared_type, column.mask)
        for column in plan.result_columns
    )


def _list_statements(
    request: RowsRequest, plan: Plan, plan_request: Planner, source: RowSource
) -> Iterator[tuple[str, Statement]]:
    dialect = source.dialect
    if request.compare is not None:
        for run in (request.job_runtime_key, request.compare):
            yield "run", render_select(plan_request(ask_for_run(run, plan.columns[-1].name)), dialect)
    if plan.count is not Counting.NONE:
        yield "count", render_count(plan, dialect)
    yield "rows", render_select(plan, dialect)


def _preview_statement(
    purpose: str, statement: Statement, source: RowSource, hidden: list[Column], *, tells_plan: bool
) -> PreviewedStatement:
    sql = statement.text
    for column in hidden:
        sql = sql.replace(source.dialect.quote(column.name), source.dialect.quote(HIDDEN))
    plan = tuple(source.explain(statement)) if tells_plan else None
    return PreviewedStatement(purpose, sql, len(statement.parameters), plan)
