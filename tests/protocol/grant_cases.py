"""Grants, scope, success, refresh, and what the origin's pages promise (P54 to P78, O-1 to O-19)."""

from protocol.case import ALLOW_ROWS, BASIC, CC, CREDENTIALS, FORM, GOOD, JSON, ROWS, STD, TOKEN, Case

_BAD = "invalid_request"
_SCOPE = "RFC 6749 §3.3"
_GRANT = "RFC 6749 §5.2"
_REFRESH = "grant_type=refresh_token&refresh_token="
_6 = "RFC 6749 §6"
_SUCCESS = "RFC 6749 §5.1"
_READ_ONLY = ("PUT", "DELETE", "PATCH")

GRANT_CASES = (
    Case("P54", "no-grant-type", _GRANT, 400, _BAD, form=CREDENTIALS, reason="no_grant_type"),
    Case("P55", "password", _GRANT, 400, "unsupported_grant_type",
         form=f"grant_type=password&username=a&password=b&{CREDENTIALS}"),
    Case("P55", "authorization-code", _GRANT, 400, "unsupported_grant_type", form="grant_type=authorization_code",
         basic=BASIC),
    Case("P55", "unknown-urn", _GRANT, 400, "unsupported_grant_type", form="grant_type=urn:x:y", basic=BASIC),
    Case("P56", "refresh-not-allowed", _GRANT, 400, "unauthorized_client", form=f"{_REFRESH}x",
         basic="<plain_id>:<plain_secret>", reason="refresh_not_allowed"),
    Case("P57", "no-secret-at-all", "RFC 6749 §4.4", 401, "invalid_client", form=f"{CC}&client_id=<id>"),
    Case("P58", "subset", _SCOPE, 200, form=f"{GOOD}&scope=read", members={"scope": "read"}),
    Case("P58", "everything", _SCOPE, 200, form=f"{GOOD}&scope=read+run", members={"scope": "read run"}),
    Case("P59", "unknown", _SCOPE, 400, "invalid_scope", form=f"{GOOD}&scope=admin", reason="scope_not_allowed"),
    Case("P59", "partly-unknown", _SCOPE, 400, "invalid_scope", form=f"{GOOD}&scope=read+admin"),
    Case("P59", "anothers", _SCOPE, 400, "invalid_scope", form=f"{CC}&scope=run", basic="<other_id>:<other_secret>"),
    *(
        Case("P60", f"{name}-in-scope", "RFC 6749 §3.3, Appendix A.4", 400, "invalid_scope",
             form=f"{GOOD}&scope={value}",
             reason="malformed_scope")
        for name, value in (
            ("leading-space", "+read"),
            ("trailing-space", "read+"),
            ("double-space", "read++run"),
            ("only-space", "+"),
            ("tab", "read%09run"),
            ("newline", "read%0A"),
            ("quote", "read%22"),
            ("backslash", "read%5C"),
            ("delete", "read%7F"),
            ("non-ascii", "le%C3%A9"),
        )
    ),
    Case("P60", "any-order", "RFC 6749 §3.3, Appendix A.4", 200, form=f"{GOOD}&scope=run+read",
         members={"scope": "run read"}),
    Case("P60", "repeated-name", "RFC 6749 §3.3, Appendix A.4", 200, form=f"{GOOD}&scope=read+read",
         members={"scope": "read"}),
    Case("P61", "omitted", _SCOPE, 200, form=GOOD, members={"scope": "read run"}),
    Case("P61", "omitted-by-another", _SCOPE, 200, form=CC, basic="<other_id>:<other_secret>",
         members={"scope": "read"}),
    Case("P64", "headers", _SUCCESS, 200, form=GOOD, answer={**STD, "x-content-type-options": "nosniff"}),
    Case("P65", "type-and-lifetime", _SUCCESS, 200, form=GOOD, members={"token_type": "bearer", "expires_in": 3600}),
    Case("P66", "no-store-on-400", _GRANT, 400, _BAD, form=CREDENTIALS, answer=STD),
    Case("P66", "no-store-on-401", _GRANT, 401, "invalid_client", form=CC, answer=STD),
    Case("P66", "no-store-on-404", _GRANT, 404, "not_found", path="/nowhere", form=GOOD, answer=STD),
)  # fmt: skip

REFRESH_CASES = (
    Case("P72", "no-client", _6, 401, "invalid_client", form=f"{_REFRESH}<refresh>"),
    Case("P72", "wrong-secret", _6, 401, "invalid_client", form=f"{_REFRESH}<refresh>", basic="<id>:<wrong>"),
    Case("P73", "no-refresh-token", _6, 400, _BAD, form="grant_type=refresh_token", basic=BASIC,
         reason="no_refresh_token"),
    Case("P73", "empty-refresh-token", _6, 400, _BAD, form=_REFRESH, basic=BASIC),
    Case("P74", "malformed", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}x", basic=BASIC, reason="unreadable_token"),
    Case("P74", "not-ascii", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}rgrt_%C3%A9", basic=BASIC),
    Case("P74", "cut-off", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}rgrt_AQAB", basic=BASIC),
    Case("P74", "with-a-letter-more", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}<refresh>A", basic=BASIC),
    Case("P74", "very-long", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}rgrt_{'A' * 9000}", basic=BASIC),
    Case("P74", "expired", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}<old_refresh>", basic=BASIC,
         reason="expired_token"),
    Case("P74", "revoked", _GRANT, 400, "invalid_grant", form=f"{_REFRESH}<revoked_refresh>", basic=BASIC,
         reason="revoked_token"),
    Case("P75", "anothers", _6, 400, "invalid_grant", form=f"{_REFRESH}<other_refresh>", basic=BASIC,
         reason="another_applications_token"),
    Case("P76", "access-token", _6, 400, "invalid_grant", form=f"{_REFRESH}<access>", basic=BASIC),
    Case("P77", "narrower", _6, 200, form=f"{_REFRESH}<refresh>&scope=run", basic=BASIC, members={"scope": "run"}),
    Case("P77", "wider", _6, 400, "invalid_scope", form=f"{_REFRESH}<run_refresh>&scope=read+run", basic=BASIC),
    Case("P77", "other", _6, 400, "invalid_scope", form=f"{_REFRESH}<run_refresh>&scope=read", basic=BASIC),
)  # fmt: skip

ORIGIN_CASES = (
    *(
        Case("O-1", f"{method.lower()}-on-rows", "origin", 405, _BAD, method=method, path=ROWS, answer=ALLOW_ROWS)
        for method in _READ_ONLY
    ),
    Case("O-2", "api-v1-token", "origin", 200, path=TOKEN, form=GOOD),
    Case("O-2", "token", "origin", 200, path="/token", form=GOOD),
    Case("O-2", "oauth-token", "origin", 200, path="/oauth/token", form=GOOD),
    Case("O-3", "grant-type-is-required", "origin", 400, _BAD, form=CREDENTIALS),
    Case("O-4", "scope-is-optional", "origin", 200, form=GOOD),
    Case("O-6", "client_ID", "origin", 200, form=f"{CC}&client_ID=<id>&client_secret=<secret>"),
    Case("O-7", "headers", "origin", 200, form=GOOD, answer=STD),
    Case("O-13", "refresh", "origin", 200, form=f"{_REFRESH}<refresh>", basic=BASIC),
    Case("O-13", "refresh-with-body-credentials", "origin", 200, form=f"{_REFRESH}<refresh>&{CREDENTIALS}"),
    Case("O-13", "refresh-with-scope", "origin", 200, form=f"{_REFRESH}<refresh>&scope=read", basic=BASIC),
    Case("O-14", "refresh-as-client-credentials", "origin", 200, form=f"{GOOD}&refresh_token=<run_refresh>",
         members={"scope": "run"}),
    Case("O-14", "refresh-as-client-credentials-fails-as-one", "origin", 400, "invalid_grant",
         form=f"{GOOD}&refresh_token=x"),
    Case("O-15", "missing-scope-is-the-same", "origin", 200, form=f"{_REFRESH}<run_refresh>", basic=BASIC,
         members={"scope": "run"}),
    Case("O-15", "never-more", "origin", 400, "invalid_scope", form=f"{_REFRESH}<run_refresh>&scope=read+run",
         basic=BASIC),
    Case("O-16", "same-shape-no-new-refresh-token", "origin", 200, form=f"{_REFRESH}<refresh>", basic=BASIC,
         answer=STD, members={"refresh_token": None, "token_type": "bearer", "expires_in": 3600}),
    Case("O-18", "form-labelled-json", "origin", 200, body=GOOD, media=JSON),
    Case("O-18", "true-json", "origin", 200, media=JSON,
         body='{"grant_type":"client_credentials","client_id":"<id>","client_secret":"<secret>"}'),
    Case("O-18", "proper-form", "origin", 200, body=GOOD, media=FORM),
)  # fmt: skip
