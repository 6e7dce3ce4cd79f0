"""How a text stands in DuckDB's statements where none can be bound."""


def quote_text(text: str) -> str:
    """Give a text as a literal."""
    return "'" + text.replace("'", "''") + "'"
