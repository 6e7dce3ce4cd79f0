"""How the settings name platforms whose tokens are believed: tables of rowgate.toml; see oauth/workload.py."""

from dataclasses import dataclass, fields
from typing import Any

from rowgate.setting_tables import check_members, parse_tables


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
    if isinstance(value, str):
        value = parse_tables("trusted_issuers", value)
    if not isinstance(value, (list, tuple)):
        raise ValueError("write tables: [[trusted_issuers]]")  # noqa: TRY004 - one kind of error for one setting
    found = tuple(entry if isinstance(entry, IssuerSettings) else _read_one(entry) for entry in value)
    if len({issuer.name for issuer in found}) != len(found):
        raise ValueError("two tables have the same name")
    return found


def _read_one(table: Any) -> IssuerSettings:
    check_members("trusted_issuers", table, _KINDS)
    values: dict[str, Any] = {}
    for name, given in table.items():
        taken = tuple(given) if isinstance(given, list) and all(isinstance(text, str) for text in given) else given
        if type(taken) is not _KINDS[name]:
            raise ValueError(f"{name} has another type")
        values[name] = taken
    if not values.get("name") or not values.get("audience"):
        raise ValueError("a table needs name and audience")
    return IssuerSettings(**values)


_EXAMPLE = IssuerSettings(name="", audience="")
_KINDS = {item.name: type(getattr(_EXAMPLE, item.name)) for item in fields(IssuerSettings)}
