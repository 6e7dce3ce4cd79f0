"""`rowgate app set`: what an administrator says is what is kept, shown and on record; nonsense changes nothing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.transcript import Outcome, run
from support.certificates import Authority, make_own_certificate, read_certificate_alone
from support.client_keys import ClientKey

KEY = ClientKey()


@pytest.fixture
def jwks(tmp_path: Path) -> str:
    path = tmp_path / "public.json"
    path.write_text(KEY.jwks, "utf-8")
    return str(path)


@pytest.fixture
def _reports(home: Path) -> None:
    assert home.is_dir()
    added = run(["app", "add", "reports", "--object", "SA_Activity_Events"])
    assert added.exit_code == 0, added.stderr


def show(name: str = "reports") -> dict[str, Any]:
    return dict(json.loads(run(["app", "show", name, "--json"]).stdout))


def set_(*flags: str, exit_code: int = 0) -> Outcome:
    done = run(["app", "set", "reports", *flags])
    assert done.exit_code == exit_code, done.stderr
    return done


def list_changes() -> list[dict[str, Any]]:
    """Give the administrative changes on record, without those that made the home and the application."""
    return [json.loads(line) for line in run(["audit", "tail", "--json"]).stdout.splitlines()][2:]


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize(
    ("flags", "member", "value"),
    [
        (["--auth-method", "client_secret_post"], "authentication_methods", ["client_secret_post"]),
        (["--token-format", "jwt"], "access_token_format", "jwt"),
        (["--dpop"], "dpop_bound_tokens", True),
        (["--tokens-per-minute", "60"], "tokens_per_minute", 60),
        (["--token-exchange"], "token_exchange", True),
        (["--scope", "read run"], "scope", "read run"),
        (["--no-refresh"], "refresh_tokens", False),
        (["--access-lifetime", "10m"], "access_lifetime_seconds", 600),
        (["--refresh-lifetime", "1d"], "refresh_lifetime_seconds", 86_400),
    ],
)
def test_each_flag_changes_its_member_and_no_other(flags: list[str], member: str, value: Any) -> None:
    before = show()
    assert before[member] != value
    set_(*flags)
    follows = {"access_token_algorithm": "EdDSA"} if member == "access_token_format" else {}
    assert show() == {**before, member: value, **follows}
    (event,) = [event for event in list_changes() if event["action"] == "application.set"]
    assert event["target"] == "reports"
    assert list(event["details"]) == [member]


@pytest.mark.usefixtures("_reports")
def test_everything_at_once_is_one_change_and_back_again(jwks: str) -> None:
    before = show()
    set_(
        *("--auth-method", "private_key_jwt", "--jwks", jwks, "--token-format", "jwt", "--token-algorithm", "ES256"),
        *("--dpop", "--tokens-per-minute", "5", "--access-lifetime", "5m", "--no-refresh"),
    )
    after = show()
    assert after["keys"] == [{"key_id": "first", "thumbprint": KEY.thumbprint, "algorithms": ["ES256"]}]
    assert after["access_token_algorithm"] == "ES256"
    set_(
        *("--auth-method", "client_secret_basic", "--auth-method", "client_secret_post", "--no-jwks"),
        *("--token-format", "sealed", "--no-dpop", "--tokens-per-minute", "0", "--access-lifetime", "1h", "--refresh"),
    )
    assert show() == before
    there, back = [event for event in list_changes() if event["action"] == "application.set"]
    assert there["details"]["jwks"] == [KEY.thumbprint]
    assert back["details"]["jwks"] == []
    assert back["details"]["authentication_methods"] == ["client_secret_basic", "client_secret_post"]


@pytest.mark.usefixtures("_reports")
def test_whose_tokens_it_may_exchange_is_kept_by_client_id(home: Path) -> None:
    """A name may come to mean another application."""
    assert home.is_dir()
    flags = ("--token-exchange", "--exchange-for", "reports", "--exchanged-lifetime", "10m")
    assert run(["app", "add", "helper", "--object", "SA_Activity_Events", *flags]).exit_code == 0
    reports = show()["client_id"]
    helper = show("helper")
    assert (helper["exchanges_tokens_of"], helper["exchanged_token_seconds"]) == ([reports], 600)
    told = run(["app", "show", "helper"]).stdout
    assert f"its own tokens, those of {reports}, for 10m at most" in told
    changed = run(["app", "set", "helper", "--exchange-for", "", "--exchanged-lifetime", "none", "--json"])
    assert json.loads(changed.stdout)["exchanges_tokens_of"] == []
    assert show("helper")["exchanged_token_seconds"] == 0
    assert list_changes()[-1]["details"] == {"exchanges_tokens_of": [], "exchanged_token_seconds": 0}


@pytest.mark.usefixtures("_reports")
def test_what_is_so_already_is_not_on_record() -> None:
    set_("--no-dpop", "--token-format", "sealed", "--access-lifetime", "1h")
    assert list_changes() == []


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_signed_tokens_have_a_key_once(algorithm: str) -> None:
    for _ in range(2):
        set_("--token-format", "jwt", "--token-algorithm", algorithm)
    keys = json.loads(run(["key", "list", "--json"]).stdout)
    assert [(key["algorithm"], key["state"]) for key in keys if key["use"] == "signing"] == [(algorithm, "current")]


@pytest.mark.usefixtures("_reports")
def test_algorithm_alone_makes_no_key_for_sealed_tokens() -> None:
    set_("--token-algorithm", "ES256")
    assert [key["use"] for key in json.loads(run(["key", "list", "--json"]).stdout)] == ["sealing"]


PRIVATE = json.dumps({"keys": [KEY.private]})
SYMMETRIC = json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PRIVATE, "holds a private key"),
        (SYMMETRIC, "holds a symmetric key"),
        (json.dumps(KEY.public), "cannot be read"),
        ("", "cannot be read"),
        ("nonsense", "cannot be read"),
        ('{"keys": []}', "no key that can be used"),
        (json.dumps({"keys": [KEY.public, KEY.public]}), "the same key id"),
    ],
)
def test_unfit_key_set_is_refused_whole(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text, "utf-8")
    before = show()
    done = set_("--jwks", str(path), "--auth-method", "private_key_jwt", exit_code=1)
    assert told in done.stderr
    assert done.stdout == ""
    assert str(KEY.private["d"]) not in done.stderr
    assert show() == before
    assert list_changes() == []


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize(
    ("flags", "exit_code", "told"),
    [
        ([], 2, "say what to set"),
        (["--auth-method", "private_key_jwt"], 1, "--jwks FILE"),
        (["--auth-method", "none"], 2, "client_secret_basic"),
        (["--token-algorithm", "HS256"], 2, "EdDSA"),
        (["--token-format", "opaque"], 2, "sealed"),
        (["--tokens-per-minute", "-1"], 2, "-1"),
        (["--exchange-for", "reports"], 1, "--token-exchange"),
        (["--token-exchange", "--exchange-for", "nobody"], 1, "no application nobody"),
        (["--exchanged-lifetime", "soon"], 2, "soon"),
        (["--access-lifetime", "soon"], 2, "soon"),
        (["--scope", " read"], 1, "The scope is malformed."),
    ],
)
def test_nonsense_changes_nothing(flags: list[str], exit_code: int, told: str) -> None:
    before = show()
    assert told in set_(*flags, exit_code=exit_code).stderr
    assert show() == before


@pytest.mark.usefixtures("_reports")
def test_keys_that_are_signed_in_with_cannot_be_forgotten(jwks: str) -> None:
    set_("--auth-method", "private_key_jwt", "--jwks", jwks)
    assert "--jwks FILE" in set_("--no-jwks", exit_code=1).stderr
    assert "exclude each other" in set_("--jwks", jwks, "--no-jwks", exit_code=2).stderr


@pytest.mark.usefixtures("_reports")
def test_keys_without_the_method_are_kept_and_the_administrator_is_told(jwks: str) -> None:
    assert "not used" in set_("--jwks", jwks).stderr
    assert "not used" not in set_("--auth-method", "private_key_jwt").stderr


def test_what_an_application_without_a_secret_signs_in_with_is_shown(home: Path, jwks: str, tmp_path: Path) -> None:
    assert home.is_dir()
    own = tmp_path / "certificate.pem"
    own.write_text(read_certificate_alone(make_own_certificate(tmp_path, "own")))
    thumbprint = "[A-Za-z0-9_-]{43}"
    for name, flags, shown in (
        ("keyed", ["--jwks", jwks, "--auth-method", "private_key_jwt", "--no-secret"], "first"),
        (
            "certified",
            ["--certificate", str(own), "--auth-method", "self_signed_tls_client_auth", "--no-secret"],
            f"the certificate {thumbprint}",
        ),
        ("jobs", ["--for-jobs"], "nothing yet"),
    ):
        done = run(["app", "add", name, "--object", "SA_Activity_Events", *flags])
        assert done.exit_code == 0, done.stderr
        assert re.search(f"^signs in with  {shown}$", done.stdout, re.MULTILINE), done.stdout
    assert [line.split()[-3:] for line in run(["app", "list"]).stdout.splitlines()[1:]] == [
        ["has", "a", "certificate"],
        ["none", "is", "good"],  # no rule says which jobs they are
        ["has", "a", "key"],
    ]


@pytest.mark.parametrize(("days", "said"), [(0, True), (1, False)])
def test_a_certificate_that_has_ended_is_said(home: Path, tmp_path: Path, days: int, said: bool) -> None:  # noqa: FBT001
    assert home.is_dir()
    path = Authority("own", days=days).write(tmp_path / "own.pem")
    flags = ["--certificate", str(path), "--auth-method", "self_signed_tls_client_auth", "--no-secret"]
    done = run(["app", "add", "certified", "--object", "SA_Activity_Events", *flags])
    assert done.exit_code == 0
    assert ("have ended and are refused" in done.stderr) is said


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *[("subject-dn", "reports"), ("subject-dn", "CN"), ("san-ip", "1.2.3")],
        *[("san-dns", "a b"), ("san-uri", "reports"), ("san-email", "reports")],
    ],
)
def test_a_name_that_no_certificate_bears_is_refused_with_an_example(kind: str, text: str) -> None:
    told = set_("--auth-method", "tls_client_auth", f"--tls-{kind}", text, exit_code=1).stderr
    assert "write it as in" in told


def test_application_with_a_key_and_no_secret(home: Path, jwks: str) -> None:
    assert home.is_dir()
    flags = ["--object", "SA_Activity_Events", "--jwks", jwks, "--auth-method", "private_key_jwt"]
    done = run(["app", "add", "keyed", *flags, "--no-secret", "--json"])
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert set(made) == {"name", "client_id", "key_ids", "objects"}
    assert made["key_ids"] == ["first"]
    shown = show("keyed")
    assert (shown["secrets"], shown["authentication_methods"]) == ([], ["private_key_jwt"])
    assert "has a key" in run(["app", "list"]).stdout
    assert run(["explain", "keyed", "SA_Activity_Events"]).exit_code == 0
    (event,) = [json.loads(line) for line in run(["audit", "tail", "--json"]).stdout.splitlines()][1:]
    assert event["details"]["jwks"] == [KEY.thumbprint]


@pytest.mark.parametrize(
    ("flags", "exit_code", "told"),
    [
        (["--no-secret"], 1, "without a secret it needs a key"),
        (["--no-secret", "--expires-in", "72h"], 2, "exclude each other"),
        (["--auth-method", "private_key_jwt", "--jwks", "{jwks}"], 1, "--no-secret"),
    ],
)
def test_application_that_could_not_sign_in_is_not_made(
    home: Path, jwks: str, flags: list[str], exit_code: int, told: str
) -> None:
    assert home.is_dir()
    filled = [flag.replace("{jwks}", jwks) for flag in flags]
    done = run(["app", "add", "keyed", "--object", "SA_Activity_Events", *filled])
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert told in done.stderr
    assert json.loads(run(["app", "list", "--json"]).stdout) == []


@pytest.mark.usefixtures("_reports")
def test_show_tells_it_in_words(jwks: str) -> None:
    set_("--auth-method", "private_key_jwt", "--jwks", jwks, "--token-format", "jwt", "--dpop", "--no-refresh")
    lines = {line[:25].strip(): line[26:] for line in run(["app", "show", "reports"]).stdout.splitlines()}
    assert lines["access tokens"] == "JWTs signed with EdDSA, good for 1h"
    assert lines["refresh tokens"] == "none"
    assert lines["bound to a key"] == "always, by DPoP"
    assert lines["signs in with"] == "private_key_jwt"
    assert lines["public key"] == f"first (ES256, thumbprint {KEY.thumbprint})"
