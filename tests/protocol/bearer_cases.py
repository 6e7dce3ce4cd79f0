"""Requests for rows and their tokens (P96 to P110)."""

from protocol.case import FORM, JSON, ROWS, Case

_NOWHERE = "/api/v1/data/Nowhere/rows"
_NOT_GRANTED = "/api/v1/data/SA_Jobs_DiskUsage/rows"
_BLOCKED = "/api/v1/data/SA_ADInventory_ComputersView/rows"
_31 = "RFC 6750 §3.1"
_21 = "RFC 6750 §2.1"
_BAD = "invalid_token"


def bearer(token: str, scheme: str = "Bearer ") -> tuple[tuple[str, str]]:
    """Give the header."""
    return (("Authorization", scheme + token),)


def _ask(number: str, name: str, section: str, status: int, error: str = "", **more: object) -> Case:
    return Case(number, name, section, status, error, **{"method": "GET", "path": ROWS, **more})  # type: ignore[arg-type]


BEARER_CASES = (
    _ask("P96", "no-token", "RFC 6750 §3, RFC 9728 §5.1", 401, "missing_token"),
    _ask("P96", "basic", "RFC 6750 §3, RFC 9728 §5.1", 401, "missing_token", basic="<id>:<secret>"),
    _ask("P96", "unknown-object-is-not-told", "RFC 6750 §3, RFC 9728 §5.1", 401, "missing_token", path=_NOWHERE),
    _ask("P97", "expired", _31, 401, _BAD, headers=bearer("<old_access>"), reason="expired_token"),
    _ask("P97", "revoked", _31, 401, _BAD, headers=bearer("<revoked_access>"), reason="revoked_token"),
    _ask("P97", "malformed", _31, 401, _BAD, headers=bearer("abc"), reason="unreadable_token"),
    _ask("P97", "of-another-make", _31, 401, _BAD, headers=bearer("rgat_AQAB" + "A" * 100), reason="unreadable_token"),
    _ask("P97", "refresh-token", _31, 401, _BAD, headers=bearer("<refresh>"), reason="unreadable_token"),
    _ask("P97", "with-a-letter-more", _31, 401, _BAD, headers=bearer("<access>A")),
    _ask("P97", "client-secret", _31, 401, _BAD, headers=bearer("<secret>")),
    _ask("P97", "before-a-bad-request", _31, 401, _BAD, headers=bearer("abc"), path=f"{ROWS}?nonsense=1"),
    _ask("P98", "small-letters", "RFC 9110 §11.1", 200, headers=bearer("<access>", "bearer ")),
    _ask("P98", "capitals", "RFC 9110 §11.1", 200, headers=bearer("<access>", "BEARER ")),
    _ask("P98", "several-spaces", _21, 200, headers=bearer("<access>", "Bearer    ")),
    _ask("P99", "illegal-characters", _21, 401, _BAD, headers=bearer("a,b"), reason="malformed_token"),
    _ask("P99", "space-inside", _21, 401, _BAD, headers=bearer("a b"), reason="malformed_token"),
    _ask("P99", "equals-inside", _21, 401, _BAD, headers=bearer("a=b"), reason="malformed_token"),
    _ask("P99", "empty", _21, 401, _BAD, headers=bearer("", "Bearer"), reason="malformed_token"),
    _ask("P99", "very-long", _21, 401, _BAD, headers=bearer("a" * 9000), reason="malformed_token"),
    _ask("P100", "in-query", "RFC 6750 §2.3", 400, "invalid_request", path=f"{ROWS}?access_token=<access>",
         reason="token_in_url"),
    _ask("P100", "in-query-and-header", "RFC 6750 §2.3", 400, "invalid_request", headers=bearer("<access>"),
         path=f"{ROWS}?Access_Token=<access>"),
    _ask("P100", "in-query-of-a-post", "RFC 6750 §2.3", 400, "invalid_request", method="POST",
         headers=bearer("<access>"),
         path=f"{ROWS}?access_token=<access>"),
    _ask("P101", "in-header-and-form", _31, 400, "invalid_request", method="POST", headers=bearer("<access>"),
         body="access_token=<access>", media=FORM),
    _ask("P101", "in-header-and-json", _31, 400, "invalid_parameter", method="POST", headers=bearer("<access>"),
         body='{"access_token": "<access>"}', media=JSON),
    _ask("P101", "in-form-only", _31, 401, "missing_token", method="POST", body="access_token=<access>", media=FORM),
    _ask("P102", "form-of-a-get", "RFC 6750 §2.2", 401, "missing_token", body="access_token=<access>", media=FORM),
    _ask("P102", "cookie", "RFC 6750 §2.2", 401, "missing_token", headers=(("Cookie", "access_token=<access>"),)),
    _ask("P103", "not-granted", _31, 401, "insufficient_scope", headers=bearer("<access>"), path=_NOT_GRANTED,
         reason="not_granted"),
    _ask("P103", "blocked", _31, 401, "insufficient_scope", headers=bearer("<access>"), path=_BLOCKED,
         reason="blocked_object"),
    _ask("P103", "scope-lacks-read", _31, 401, "insufficient_scope", headers=bearer("<run_access>"),
         reason="scope_lacks_read"),
    _ask("P104", "unknown", "RFC 9110 §15.5.5", 404, "unknown_object", headers=bearer("<access>"), path=_NOWHERE),
    _ask("P104", "other-letter-case", "RFC 9110 §15.5.5", 404, "unknown_object", headers=bearer("<access>"),
         path="/api/v1/data/sa_serviceaccounts/rows"),
    _ask("P104", "space-at-the-end", "RFC 9110 §15.5.5", 404, "unknown_object", headers=bearer("<access>"),
         path="/api/v1/data/SA_ServiceAccounts%20/rows"),
    _ask("P104", "newline-at-the-end", "RFC 9110 §15.5.5", 404, "unknown_object", headers=bearer("<access>"),
         path="/api/v1/data/SA_ServiceAccounts%0A/rows"),
    _ask("P104", "encoded-slash", "RFC 9110 §15.5.5", 404, "unknown_object", headers=bearer("<access>"),
         path="/api/v1/data/x%2FSA_ServiceAccounts/rows"),
    _ask("P104", "alias", "RFC 9110 §15.5.5", 200, headers=bearer("<access>"), path="/api/v1/data/accounts/rows"),
    _ask("P104", "encoded-letter", "RFC 9110 §15.5.5", 200, headers=bearer("<access>"),
         path="/api/v1/data/%53A_ServiceAccounts/rows"),
    _ask("P108", "head", "RFC 9110 §9.3.2", 200, method="HEAD", headers=bearer("<access>")),
    _ask("P108", "head-without-token", "RFC 9110 §9.3.2", 401, method="HEAD"),
    _ask("P109", "no-store", "RFC 9111 §3.5", 200, headers=bearer("<access>"), answer={"cache-control": "no-store"}),
    _ask("P109", "no-store-on-404", "RFC 9111 §3.5", 404, "unknown_object", headers=bearer("<access>"), path=_NOWHERE,
         answer={"cache-control": "no-store"}),
    _ask("O-17", "invalid", "origin", 401, _BAD, headers=bearer("abc")),
    _ask("O-17", "lacks-the-ability", "origin", 401, "insufficient_scope", headers=bearer("<run_access>")),
    _ask("O-17", "blocked", "origin", 401, "insufficient_scope", headers=bearer("<access>"), path=_BLOCKED),
)  # fmt: skip
