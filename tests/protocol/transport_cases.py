"""Method, address, size, order of the checks (P1 to P12, P5.0)."""

from protocol.case import (
    ALLOW_ROWS,
    ALLOW_TOKEN,
    BASIC,
    BASIC_CHALLENGE,
    CC,
    CREDENTIALS,
    FORM,
    GOOD,
    ROWS,
    TOKEN,
    Case,
    RawCase,
    raw_request,
)

_BIG = "a" * 70_000  # the limit is 64 KiB
_NO_CORS = {"access-control-allow-origin": None, "access-control-allow-credentials": None}
_METHOD = "RFC 9110 §15.5.6"
_SIZE = "RFC 9110 §15.5.14"
_PREFLIGHT = (("Origin", "https://evil.test"), ("Access-Control-Request-Method", "POST"))
_BAD_SECRET = "client_id=<id>&client_secret=<wrong>"

METHOD_CASES = (
    Case("P1", "get", _METHOD, 405, "invalid_request", method="GET", answer=ALLOW_TOKEN),
    Case("P1", "get-with-good-query", _METHOD, 405, "invalid_request", method="GET", path=f"{TOKEN}?{GOOD}"),
    Case("P2", "head", "RFC 9110 §9.3.2", 405, method="HEAD", answer={**ALLOW_TOKEN, "cache-control": "no-store"}),
    Case("P3", "put", _METHOD, 405, "invalid_request", method="PUT", form=GOOD, answer=ALLOW_TOKEN),
    Case("P3", "patch", _METHOD, 405, "invalid_request", method="PATCH", form=GOOD, answer=ALLOW_TOKEN),
    Case("P3", "delete", _METHOD, 405, "invalid_request", method="DELETE", answer=ALLOW_TOKEN),
    Case("P3", "purge", _METHOD, 405, "invalid_request", method="PURGE", answer=ALLOW_TOKEN),
    Case("P4", "options", "RFC 9110 §9.3.7", 204, method="OPTIONS", answer={**ALLOW_TOKEN, "content-length": None}),
    Case("P4", "options-rows", "RFC 9110 §9.3.7", 204, method="OPTIONS", path=ROWS, answer=ALLOW_ROWS),
    Case("P5", "preflight-empty-list", "Fetch", 204, method="OPTIONS", headers=_PREFLIGHT, answer=_NO_CORS),
    Case("P5", "post-empty-list", "Fetch", 200, form=GOOD, headers=_PREFLIGHT[:1], answer=_NO_CORS),
    Case("P7", "slash", "ours", 404, "not_found", path=TOKEN + "/", form=GOOD, answer={"location": None}),
    Case("P7", "two-slashes", "ours", 404, "not_found", path="/api/v1//token", form=GOOD, answer={"location": None}),
    Case("P7", "other-letter-case", "ours", 404, "not_found", path="/api/v1/Token", form=GOOD),
    Case("P7", "slash-get", "ours", 404, "not_found", path="/token/", method="GET", answer={"location": None}),
    Case("P9", "too-large", _SIZE, 413, "invalid_request", form=_BIG, answer={"connection": "close"}),
    Case("P9", "at-the-limit", _SIZE, 200, form=f"{CC}&x={'a' * (65_536 - 32)}", basic=BASIC),
    Case("P11", "gzip", "RFC 9110 §15.5.16", 415, "invalid_request", form=GOOD,
         headers=(("Content-Encoding", "gzip"),)),
    Case("P11", "br", "RFC 9110 §15.5.16", 415, "invalid_request", form=GOOD, headers=(("Content-Encoding", "br"),)),
    Case("P11", "identity", "RFC 9110 §15.5.16", 200, form=GOOD, headers=(("Content-Encoding", "identity"),)),
    Case("P12", "100000-fields", "ours", 413, "invalid_request", form="a=1&" * 100_000),
    Case("P12", "16000-fields", "ours", 400, "invalid_request", form="a=1&" * 16_000),
    Case("P12", "101-fields", "ours", 400, "invalid_request", form=f"{GOOD}{'&a=1' * 98}"),
    Case("P12", "100-fields", "ours", 200, form=f"{GOOD}{'&a=1' * 97}"),
    Case("P12", "101-json-members", "ours", 400, "invalid_request", media="application/json",
         body="{" + ",".join(f'"a{place}":"1"' for place in range(101)) + "}"),
    Case("P12", "one-megabyte-value", "ours", 413, "invalid_request", form=f"{GOOD}&x={'a' * 1_000_000}"),
    Case("P12", "escapes-only", "ours", 400, "invalid_request", form="%41" * 21_000, basic=BASIC),
    Case("P12", "deep-json", "ours", 400, "invalid_request", body="{" + '"a":{' * 5000, media="application/json"),
)  # fmt: skip

PRECEDENCE_CASES = (
    Case("P5.0", "path-before-method", "ours", 404, "not_found", method="GET", path="/api/v1/tokens"),
    Case("P5.0", "method-before-size", "ours", 405, "invalid_request", method="PUT", form=_BIG),
    Case("P5.0", "size-before-media-type", "ours", 413, "invalid_request", body=_BIG, media="text/plain"),
    Case("P5.0", "size-before-encoding", "ours", 413, "invalid_request", form=_BIG,
         headers=(("Content-Encoding", "gzip"),)),
    Case("P5.0", "media-type-before-client", "ours", 400, "invalid_request", body=CC, media="text/plain",
         basic="<id>:<wrong>", reason="media_type"),
    Case("P5.0", "form-before-query", "ours", 400, "invalid_request", form=f"{CC}&{CC}",
         path=f"{TOKEN}?client_secret=x", reason="duplicate_parameter"),
    Case("P5.0", "query-before-two-mechanisms", "ours", 400, "invalid_request", form=GOOD, basic=BASIC,
         path=f"{TOKEN}?client_secret=x", reason="secret_in_url"),
    Case("P5.0", "two-mechanisms-before-client", "ours", 400, "invalid_request", form=f"{CC}&{_BAD_SECRET}",
         basic="<id>:<wrong>", reason="two_authentications"),
    Case("P5.0", "client-before-grant-type", "ours", 401, "invalid_client", form=f"grant_type=x&{_BAD_SECRET}"),
    Case("P5.0", "client-before-missing-grant-type", "ours", 401, "invalid_client", form=_BAD_SECRET),
    Case("P5.0", "client-before-scope", "ours", 401, "invalid_client", form=f"{CC}&scope=%22&{_BAD_SECRET}"),
    Case("P5.0", "grant-type-present-before-scope", "ours", 400, "invalid_request", form=f"{CREDENTIALS}&scope=%22"),
    Case("P5.0", "grant-type-supported-before-scope", "ours", 400, "unsupported_grant_type",
         form=f"grant_type=x&{CREDENTIALS}&scope=%22"),
    Case("P5.0", "grant-allowed-before-its-parameters", "ours", 400, "unauthorized_client",
         form="grant_type=refresh_token", basic="<plain_id>:<plain_secret>"),
    Case("P5.0", "grant-parameters-before-scope", "ours", 400, "invalid_request", basic=BASIC,
         form="grant_type=refresh_token&scope=%22"),
    Case("P5.0", "refresh-token-before-scope", "ours", 400, "invalid_grant", basic=BASIC,
         form="grant_type=refresh_token&refresh_token=x&scope=%22"),
)  # fmt: skip

_CHUNK = f"10000\r\n{'a' * 65_536}\r\n"
_CHUNKED = "\r\n".join([f"POST {TOKEN} HTTP/1.1", "Host: a", f"Content-Type: {FORM}", "Transfer-Encoding: chunked"])
_ROWS = f"GET {ROWS} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer <access>\r\n"
_BASIC_HEADER = f"Authorization: Basic b64[{BASIC}]"
_STOP = "Connection: close"
_FRAMING = "RFC 9112 §6.3"
_CHUNKED_GOOD = f"{_CHUNKED}\r\nConnection: close\r\n\r\n1d\r\n{CC}\r\n0\r\n\r\n".replace(
    "chunked\r\n", f"chunked\r\n{_BASIC_HEADER}\r\n", 1
)

RAW_CASES = (
    RawCase("P3", "unknown-method", "RFC 9110 §15.6.2", (501,), (raw_request(method="BREW"),), error="invalid_request"),
    RawCase("P3", "connect", "RFC 9110 §9.3.6", (501,), (f"CONNECT {TOKEN} HTTP/1.1\r\nHost: a\r\n\r\n",)),
    RawCase("P9", "chunked-too-large", _SIZE, (413,), (f"{_CHUNKED}\r\n\r\n{_CHUNK}{_CHUNK}0\r\n\r\n",),
            error="invalid_request", answer={"connection": "close"}),
    RawCase("P9", "chunked-fits", _SIZE, (200,), (_CHUNKED_GOOD,)),
    RawCase("P9", "headers-too-large", "RFC 6585 §5", (431,), (raw_request(GOOD, "X: " + "a" * 40_000),)),
    RawCase("P9", "headers-without-end", "RFC 6585 §5", (431,), (f"POST {TOKEN} HTTP/1.1\r\nX: {'a' * 40_000}",)),
    RawCase("P9", "too-many-headers", "RFC 6585 §5", (431,), (raw_request(GOOD, *["X: a"] * 150),)),
    RawCase("P10", "both-lengths", _FRAMING, (400,), (raw_request(GOOD, "Transfer-Encoding: chunked"),)),
    RawCase("P10", "two-lengths", _FRAMING, (400,), (raw_request(GOOD, "Content-Length: 5"),)),
    RawCase("P10", "negative-length", _FRAMING, (400,), (raw_request("", length="-1"),)),
    RawCase("P10", "short-body", _FRAMING, (400,), (raw_request(length="500"),), half_close=True,
            error="invalid_request"),
    RawCase("P10", "short-chunk", _FRAMING, (400,), (f"{_CHUNKED}\r\n\r\n10000\r\naa",), half_close=True),
    RawCase("P10", "short-head", _FRAMING, (400,), (f"POST {TOKEN} HTTP/1.1\r\nHo",), half_close=True),
    RawCase("P10", "no-host", "RFC 9112 §3.2", (400,), (raw_request(host=()),), error="invalid_request"),
    RawCase("P10", "no-name-in-host", "RFC 9112 §3.2", (400,), (raw_request(host=("Host: a b/c",)),)),
    RawCase("P10", "path-in-host", "RFC 9112 §3.2", (400,), (raw_request(host=("Host: a/token",)),)),
    RawCase("P10", "two-hosts", "RFC 9112 §3.2", (400,), (raw_request(host=("Host: a", "Host: a")),)),
    RawCase("P10", "folded-header", "RFC 9112 §5.2", (400,), (raw_request(GOOD, "X: a\r\n b"),)),
    RawCase("P10", "space-before-colon", "RFC 9112 §5.1", (400,), (raw_request(GOOD, "X : a"),)),
    RawCase("P10", "nul-in-header", "RFC 9110 §5.5", (400,), (raw_request(GOOD, "X: a\x00b"),)),
    RawCase("P10", "two-content-types", "RFC 9110 §5.3", (400,), (raw_request(GOOD, f"Content-Type: {FORM}"),),
            error="invalid_request"),
    RawCase("P10", "unknown-transfer-coding", "RFC 9112 §6.1", (501,), (
        _CHUNKED_GOOD.replace("chunked", "gzip, chunked", 1),), error="invalid_request"),
    RawCase("P10", "transfer-codings-in-two-headers", "RFC 9112 §6.1", (501,), (
        _CHUNKED_GOOD.replace("Transfer-Encoding", "Transfer-Encoding: gzip\r\nTransfer-Encoding", 1),)),
    RawCase("P10", "transfer-coding-in-http-1.0", "RFC 9112 §6.1", (400,), (
        _CHUNKED_GOOD.replace("HTTP/1.1", "HTTP/1.0", 1),), error="invalid_request"),
    RawCase("P11", "two-content-encodings", "RFC 9110 §15.5.16", (415,), (
        raw_request(GOOD, "Content-Encoding: gzip", "Content-Encoding: identity"),)),
    RawCase("P10", "http-2.0", "RFC 9110 §15.6.6", (505,), (raw_request(GOOD).replace("HTTP/1.1", "HTTP/2.0", 1),),
            error="invalid_request"),
    RawCase("P10", "http-0.9", "RFC 9110 §15.6.6", (505,), (raw_request(GOOD).replace("HTTP/1.1", "HTTP/0.9", 1),)),
    RawCase("P10", "noise", "RFC 9112 §2.2", (400,), ("\x16\x03\x01\x02\x00\x01\x00",), error="invalid_request"),
    RawCase("P10", "pipelined", "RFC 9112 §9.3.2", (200, 405, 401, 200),
            (raw_request(), raw_request("", method="GET"), raw_request(CC), raw_request(GOOD, _STOP))),
    RawCase("P10", "pipelined-then-noise", "RFC 9112 §9.3.2", (200,), (raw_request(), "\x00\x01 noise\r\n\r\n")),
    RawCase("P10", "refused-body-is-no-request", "RFC 9112 §6.3", (413, ),
            (raw_request("a" * 70_000 + raw_request()), )),
    RawCase("P10", "expect-continue", "RFC 9110 §10.1.1", (100, 200),
            (raw_request(GOOD, _STOP, "Expect: 100-continue"),)),
    RawCase("P10", "offered-upgrade-is-ignored", "RFC 9110 §7.8", (200, 200),
            (raw_request(GOOD, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
             raw_request(GOOD, _STOP))),
    RawCase("P41", "two-authorizations", "RFC 9110 §11.6.2", (400,), (raw_request(CC, _STOP, *[_BASIC_HEADER] * 2),),
            error="invalid_request"),
    RawCase("P41", "basic-and-bearer", "RFC 9110 §11.6.2", (400,), (
        raw_request(CC, _STOP, _BASIC_HEADER, "Authorization: Bearer <access>"),), error="invalid_request"),
    RawCase("P101", "two-authorizations", "RFC 6750 §3.1", (400,), (f"{_ROWS}Authorization: Bearer <access>\r\n\r\n",),
            error="invalid_request"),
    RawCase("P101", "bearer-and-basic", "RFC 6750 §3.1", (400,), (f"{_ROWS}{_BASIC_HEADER}\r\n\r\n",),
            error="invalid_request"),
    RawCase("P99", "non-ascii", "RFC 6750 §2.1", (401,), (
        f"GET {ROWS} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer r\xe9\r\n\r\n",),
            error="invalid_token"),
    RawCase("P31", "basic-challenge-on-wire", "RFC 6749 §5.2", (401,), (
        raw_request(CC, _STOP, "Authorization: Basic b64[<id>:<wrong>]"),), answer=BASIC_CHALLENGE),
)  # fmt: skip
