"""A client that proved who it is. Data only."""

import msgspec

from rowgate.oauth.model import Application, Secret


class Authenticated(msgspec.Struct, frozen=True):
    """A client that proved who it is."""

    application: Application
    secret: Secret | None  # None: it proved a key
    key_id: str  # of the secret, the key or the certificate, for the record
    once: tuple[tuple[bytes, int], ...] = ()  # what counts once only: 32 bytes each, and when they are too old anyway
    certificate_thumbprint: str = ""  # what its tokens are bound to (RFC 8705 §3); empty: to no certificate
    workload: str = ""  # of a job of a platform, see `workloads.ProvedWorkload`
    counted_as: tuple[str, str] | None = None  # client id and source: how it goes is counted when the proof is used up
    is_grant: bool = False  # the proof was the grant itself (RFC 7523 §2.1)
    is_first_use: bool = False  # a renewed secret proves its client for the first time: to be kept, see `oauth.lineage`

    def must_be_noted(self) -> bool:
        """Tell whether `use_up` must have succeeded before the client is answered."""
        return self.is_first_use or bool(self.once)
