"""What the store may answer instead.

StoreError          the home cannot be used; the text says what to do
├── UnknownName     there is no such application, secret or key
└── NameTaken       a name that must be unique is in use
"""


class StoreError(Exception):
    """The home's state cannot be read or written; the text is for the administrator."""


class UnknownName(StoreError):
    """There is nothing of that name."""


class NameTaken(StoreError):
    """The name belongs to something else."""
