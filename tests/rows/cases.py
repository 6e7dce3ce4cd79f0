"""What the origin's pages promise of rows (O-20 to O-37, O-45), as data: a request and the SQL that means the same.

Every case is asked as POST and as GET, and the SQL is run by another SQLite on the same file.
"""

from typing import Any, NamedTuple

USERS = "SA_ADInventory_UsersView"
RIGHTS = "SA_SharePoint_Permissions"
DISKS = "SA_Jobs_DiskUsage"
EVENTS = "SA_Activity_Events"
LATEST = "JobRunTimeKey = '2018-11-12T13:15:31'"


class Case(NamedTuple):
    """A request for an object's rows, and SQL that gives them."""

    name: str
    object: str
    body: dict[str, Any]
    sql: str


_NONE = object()


def one(column: str, function: str, value: Any = _NONE) -> dict[str, Any]:
    """Give a body with one filter."""
    return {"filters": [_filter(column, function, value)]}


def both(*filters: tuple[Any, ...]) -> dict[str, Any]:
    """Give a body with several filters."""
    return {"filters": [_filter(*item) for item in filters]}


def _filter(column: str, function: str, value: Any = _NONE) -> dict[str, Any]:
    return {"column": column, "function": function, **({} if value is _NONE else {"value": value})}


def _users(where: str) -> str:
    return f"SELECT * FROM {USERS} WHERE {where}"


def _rights(where: str) -> str:
    return f"SELECT * FROM {RIGHTS} WHERE {where}"


def _disks(where: str) -> str:
    return f"SELECT * FROM {DISKS} WHERE {LATEST} AND {where}"


FILTERS = [
    Case("O-31-equals", USERS, one("SamAccountName", "equals", "zoe.akesson"), _users("UserId = 1")),
    Case("O-31-equals-number", USERS, one("UserId", "equals", 5), _users("UserId = 5")),
    Case("O-31-equals-number-as-text", USERS, one("UserId", "equals", "5"), _users("UserId = 5")),
    Case("O-31-equals-boolean", USERS, one("Enabled", "equals", value=False), _users("Enabled = 0")),
    Case("O-31-equals-real", EVENTS, one("DurationMs", "equals", 557.643), f"SELECT * FROM {EVENTS} WHERE EventId = 1"),
    Case("O-31-not_equals", RIGHTS, one("rights", "not_equals", "READ"), _rights("rights <> 'Read'")),
    Case("O-31-not_equals-leaves-out-null", USERS, one("ManagerName", "not_equals", "x"), _users("ManagerName <> 'x'")),
    Case("O-31-greater", USERS, one("UserId", "greater", 200), _users("UserId > 200")),
    Case("O-31-greater_equal", USERS, one("UserId", "greater_equal", 200), _users("UserId >= 200")),
    Case("O-31-less", USERS, one("UserId", "less", 3), _users("UserId < 3")),
    Case("O-31-less_equal", USERS, one("UserId", "less_equal", 3), _users("UserId <= 3")),
    Case("O-31-greater-text", USERS, one("SamAccountName", "greater", "W"), _users("lower(SamAccountName) > 'w'")),
    Case("O-31-less-text", USERS, one("DisplayName", "less", "É"), _users("fold(DisplayName) < 'é'")),
    Case("O-31-greater-moment", USERS, one("Created", "greater", "2018-01-01"), _users("Created > '2018-01-01'")),
    Case("O-31-contains", USERS, one("DisplayName", "contains", "SON"), _users("instr(lower(DisplayName), 'son')")),
    Case("O-31-contains-in-number", USERS, one("UserId", "contains", "23"), _users("UserId LIKE '%23%'")),
    Case("O-31-starts_with", USERS, one("Department", "starts_with", "HUMAN"), _users("Department LIKE 'human%'")),
    Case(
        "O-31-starts_with-in-moment", USERS, one("Created", "starts_with", "2018-0"), _users("Created LIKE '2018-0%'")
    ),
    Case("O-31-ends_with", USERS, one("Department", "ends_with", "ING"), _users("Department LIKE '%ing'")),
    Case("O-31-between", USERS, one("UserId", "between", [10, 12]), _users("UserId BETWEEN 10 AND 12")),
    Case(
        "O-31-between-text", USERS, one("Department", "between", ["F", "L"]), _users("Department BETWEEN 'F' AND 'L'")
    ),
    Case("O-31-between-turned-round", USERS, one("UserId", "between", [12, 10]), _users("0")),
    Case("O-31-is_null", USERS, one("ManagerName", "is_null"), _users("ManagerName IS NULL")),
    Case("O-31-is_not_null", USERS, one("ManagerName", "is_not_null"), _users("ManagerName IS NOT NULL")),
    Case("O-31-function-in-capitals", USERS, one("UserId", "Equals", 5), _users("UserId = 5")),
    Case("O-31-percent-is-literal", RIGHTS, one("url", "contains", "%"), _rights("instr(url, '%')")),
    Case("O-31-underscore-is-literal", RIGHTS, one("url", "contains", "_"), _rights("instr(url, '_')")),
    Case("O-31-percent-ends-nothing", USERS, one("DisplayName", "starts_with", "%"), _users("0")),
    Case("O-31-star-is-literal", USERS, one("DisplayName", "equals", "*"), _users("0")),
    Case("O-31-empty-text-is-in-all", USERS, one("Mail", "contains", ""), _users("Mail IS NOT NULL")),
    Case("O-31-empty-text-begins-all", USERS, one("Mail", "starts_with", ""), _users("Mail IS NOT NULL")),
    Case("O-31-empty-text-ends-all", USERS, one("Mail", "ends_with", ""), _users("Mail IS NOT NULL")),
    Case("O-30-ascii", USERS, one("SamAccountName", "equals", "ZOE.Akesson"), _users("UserId = 1")),
    Case("O-30-non-ascii", USERS, one("DisplayName", "equals", "ZOË åKESSON"), _users("UserId = 1")),
    Case("O-30-contains-non-ascii", USERS, one("DisplayName", "contains", "ŁUKASZ w"), _users("UserId = 2")),
    Case("O-30-starts_with-non-ascii", USERS, one("DisplayName", "starts_with", "łUK"), _users("UserId = 2")),
    Case("O-30-ends_with-non-ascii", USERS, one("DisplayName", "ends_with", "STRAßER"), _users("UserId = 3")),
    Case("O-30-sharp-s-is-not-ss", USERS, one("DisplayName", "ends_with", "STRASSER"), _users("0")),
    Case("O-30-dotted-capital-i-is-itself", USERS, one("DisplayName", "starts_with", "İbrahim"), _users("UserId = 4")),
    Case("O-30-dotted-capital-i-is-not-i", USERS, one("DisplayName", "starts_with", "ibrahim"), _users("0")),
    Case("O-30-without-case", USERS, one("DisplayName", "contains", "花子"), _users("UserId = 5")),
    Case("O-29-any", RIGHTS, one("rights", "equals", ["read", "EDIT"]), _rights("rights IN ('Read', 'Edit')")),
    Case("O-29-any-non-ascii", USERS, one("DisplayName", "equals", ["ZOË ÅKESSON", "x"]), _users("UserId = 1")),
    Case(
        "O-29-not-any", RIGHTS, one("rights", "not_equals", ["read", "Edit"]), _rights("rights NOT IN ('Read','Edit')")
    ),
    Case("O-29-not-any-non-ascii", USERS, one("DisplayName", "not_equals", ["zoë åkesson"]), _users("UserId <> 1")),
    Case("O-29-empty", RIGHTS, one("rights", "equals", []), _rights("0")),
    Case("O-29-empty-contains", RIGHTS, one("rights", "contains", []), _rights("0")),
    Case("O-29-empty-not", USERS, one("ManagerName", "not_equals", []), _users("ManagerName IS NOT NULL")),
    Case(
        "O-29-any-contains",
        USERS,
        one("Department", "contains", ["GAL", "nance"]),
        _users("Department IN ('Legal','Finance')"),
    ),
    Case("O-29-any-starts_with", USERS, one("Department", "starts_with", ["l", "é"]), _users("Department = 'Legal'")),
    Case("O-29-any-less", USERS, one("UserId", "less", [2, 4]), _users("UserId < 4")),
    Case("O-29-any-numbers", USERS, one("UserId", "equals", [1, "2", 3.0]), _users("UserId <= 3")),
    Case(
        "O-28-and",
        USERS,
        both(("Department", "equals", "legal"), ("Enabled", "equals", True), ("UserId", "less", 100)),
        _users("Department = 'Legal' AND Enabled AND UserId < 100"),
    ),
    Case(
        "O-28-and-on-one-column",
        USERS,
        both(("UserId", "greater", 10), ("UserId", "less_equal", 12)),
        _users("UserId IN (11, 12)"),
    ),
    Case("O-27-no-filters", USERS, {"filters": []}, _users("1")),
    Case("O-27-large-integer", DISKS, one("TotalBytes", "equals", 2**53 + 1), _disks(f"TotalBytes = {2**53 + 1}")),
    Case("O-27-large-integer-not-rounded", DISKS, one("TotalBytes", "equals", 2**53), _disks("0")),
]

SHAPES = [
    Case("O-37-nothing", USERS, {}, _users("1")),
    Case("O-23-table", RIGHTS, {}, _rights("1")),
    Case("O-24-alias", "users", {}, _users("1")),
    Case("O-32-columns", USERS, {"columns": ["Mail", "UserId"]}, f"SELECT Mail, UserId FROM {USERS}"),
    Case("O-32-one-column", USERS, {"columns": ["Mail"]}, f"SELECT Mail FROM {USERS}"),
    Case("O-32-twice-is-once", USERS, {"columns": ["Mail", "mail"]}, f"SELECT Mail FROM {USERS}"),
    Case("O-45-column-names", USERS, {"columns": ["MAIL", "userid"]}, f"SELECT Mail, UserId FROM {USERS}"),
    Case("O-45-in-filters", RIGHTS, one("HOSTNAME", "starts_with", "teams"), _rights("hostName LIKE 'teams%'")),
    Case(
        "O-45-parameter-names",
        RIGHTS,
        {"COLUMNS": ["HostName"], "Limit": 2, "OrderBy": ["hostname"]},
        f"SELECT hostName FROM {RIGHTS} ORDER BY 1 LIMIT 2",
    ),
    Case("orderby", USERS, {"orderby": ["DisplayName"]}, _users("1 ORDER BY DisplayName")),
    Case("orderby-desc", USERS, {"orderby": ["DisplayName desc"]}, _users("1 ORDER BY DisplayName DESC")),
    Case("orderby-direction-any-case", USERS, {"orderby": ["userid  DESC"]}, _users("1 ORDER BY UserId DESC")),
    Case(
        "orderby-nulls-first", USERS, {"orderby": ["ManagerName", "UserId"]}, _users("1 ORDER BY ManagerName, UserId")
    ),
    Case(
        "orderby-several",
        USERS,
        {"orderby": ["Department asc", "UserId desc"]},
        _users("1 ORDER BY Department, UserId DESC"),
    ),
    Case(
        "orderby-named-twice-counts-once",
        USERS,
        {"orderby": ["UserId desc", "userid asc"]},
        _users("1 ORDER BY UserId DESC"),
    ),
    Case(
        "orderby-column-not-read",
        USERS,
        {"columns": ["Mail"], "orderby": ["UserId desc"]},
        f"SELECT Mail FROM {USERS} ORDER BY UserId DESC",
    ),
    Case("limit", USERS, {"orderby": ["UserId"], "limit": 3}, _users("1 ORDER BY UserId LIMIT 3")),
    Case("limit-0", USERS, {"limit": 0}, _users("0")),
    Case("limit-beyond", USERS, {"limit": 10**15}, _users("1")),
    Case("offset", USERS, {"orderby": ["UserId"], "offset": 238}, _users("1 ORDER BY UserId LIMIT 9 OFFSET 238")),
    Case("offset-beyond", USERS, {"offset": 2**63 - 1}, _users("0")),
    Case(
        "page", USERS, {"orderby": ["UserId"], "limit": 5, "offset": 10}, _users("1 ORDER BY UserId LIMIT 5 OFFSET 10")
    ),
]

RUNS = [
    Case("O-25-latest", DISKS, {}, _disks("1")),
    Case(
        "O-25-latest-of-the-object-not-of-the-filter",
        DISKS,
        one("FreeBytes", "is_null"),
        _disks("FreeBytes IS NULL"),
    ),
    Case("O-25-all", DISKS, {"jobRuntimeKey": "all"}, f"SELECT * FROM {DISKS}"),
    Case("O-25-ALL", DISKS, {"jobRuntimeKey": "ALL"}, f"SELECT * FROM {DISKS}"),
    Case("O-25-none-has-it", DISKS, {"jobRuntimeKey": "2001-01-01T00:00:00"}, _disks("0")),
    Case("O-25-empty-is-latest", DISKS, {"jobRuntimeKey": ""}, _disks("1")),
    Case("O-25-object-without-runs", USERS, {}, _users("1")),
    Case(
        "O-26-given",
        DISKS,
        {"jobRuntimeKey": "2018-11-05T13:15:30"},
        f"SELECT * FROM {DISKS} WHERE JobRunTimeKey = '2018-11-05T13:15:30'",
    ),
    Case(
        "O-26-with-a-space",
        DISKS,
        {"jobruntimekey": "2018-11-05 13:15:30"},
        f"SELECT * FROM {DISKS} WHERE JobRunTimeKey = '2018-11-05T13:15:30'",
    ),
    Case(
        "O-25-filter-on-the-key-chooses-the-runs",
        DISKS,
        one("JobRunTimeKey", "less", "2018-10-20"),
        f"SELECT * FROM {DISKS} WHERE JobRunTimeKey < '2018-10-20'",
    ),
    Case(
        "O-25-filter-and-key",
        DISKS,
        {"jobRuntimeKey": "2018-11-05T13:15:30", **one("Volume", "equals", "z:")},
        f"SELECT * FROM {DISKS} WHERE JobRunTimeKey = '2018-11-05T13:15:30' AND Volume = 'Z:'",
    ),
]
