"""Names of the store's refusals; they are part of its contract in `ports.py`."""

from rowgate.ports import NameTaken, StoreError, UnknownName

__all__ = ["NameTaken", "StoreError", "UnknownName"]
