"""The masks that a grant may lay on a column. Data only."""

from enum import StrEnum


class Mask(StrEnum):
    """What is given in place of a value; NULL stays NULL."""

    NULL = "null"  # nothing
    HASH = "hash"  # the same for the same value in every object of a home, and it does not lead back
    LAST_FOUR = "last4"  # its last four characters
    YEAR = "year"  # of a date
