"""Names that a certificate can bear: what is none of them would keep a client out for ever, and nobody would see why.

Each function gives the name in its normal form, or raises ValueError. Source: RFC 5280 §4.2.1.6
"""

import re
from ipaddress import IPv6Address, ip_address

from rowgate.oauth.client_certificate import lower_ascii, normalize_email

MAX_DNS_NAME_LENGTH = 253
# Letters and digits of ASCII: a name in another script stands in a certificate as xn--… Names with _ are in use.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:.*\.)?[0-9]+")  # as an address has it, and no name does
# a scheme, and something of its own behind it (RFC 3986 §2, §3)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!/*$)(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf'{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])*"')  # RFC 5321 §4.1.2


def parse_dns_name(text: str) -> str:
    """Give a name of the DNS; one for all names below another begins with `*.`.

    >>> parse_dns_name("Reports.example")
    'reports.example'
    """
    if not _DNS_NAME.fullmatch(text) or len(text) > MAX_DNS_NAME_LENGTH or _NUMBER.fullmatch(text):
        raise ValueError("no name of the DNS")
    return lower_ascii(text)


def parse_uri(text: str) -> str:
    """Give an absolute URI; it is compared as it is written."""
    if not _URI.fullmatch(text):
        raise ValueError("no absolute URI")
    return text


def parse_address(text: str) -> str:
    """Give an IP address as RFC 5952 writes it; a certificate has no zones."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError("an address with a zone")
    return str(address)


def parse_email(text: str) -> str:
    """Give a mailbox, without a name or angle brackets."""
    local, _, domain = text.rpartition("@")
    if not _LOCAL_PART.fullmatch(local):
        raise ValueError("no mailbox")
    if domain.startswith("*"):
        raise ValueError("no domain")
    parse_dns_name(domain)
    return normalize_email(text)
