"""The data core: from a rows request to a statement and from rows to bytes; no IO, no clock."""
