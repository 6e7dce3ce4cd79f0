"""Makes texts of clients fit for a terminal: what steers it, or turns the direction of writing, is spelled out."""


def escape_unprintable(text: str, keep: str = "") -> str:
    r"""Give the text with what cannot be printed as JSON escapes it; whatever JSON stays JSON with the same meaning.

    >>> print(escape_unprintable("caf\u00e9 \x9b2J \u202eevil \U000e0041"))
    café \u009b2J \u202eevil \udb40\udc41

    Args:
        text: What anybody may have written.
        keep: Characters that stay.
    """
    if text.isprintable():
        return text
    return "".join([sign if sign.isprintable() or sign in keep else _escape(sign) for sign in text])


def _escape(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join([f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2)])
