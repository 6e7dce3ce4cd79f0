"""Narrower tokens: resources, authorization details, token exchange (P56, P62, P63), and their place in the order."""

import json
from typing import Any
from urllib.parse import urlencode

from protocol.case import BASIC, GOOD, STD, Case

_ROWS = {"type": "rowgate_object", "object": "SA_ServiceAccounts"}
_TARGET, _DETAILS = "invalid_target", "invalid_authorization_details"
_8707, _9396 = "RFC 8707 §2", "RFC 9396 §5"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_OTHER_BASIC = "<other_id>:<other_secret>"


def ask(*details: Any, **more: str) -> str:
    """Write the form of a token request for these details; a text stands as it is."""
    text = details[0] if details and isinstance(details[0], str) else json.dumps(details)
    return f"{GOOD}&{urlencode({'authorization_details': text, **more})}"


NARROW_CASES = (
    Case("P56", "exchange-not-allowed", "RFC 6749 §5.2", 400, "unauthorized_client", basic=BASIC,
         form=urlencode({"grant_type": _EXCHANGE}), reason="exchange_not_allowed"),
    Case("P62", "ours", _8707, 200, form=f"{GOOD}&resource=<url>", answer=STD),
    Case("P62", "empty-is-none", _8707, 200, form=f"{GOOD}&resource="),
    *(
        Case("P62", name, _8707, 400, _TARGET, form=f"{GOOD}&resource={value}", reason=reason)
        for name, value, reason in (
            ("unknown", "https%3A%2F%2Felsewhere.test", "unknown_resource"),
            ("known-and-unknown", "<url>&resource=https://elsewhere.test", "unknown_resource"),
            ("with-a-slash", "<url>/", "unknown_resource"),
            ("relative", "/api/v1/data", "resource_not_absolute"),
            ("with-fragment", "<url>%23x", "resource_with_fragment"),
            ("with-empty-fragment", "<url>%23", "resource_with_fragment"),
        )
    ),
    Case("P62", "of-a-refresh", _8707, 400, _TARGET, basic=BASIC,
         form="grant_type=refresh_token&refresh_token=<refresh>&resource=https://elsewhere.test"),
    Case("P63", "object", _9396, 200, form=ask(_ROWS), answer=STD, members={
        "authorization_details": [
            {"type": "rowgate_object", "objects": ["SA_ServiceAccounts"], "actions": ["read"]}
        ]}),
    Case("P63", "alias-and-columns-in-any-case", _9396, 200,
         form=ask({"type": "rowgate_object", "object": "accounts", "columns": ["OWNER", "accountid"]}), members={
             "authorization_details": [
                 {"type": "rowgate_object", "objects": ["SA_ServiceAccounts"], "actions": ["read"],
                  "columns": ["AccountId", "Owner"]}
             ]}),
    Case("P63", "in-true-json", _9396, 200, media="application/json", members={"authorization_details": [
        {"type": "rowgate_object", "objects": ["SA_ServiceAccounts"], "actions": ["read"]}]},
         body=json.dumps({"grant_type": "client_credentials", "client_id": "<id>", "client_secret": "<secret>",
                          "authorization_details": json.dumps([_ROWS])})),
    Case("P63", "none", _9396, 200, form=GOOD, members={"authorization_details": None}),
    Case("P63", "empty-is-none", _9396, 200, form=f"{GOOD}&authorization_details=",
         members={"authorization_details": None}),
    *(
        Case("P63", name, _9396, 400, _DETAILS, form=ask(*details), reason=reason)
        for name, details, reason in (
            ("not-json", ("x",), "malformed_details"),
            ("an-object", (json.dumps(_ROWS),), "malformed_details"),
            ("empty-list", ("[]",), "number_of_details"),
            ("unknown-type", ({"type": "payment_initiation"},), "malformed_details"),
            ("unknown-member", ({**_ROWS, "rows": 5},), "malformed_details"),
            ("unknown-object", ({**_ROWS, "object": "Nowhere"},), "object_not_granted"),
            ("object-not-granted", ({**_ROWS, "object": "SA_Jobs_DiskUsage"},), "object_not_granted"),
            ("object-blocked", ({**_ROWS, "object": "SA_ADInventory_ComputersView"},), "object_not_granted"),
            ("one-of-two-not-granted", (_ROWS, {**_ROWS, "object": "Nowhere"}), "object_not_granted"),
            ("unknown-column", ({**_ROWS, "columns": ["Owner", "Nowhere"]},), "column_not_granted"),
            ("columns-of-what-is-not-granted", ({**_ROWS, "object": "SA_Jobs_DiskUsage", "columns": ["Volume"]},),
             "object_not_granted"),
            ("action-that-there-is-not", ({**_ROWS, "actions": ["run"]},), "action_not_granted"),
            ("unknown-location", ({**_ROWS, "locations": ["https://elsewhere.test"]},), "unknown_location"),
        )
    ),
    Case("P63", "twice", _9396, 400, "invalid_request", form=f"{ask(_ROWS)}&authorization_details=x",
         reason="duplicate_parameter"),
    Case("P63", "object-granted-to-another-only", _9396, 400, _DETAILS, basic=_OTHER_BASIC, form=urlencode(
        {"grant_type": "client_credentials",
         "authorization_details": json.dumps([{**_ROWS, "object": "SA_ADInventory_UsersView"}])})),
    Case("P5.0", "client-before-resource", "ours", 401, "invalid_client", basic="<id>:<wrong>",
         form="grant_type=client_credentials&resource=x&authorization_details=x"),
    Case("P5.0", "scope-before-resource", "ours", 400, "invalid_scope", form=f"{GOOD}&scope=%22&resource=x"),
    Case("P5.0", "resource-before-details", "ours", 400, _TARGET, form=ask("x", resource="x")),
)  # fmt: skip
