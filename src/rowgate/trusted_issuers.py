"""How the settings name platforms whose tokens are believed: tables of rowgate.toml; see oauth/workload.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rowgate.setting_tables import read_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One `[[trusted_issuers]]` table."""

    name: str
    audience: str
    issuer: str = ""
    spiffe_trust_domain: str = ""
    jwks_file: str = ""
    jwks_uri: str = ""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    max_age_seconds: int = 3600  # 1 h
    single_use: bool = False


def read_issuers(value: Any) -> tuple[IssuerSettings, ...]:
    """Give the tables as records; the environment writes them as a JSON list of objects.

    Raises:
        ValueError: A member is missing, unknown or of another type, or two tables have one name.
    """
    return read_tables("trusted_issuers", value, _EXAMPLE, _check)


def _check(table: Mapping[str, Any]) -> None:
    if not table.get("name") or not table.get("audience"):
        raise ValueError("a table needs name and audience")


_EXAMPLE = IssuerSettings(name="", audience="")
