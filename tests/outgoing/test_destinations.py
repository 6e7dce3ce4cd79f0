"""Which addresses may be called: those that are listed, and of the house's own network those that are meant."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.outgoing.destinations import Destinations, parse_hosts
from rowgate.ports import CallForbidden

_LISTED = Destinations(parse_hosts(["keys.example.com", "other.example.com:8443"]), parse_hosts(["inside.example"]))
_PUBLIC, _INSIDE = "https://keys.example.com/jwks", "https://inside.example/jwks"


def _refusal(url: str, address: str = "", destinations: Destinations = _LISTED) -> str:
    with pytest.raises(CallForbidden) as caught:
        destinations.check_address(destinations.parse_target(url), address)
    return caught.value.reason


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "header"),
    [
        (_PUBLIC, "keys.example.com", 443, "/jwks", "keys.example.com"),
        ("https://keys.example.com:443", "keys.example.com", 443, "/", "keys.example.com"),
        ("https://other.example.com:8443/a?b=c", "other.example.com", 8443, "/a?b=c", "other.example.com:8443"),
    ],
)
def test_listed_host_may_be_called(url: str, host: str, port: int, path: str, header: str) -> None:
    target = _LISTED.parse_target(url)
    assert (target.host, target.port, target.path, target.host_header) == (host, port, path, header)
    _LISTED.check_address(target, "93.184.215.14")
    _LISTED.check_address(target, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://keys.example.com/jwks", "not_https"),
        ("ftp://keys.example.com/jwks", "not_https"),
        ("file:///etc/passwd", "malformed_url"),
        ("keys.example.com/jwks", "malformed_url"),
        ("https://keys.example.com:8443/jwks", "host_not_listed"),
        ("https://keys.example.com.evil.example/", "host_not_listed"),
        ("https://evil.example/keys.example.com", "host_not_listed"),
        ("https://keys.example.com@evil.example/", "malformed_url"),
        ("https://me:secret@keys.example.com/", "malformed_url"),
        ("https://keys.example.com/#fragment", "malformed_url"),
        ("https://keys.example.com\\@evil.example/", "malformed_url"),
        ("https://keys.example.com/a b", "malformed_url"),
        ("https://keys.example.com/\r\nHost: evil.example", "malformed_url"),
        ("https://keys.example\t.com/", "malformed_url"),
        ("https://keys.example.com:99999/", "malformed_url"),
        ("https://keys.éxample.com/", "malformed_url"),
        ("https://keys.example.com/" + "a" * 3000, "malformed_url"),
        ("https://127.0.0.1/", "host_not_listed"),
        ("https://[fe80::1%25eth0]/", "malformed_url"),
    ],
)
def test_anything_else_may_not(url: str, reason: str) -> None:
    with pytest.raises(CallForbidden) as caught:
        _LISTED.parse_target(url)
    assert caught.value.reason == reason


@given(st.text(max_size=60))
def test_no_text_is_read_as_another_host(text: str) -> None:
    """Whatever stands before or after, what is called is exactly what is listed."""
    for url in (text, f"https://{text}", f"https://keys.example.com{text}", f"https://{text}keys.example.com/"):
        try:
            target = _LISTED.parse_target(url)
        except CallForbidden:
            continue
        assert (target.host, target.port) in {
            ("keys.example.com", 443),
            ("other.example.com", 8443),
            ("inside.example", 443),
        }
        assert target.path.isascii()
        assert target.path.isprintable()
        assert " " not in target.path


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "192.168.1.1", "172.16.0.1", "127.0.0.1", "::1", "fd00::1", "100.64.0.1", "::ffff:10.0.0.1"],
)
def test_private_address_is_for_hosts_that_are_meant(address: str) -> None:
    assert _refusal(_PUBLIC, address) == "private_address"
    _LISTED.check_address(_LISTED.parse_target(_INSIDE), address)


@pytest.mark.parametrize("address", ["64:ff9b::a00:1", "2002:a00:1::", "::ffff:127.0.0.1"])
def test_private_address_in_other_clothes(address: str) -> None:
    assert _refusal(_PUBLIC, address) == "private_address"


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "::ffff:169.254.169.254"]
)
def test_some_addresses_are_never_called(address: str) -> None:
    assert _refusal(_INSIDE, address) == _refusal(_PUBLIC, address) == "address_not_allowed"


@given(st.ip_addresses())
def test_what_is_not_public_needs_a_word(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    target = _LISTED.parse_target(_PUBLIC)
    if not address.is_global:
        with pytest.raises(CallForbidden):
            _LISTED.check_address(target, str(address))


def test_plain_http_is_for_this_machine_and_by_its_own_setting() -> None:
    tests = Destinations(frozenset(), parse_hosts(["127.0.0.1:80", "10.0.0.1:80"]), http_on_loopback=True)
    tests.check_address(tests.parse_target("http://127.0.0.1/x"), "127.0.0.1")
    assert _refusal("http://10.0.0.1/x", "10.0.0.1", tests) == "not_https"


@pytest.mark.parametrize("entry", ["*", "*.example.com", "https://a.example", "a:0", "a:70000", "", "a/b", "a b"])
def test_entry_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        parse_hosts([entry])
