"""Where the documents about this server are found: before the path of its address, if that has one."""

from urllib.parse import urlsplit

AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"


def locate_document(document: str, issuer: str) -> str:
    """Give the address of a document.

    >>> locate_document(AUTHORIZATION_SERVER, "https://data.example.com/hr")
    'https://data.example.com/.well-known/oauth-authorization-server/hr'

    Args:
        document: One of the constants here.
        issuer: The server's own address, without a slash at its end.

    Source: RFC 8414 §3.1, RFC 9728 §3.1
    """
    path = urlsplit(issuer).path
    return issuer.removesuffix(path) + document + path


def list_paths(document: str, issuer: str) -> tuple[str, ...]:
    """Give the paths at which this server answers with a document, each once.

    A proxy that serves it under a path of its own hands on the first as it came, and the second without that path.
    """
    return tuple({document + urlsplit(issuer).path: None, document: None})
