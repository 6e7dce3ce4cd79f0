"""Rowgate: remote, read-only, OAuth 2.0-guarded access to chosen tables and views of a database."""

__version__ = "0.1.0"
