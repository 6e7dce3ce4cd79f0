"""Client authentication (P28 to P47)."""

from protocol.case import BASIC, BASIC_CHALLENGE, CC, CREDENTIALS, GOOD, JSON, Case

_BAD = "invalid_request"
_WHO = "invalid_client"
_ENCODED = "%72gcs"  # the first letters of a secret, as RFC 6749 §2.3.1 has it
_TWO = "RFC 6749 §2.3, §5.2"
_CH = BASIC_CHALLENGE


def _authorization(value: str) -> tuple[tuple[str, str]]:
    return (("Authorization", value),)


CLIENT_CASES = (
    Case("P28", "basic", "RFC 6749 §2.3.1", 200, form=CC, basic=BASIC),
    Case("P29", "basic-in-small-letters", "RFC 9110 §11.1", 200, form=CC,
         headers=_authorization(f"basic b64[{BASIC}]")),
    Case("P29", "basic-in-capitals", "RFC 9110 §11.1", 200, form=CC, headers=_authorization(f"BASIC   b64[{BASIC}]")),
    Case("P30", "no-credentials", "RFC 6749 §5.2", 401, _WHO, form=CC, answer=_CH, reason="no_credentials"),
    Case("P30", "secret-without-id", "RFC 6749 §5.2", 401, _WHO, form=f"{CC}&client_secret=<secret>", answer=_CH),
    Case("P31", "wrong-secret", "RFC 6749 §5.2", 401, _WHO, form=CC, basic="<id>:<wrong>", answer=_CH,
         reason="wrong_secret"),
    Case("P31", "unknown-client", "RFC 6749 §5.2", 401, _WHO, form=CC, basic="<unknown_id>:<wrong>", answer=_CH,
         reason="unknown_client"),
    Case("P31", "anothers-secret", "RFC 6749 §5.2", 401, _WHO, form=CC, basic="<id>:<other_secret>", answer=_CH),
    Case("P31", "secret-and-a-letter", "RFC 6749 §5.2", 401, _WHO, form=CC, basic=f"{BASIC}A", answer=_CH),
    Case("P31", "id-in-capitals", "RFC 6749 §5.2", 401, _WHO, form=CC, basic="<id>Z:<secret>", answer=_CH),
    Case("P32", "wrong-secret-in-body", "RFC 9110 §15.5.2", 401, _WHO,
         form=f"{CC}&client_id=<id>&client_secret=<wrong>",
         answer=_CH),
    Case("P32", "secret-with-a-space", "RFC 9110 §15.5.2", 401, _WHO,
         form=f"{CC}&client_id=<id>&client_secret=<secret>+",
         answer=_CH),
    Case("P33", "encoded-parts", "RFC 6749 §2.3.1", 200, form=CC, basic="<encoded_id>:<encoded_secret>"),
    Case("P34", "raw-parts", "ours", 200, form=CC, basic=BASIC),
    Case("P35", "colon-in-secret", "RFC 7617 §2", 401, _WHO, form=CC, basic=f"{BASIC}:x", answer=_CH,
         reason="wrong_secret"),
    Case("P36", "bad-base64", "ours", 401, _WHO, form=CC, headers=_authorization("Basic ***"), answer=_CH,
         reason="unreadable_basic"),
    Case("P36", "no-padding", "ours", 401, _WHO, form=CC, headers=_authorization("Basic YTpiYg"), answer=_CH),
    Case("P36", "no-colon", "ours", 401, _WHO, form=CC, basic="<id>", answer=_CH, reason="unreadable_basic"),
    Case("P36", "not-utf8", "ours", 401, _WHO, form=CC, basic="\xff\xfe:\xff", answer=_CH, reason="unreadable_basic"),
    Case("P36", "control-characters", "ours", 401, _WHO, form=CC, basic="a\nb:c", answer=_CH,
         reason="credential_characters"),
    Case("P36", "nothing-after-the-scheme", "ours", 401, _WHO, form=CC, headers=_authorization("Basic"), answer=_CH),
    Case("P36", "empty-header", "ours", 401, _WHO, form=CC, headers=_authorization(""), answer=_CH),
    Case("P36", "very-long", "ours", 401, _WHO, form=CC, basic=f"{'a' * 5000}:b", answer=_CH,
         reason="credential_too_long"),
    Case("P53", "control-character-in-the-body", "RFC 6749 Appendix A.1", 401, _WHO, answer=_CH,
         form=f"{CC}&client_id=a%01b&client_secret=<secret>", reason="credential_characters"),
    Case("P53", "not-ascii-in-the-body", "RFC 6749 Appendix A.1", 401, _WHO, answer=_CH,
         form=f"{CC}&client_id=%C3%A9%F0%9F%98%80&client_secret=<secret>", reason="credential_characters"),
    Case("P53", "line-feed-in-the-header", "RFC 6749 Appendix A.1", 401, _WHO, form=CC, basic="a\nb:<secret>",
         answer=_CH, reason="credential_characters"),
    Case("P37", "empty-secret", "ours", 401, _WHO, form=CC, basic="<id>:", answer=_CH),
    Case("P37", "empty-id", "ours", 401, _WHO, form=CC, basic=":<secret>", answer=_CH),
    Case("P38", "basic-and-body-secret", _TWO, 400, _BAD, form=GOOD, basic=BASIC, reason="two_authentications"),
    Case("P38", "basic-and-json-secret", _TWO, 400, _BAD, media=JSON, basic=BASIC,
         body='{"grant_type": "client_credentials", "client_secret": "<secret>"}'),
    Case("P38", "bearer-and-body-secret", _TWO, 400, _BAD, form=GOOD, headers=_authorization("Bearer <access>")),
    Case("P39", "basic-and-assertion", _TWO, 400, _BAD, form=f"{CC}&client_assertion=x", basic=BASIC),
    Case("P39", "secret-and-assertion", _TWO, 400, _BAD, form=f"{GOOD}&client_assertion=x"),
    Case("P39", "basic-and-assertion-type", _TWO, 400, _BAD, form=f"{CC}&client_assertion_type=x", basic=BASIC),
    Case("P40", "basic-and-same-id", "RFC 7521 §4.2", 200, form=f"{CC}&client_id=<id>", basic=BASIC),
    Case("P40", "basic-and-another-id", "RFC 7521 §4.2", 400, _BAD, form=f"{CC}&client_id=<other_id>", basic=BASIC,
         reason="two_client_ids"),
    Case("P42", "bearer", "RFC 6749 §5.2", 401, _WHO, form=CC, headers=_authorization("Bearer <access>"), answer=_CH,
         reason="unsupported_scheme"),
    Case("P42", "digest", "RFC 6749 §5.2", 401, _WHO, form=CC, headers=_authorization('Digest username="<id>"'),
         answer=_CH),
    Case("P43", "expired-secret", "RFC 6749 §5.2", 401, _WHO, form=CC, basic="<expired_id>:<expired_secret>",
         answer=_CH,
         members={"error_description": "The client secret has expired."}, reason="expired_secret"),
    Case("P43", "expired-and-wrong", "RFC 6749 §5.2", 401, _WHO, form=CC, basic="<expired_id>:<wrong>", answer=_CH,
         members={"error_description": "Client authentication failed."}, reason="wrong_secret"),
    Case("P46", "disabled-application", "ours", 401, _WHO, form=CC, basic="<disabled_id>:<disabled_secret>", answer=_CH,
         reason="disabled_application"),
    Case("P46", "disabled-and-wrong", "ours", 401, _WHO, form=CC, basic="<disabled_id>:<wrong>", answer=_CH,
         members={"error_description": "Client authentication failed."}),
    Case("P47", "assertion-is-no-method-here", "RFC 6749 §5.2", 401, _WHO, answer=_CH,
         form=f"{CC}&client_id=<id>&client_assertion=x&client_assertion_type=urn:ietf:params:oauth:client-assertion-type"
              ":jwt-bearer"),
    Case("P47", "tls-certificate-is-no-method-here", "RFC 6749 §5.2", 401, _WHO, form=f"{CC}&client_id=<id>",
         answer=_CH,
         headers=(("X-Client-Cert", "x"), ("X-SSL-Client-Verify", "SUCCESS"))),
    Case("O-5", "in-body", "origin", 200, form=f"{CC}&{CREDENTIALS}"),
    Case("O-5", "in-header", "origin", 200, form=CC, basic=BASIC),
)  # fmt: skip
