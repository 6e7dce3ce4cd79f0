"""What a column's type can hold, and how its text sorts, as far as statements must know. Data only."""

from enum import StrEnum


class Holds(StrEnum):
    """The values of a column, on an engine that keeps to its types."""

    ANYTHING = "anything"  # the engine stores what it is given, whatever the type says
    INTEGER = "integer"  # 64 bits, or fewer
    DECIMAL = "decimal"  # every digit counts
    REAL = "real"  # IEEE 754 double
    SINGLE = "single"  # IEEE 754 single
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"
    TIME = "time"  # of a day, without a zone
    MOMENT = "moment"  # date and time without a zone
    INSTANT = "instant"  # date and time with a zone
    UUID = "uuid"
    BINARY = "binary"
    OTHER = "other"  # what is read, compared and sorted as its text


EXACT_DIGITS = 15  # decimals of so many digits are told apart by floating-point numbers
NUMERIC = frozenset({Holds.INTEGER, Holds.DECIMAL, Holds.REAL, Holds.SINGLE, Holds.BOOLEAN})  # texts leave them bare


class Collation(StrEnum):
    """How the texts of a column compare by themselves."""

    UNKNOWN = "unknown"  # different texts may be equal
    LOOSE = "loose"  # likewise; equal to itself is every text there is
    CASELESS = "caseless"  # likewise, and A to Z are equal to a to z in every place
    CASELESS_OF_FEW = "caseless_of_few"  # likewise, but only texts in ASCII can be asked for
    LINGUISTIC = "linguistic"  # only equal texts are equal; sorted as a language does
    CODE_POINT = "code_point"  # only equal texts are equal; sorted by code point
