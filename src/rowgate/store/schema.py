"""The tables of the state. Migrations in `migrations/` make them; a test holds both together.

Nothing here grows with the number of tokens issued: a token is a row nowhere, only its early death is.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Number = BigInteger().with_variant(Integer(), "sqlite")

keys = Table(
    "keys",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("purpose", Text, nullable=False),  # sealing, digest
    Column("wrapped", LargeBinary, nullable=False),  # nonce (12) ‖ AES-256-GCM under the master key
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

applications = Table(
    "applications",
    metadata,
    Column("number", _Number, primary_key=True),  # stands in tokens, so it is never used again
    Column("client_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("scope", Text, nullable=False),
    Column("refresh_tokens", Boolean, nullable=False),
    Column("access_lifetime_seconds", BigInteger, nullable=False),
    Column("refresh_lifetime_seconds", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

secrets = Table(
    "secrets",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("application", _Number, ForeignKey("applications.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("key_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("kills_tokens", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

grants = Table(
    "grants",
    metadata,
    Column("application", _Number, ForeignKey("applications.number", ondelete="CASCADE"), primary_key=True),
    Column("object", Text, primary_key=True),
)

objects = Table(
    "objects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("blocked", Boolean, nullable=False),
    Column("block_reason", Text, nullable=False),
    Column("run_key", Text, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("object", Text, ForeignKey("objects.name", ondelete="CASCADE"), nullable=False, index=True),
)

revocations = Table(
    "revocations",
    metadata,
    Column("handle", LargeBinary, primary_key=True),
    Column("forget_at", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("sequence", _Number, primary_key=True),
    Column("entity", Text, nullable=False),  # application, object, revocation
    Column("name", Text, nullable=False),  # its number, its name, its handle in hex
    sqlite_autoincrement=True,
)
