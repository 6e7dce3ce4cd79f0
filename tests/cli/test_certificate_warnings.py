"""An application that this server could never know by its certificate is told of when it is made."""

from pathlib import Path

import pytest

from cli.transcript import run
from support.certificates import make_own_certificate, read_certificate_alone

ADD = ("app", "add", "reports", "--object", "SA_ServiceAccounts", "--no-secret")
NAMED = (*ADD, "--auth-method", "tls_client_auth", "--tls-subject-dn", "CN=reports")
LEARNS_OF_NONE, NO_NAMES = "The server learns of no certificates", "Names in certificates do not count"
BY_PROXY = {"CLIENT_CERTIFICATE_HEADER": "X-Client-Cert", "TRUSTED_PROXIES": "127.0.0.1"}

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    ("settings", "warning"),
    [({}, LEARNS_OF_NONE), (BY_PROXY, NO_NAMES), ({**BY_PROXY, "CLIENT_CERTIFICATE_VALIDATED": "true"}, "")],
)
def test_a_name_in_a_certificate_that_would_not_count_is_told(
    settings: dict[str, str], warning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"ROWGATE_{name}", value)
    done = run(list(NAMED))
    assert (done.exit_code, done.stderr.partition(":")[0]) == (0, warning)


@pytest.mark.parametrize(("settings", "warning"), [({}, LEARNS_OF_NONE), (BY_PROXY, "")])
def test_a_certificate_that_would_never_be_seen_is_told(
    settings: dict[str, str], warning: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"ROWGATE_{name}", value)
    pem = tmp_path / "reports.pem"
    pem.write_text(read_certificate_alone(make_own_certificate(tmp_path, "own")), "utf-8")
    done = run([*ADD, "--auth-method", "self_signed_tls_client_auth", "--certificate", str(pem)])
    assert (done.exit_code, done.stderr.partition(":")[0]) == (0, warning)


def test_tokens_that_could_never_be_bound_are_told() -> None:
    assert run(["app", "add", "reports", "--object", "SA_ServiceAccounts"]).exit_code == 0
    assert LEARNS_OF_NONE in run(["app", "set", "reports", "--certificate-bound"]).stderr
