"""`rowgate doctor` looks at whom the server would believe, and whether it may ask for keys."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.transcript import run
from rowgate.config import load_settings
from support.certificates import Authority, make_certificate
from support.homes import add_without_secret

AUTHORITIES = "the authorities of clients' certificates can be read, and are in force"
CERTIFICATE = "the server's certificate and key can be used"
VARIABLES = "every ROWGATE_ variable of the environment is a setting"
PLATFORMS = "the keys of trusted issuers can be read, or may be asked for"
ADDRESSES = "the addresses of applications' keys may be called"


def find(question: str) -> dict[str, Any] | None:
    findings = json.loads(run(["doctor", "--json"]).stdout)
    return next((finding for finding in findings if finding["question"] == question), None)


@pytest.mark.parametrize(("days", "told"), [(20, "ends in 20d"), (0, "ended 2")])
def test_the_end_of_the_servers_own_certificate_is_told(home: Path, tmp_path: Path, days: int, told: str) -> None:
    cert, key = make_certificate(tmp_path, days=days)
    with (home / "rowgate.toml").open("a", encoding="utf-8") as file:
        file.write(f'tls_cert = "{cert}"\ntls_key = "{key}"\n')
    finding = find(CERTIFICATE)
    assert finding is not None
    assert (finding["good"], finding["found"][: len(told)]) == (days > 0, told)
    key.unlink()
    finding = find(CERTIFICATE)
    assert finding is not None
    assert (finding["good"], "tls_key cannot be read" in finding["found"]) == (False, True)


def test_a_variable_that_is_misspelt_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.is_dir()
    finding = find(VARIABLES)
    assert finding is not None
    assert finding["good"] is True
    monkeypatch.setenv("ROWGATE_MAX_SECRET_SECOND", "1")
    finding = find(VARIABLES)
    assert finding is not None
    assert (finding["good"], finding["found"]) == (False, "ROWGATE_MAX_SECRET_SECOND")


@pytest.fixture
def authorities(home: Path, tmp_path: Path) -> Path:
    """The file that `tls_client_ca` names; it is not there yet."""
    cert, key = make_certificate(tmp_path)
    path = tmp_path / "authorities.pem"
    with (home / "rowgate.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'tls_cert = "{cert}"\ntls_key = "{key}"\ntls_client_certificates = true\ntls_client_ca = "{path}"\n'
        )
    return path


@pytest.mark.parametrize(
    ("days", "good", "told"),
    [(400, True, "1 certificate"), (20, True, "CN=House ends in 20d"), (0, False, "CN=House ended 2")],
)
def test_authorities_that_end_are_named(authorities: Path, days: int, good: bool, told: str) -> None:  # noqa: FBT001
    Authority("House", days=days).write(authorities)
    finding = find(AUTHORITIES)
    assert finding is not None
    assert finding["good"] is good
    assert finding["found"].startswith(told)


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_authorities_that_cannot_be_read_are_bad(authorities: Path, content: bytes | None) -> None:
    if content is not None:
        authorities.write_bytes(content)
    finding = find(AUTHORITIES)
    assert finding is not None
    assert (finding["good"], finding["found"].startswith("tls_client_ca cannot be used")) == (False, True)


def test_an_address_of_keys_that_may_not_be_called_is_told_of_at_once(home: Path) -> None:
    with (home / "rowgate.toml").open("a", encoding="utf-8") as file:
        file.write('outgoing_hosts = ["keys.example.com"]\n')
    flags = ["--object", "SA_Activity_Events", "--no-secret", "--auth-method", "private_key_jwt"]
    listed = run(["app", "add", "listed", *flags, "--jwks-uri", "https://keys.example.com/jwks.json"])
    assert (listed.exit_code, listed.stderr) == (0, "")
    changed = run(["app", "set", "listed", "--jwks-uri", "https://other.example.com/jwks.json"])
    assert changed.exit_code == 0
    assert "may not be asked for (host_not_listed)" in changed.stderr


def test_key_addresses_that_may_not_be_called_are_named(home: Path) -> None:
    assert find(AUTHORITIES) is None
    assert find(ADDRESSES) is None
    settings = load_settings(home, {}, {})
    for name, host in (("listed", "keys.example.com"), ("unlisted", "other.example.com")):
        uri = f"https://{host}/jwks.json"
        add_without_secret(settings, name, jwks_uri=uri, authentication_methods=("private_key_jwt",))
    with (home / "rowgate.toml").open("a", encoding="utf-8") as file:
        file.write('outgoing_hosts = ["keys.example.com"]\n')
    finding = find(ADDRESSES)
    assert finding is not None
    assert (finding["good"], finding["found"]) == (False, "unlisted (host_not_listed)")
    assert "outgoing_hosts" in finding["advice"]


@pytest.mark.parametrize(
    ("allowed", "keys", "good", "told"),
    [
        ("keys.example.com", 'jwks_uri = "https://keys.example.com/jwks"', True, "github"),
        ("other.example.com", 'jwks_uri = "https://keys.example.com/jwks"', False, "host_not_listed"),
        ("keys.example.com", 'jwks_uri = "http://keys.example.com/jwks"', False, "not_https"),
        ("keys.example.com", 'jwks_file = "missing.json"', False, "No such file"),
    ],
)
def test_a_platform_whose_keys_are_out_of_reach_is_named(
    home: Path,
    allowed: str,
    keys: str,
    good: bool,  # noqa: FBT001
    told: str,
) -> None:
    """And no server starts with it: every one of its jobs would be refused."""
    assert find(PLATFORMS) is None
    with (home / "rowgate.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'outgoing_hosts = ["{allowed}"]\n[[trusted_issuers]]\nname = "github"\n'
            f'issuer = "https://jobs.example.com"\naudience = "https://data.example.com"\n{keys}\n'
        )
    finding = find(PLATFORMS)
    assert finding is not None
    assert finding["good"] is good
    assert told in finding["found"]
    if not good:
        refused = run(["serve", "--port", "0"])
        assert (refused.exit_code, refused.stderr.startswith("rowgate: trusted_issuers, github: ")) == (1, True)
