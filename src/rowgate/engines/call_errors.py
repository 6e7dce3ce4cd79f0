"""What is said of a call that failed, the same on every engine; which errors it is said of, each engine knows."""

from rowgate.rows.errors import EngineFailure, InvalidParameter


def refuse_values(detail: str = "") -> InvalidParameter:
    """Give the refusal where the values that a procedure was given made it fail; the detail is private."""
    return InvalidParameter(
        "The procedure cannot work with these values.",
        field="parameters",
        expected="values that it takes",
        detail=detail,
    )


def refuse_writing(detail: str) -> EngineFailure:
    """Give the refusal where a procedure tried to write; the detail is private."""
    return EngineFailure("The procedure tried to write, and nothing was changed.", detail=detail)
