"""What the addresses in the settings must look like. Texts alone: nothing is looked up, and nothing is called.

An address that cannot be anybody's is refused at the start: taken, it would be in force and match nothing.
"""

import ipaddress
import re
from urllib.parse import urlsplit

# As browsers write one in Origin (RFC 6454 §6.1): lower case, no path, not even a slash at the end.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:[0-9]{1,5})?")
_PLAIN = re.compile("[!-~]+")  # printable ASCII without spaces


def check_public_url(text: str) -> None:
    """Refuse what cannot be the server's identifier. A path may be in it.

    Raises:
        ValueError: It says what is expected.

    Source: RFC 8414 §2 (issuer: no query, no fragment)
    """
    try:
        parts = urlsplit(text)
        is_address = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:  # a port that is none, half an IPv6 address
        is_address = False
    if not is_address or not _PLAIN.fullmatch(text) or "?" in text or "#" in text or "@" in parts.netloc:
        raise ValueError("it is a whole address without query or fragment: https://data.example.com")


def check_proxy(text: str) -> None:
    """Refuse what is neither an IP address nor a network of them: connections come from nothing else.

    Raises:
        ValueError: It says what is expected.
    """
    try:
        ipaddress.ip_network(text)  # an address is a network of one
    except ValueError:
        raise ValueError(f"{text!r} is no address: write 10.0.0.1, or 10.0.0.0/8 for a whole network") from None


def check_origin(text: str) -> None:
    """Refuse what no browser sends in Origin.

    Raises:
        ValueError: It says what is expected.
    """
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text!r} is no origin: write https://app.example.com, in lower case and without a path")
