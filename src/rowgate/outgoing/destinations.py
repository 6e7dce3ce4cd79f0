"""Which addresses may be called. Pure: nothing is looked up or opened here.

Rule: a host is called because an administrator listed it, never because somebody named it; and listing a name does
not open the house's own network, to which a name may be made to lead at any time.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from rowgate.ports import CallForbidden

HTTPS_PORT = 443
MAX_URL_LENGTH = 2048
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?")
_ENTRY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?")
_PATH = re.compile(r"[!-~]*")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 §2.1

Host = tuple[str, int]  # a lower-case name or address, and the port


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be called, if what its host's name leads to may be."""

    scheme: str
    host: str  # without brackets
    port: int
    path: str  # with the query

    @property
    def host_header(self) -> str:
        """The Host header's value (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.scheme == "https" and self.port == HTTPS_PORT else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Destinations:
    """What an administrator has listed."""

    hosts: frozenset[Host]
    private_hosts: frozenset[Host]  # those that may stand in the house's own network
    http_on_loopback: bool = False  # plain HTTP to this very machine: for tests

    def parse_target(self, url: str) -> Target:
        """Give the parts of an address that may be called.

        Raises:
            CallForbidden: It is malformed, carries credentials or a fragment, is not https, or its host and port are
                not listed.
        """
        if len(url) > MAX_URL_LENGTH or not url.isascii():
            raise CallForbidden("malformed_url")
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise CallForbidden("malformed_url") from None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # urlsplit drops tabs and line ends without a word: what was listed must be what is called
        if "@" in parts.netloc or parts.fragment or parts.geturl() != url or not _PATH.fullmatch(path) or "\\" in url:
            raise CallForbidden("malformed_url")
        if not (_HOST.fullmatch(host) or _is_address(host)):
            raise CallForbidden("malformed_url")
        if parts.scheme != "https" and not (parts.scheme == "http" and self.http_on_loopback):
            raise CallForbidden("not_https")
        target = Target(parts.scheme, host, port or (HTTPS_PORT if parts.scheme == "https" else 80), path)
        if (host, target.port) not in self.hosts | self.private_hosts:
            raise CallForbidden("host_not_listed")
        return target

    def check_address(self, target: Target, address: str) -> None:
        """Refuse what the host's name leads to, unless it is meant.

        Never: link-local addresses, where clouds keep their machines' credentials, and those of nobody or of many. A
        host on the plain list leads to public addresses alone. Plain HTTP leads to this machine alone.

        Raises:
            CallForbidden: The address is not allowed for this host.
        """
        for found in _unwrap(ipaddress.ip_address(address.partition("%")[0])):
            if found.is_link_local or found.is_unspecified or found.is_multicast:
                raise CallForbidden("address_not_allowed")
            if target.scheme == "http" and not found.is_loopback:
                raise CallForbidden("not_https")
            if not found.is_global and (target.host, target.port) not in self.private_hosts:
                raise CallForbidden("private_address")


def parse_hosts(entries: Iterable[str]) -> frozenset[Host]:
    """Give the hosts of a list; without a port it is 443.

    >>> sorted(parse_hosts(["Keys.example.com", "[::1]:8443"]))
    [('::1', 8443), ('keys.example.com', 443)]
    >>> parse_hosts(["*.example.com"])
    Traceback (most recent call last):
    ValueError: '*.example.com' is no host: write keys.example.com or keys.example.com:8443

    Raises:
        ValueError: An entry is no host.
    """
    hosts = set()
    for entry in entries:
        found = _ENTRY.fullmatch(entry.lower())
        if found is None or not 0 < int(found["port"] or HTTPS_PORT) <= 65_535:  # noqa: PLR2004 - the highest port
            raise ValueError(f"{entry!r} is no host: write keys.example.com or keys.example.com:8443")
        hosts.add((found["host"].strip("[]"), int(found["port"] or HTTPS_PORT)))
    return frozenset(hosts)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _unwrap(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Give the address with the IPv4 address inside it, where it is one in other clothes."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    inside = [address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [address, *(found for found in inside if found is not None)]
