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
# one order and one meaning of "equal" on every machine, whatever the locale of the database is
_Text = Text().with_variant(Text(collation="C"), "postgresql")

keys = Table(
    "keys",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("purpose", _Text, nullable=False),  # sealing, digest
    Column("wrapped", LargeBinary, nullable=False),  # nonce (12) ‖ AES-256-GCM under the master key
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

applications = Table(
    "applications",
    metadata,
    Column("number", _Number, primary_key=True),  # stands in tokens, so it is never used again
    Column("client_id", _Text, nullable=False, unique=True),
    Column("name", _Text, nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("scope", _Text, nullable=False),
    Column("refresh_tokens", Boolean, nullable=False),
    Column("access_lifetime_seconds", BigInteger, nullable=False),
    Column("refresh_lifetime_seconds", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("policy", _Text, nullable=False, server_default="{}"),  # oauth.model.ClientPolicy as JSON
    sqlite_autoincrement=True,
)

secrets = Table(
    "secrets",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("application", _Number, ForeignKey("applications.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("key_id", _Text, nullable=False, unique=True),
    Column("name", _Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("kills_tokens", Boolean, nullable=False),
    Column("parent", _Number, nullable=False, server_default="0"),
    Column("lineage_began_at", BigInteger, nullable=False, server_default="0"),
    Column("used_at", BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

grants = Table(
    "grants",
    metadata,
    Column("application", _Number, ForeignKey("applications.number", ondelete="CASCADE"), primary_key=True),
    Column("object", _Text, primary_key=True),
    Column("policy", _Text, nullable=False, server_default="{}"),  # records.GrantPolicy as JSON
)

objects = Table(
    "objects",
    metadata,
    Column("name", _Text, primary_key=True),
    Column("blocked", Boolean, nullable=False),
    Column("block_reason", _Text, nullable=False),
    Column("run_key", _Text, nullable=False),
    Column("details", _Text, nullable=False, server_default="{}"),  # records.ObjectDetails as JSON
)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", _Text, primary_key=True),
    Column("object", _Text, ForeignKey("objects.name", ondelete="CASCADE"), nullable=False, index=True),
)

revocations = Table(
    "revocations",
    metadata,
    Column("handle", LargeBinary, primary_key=True),
    Column("forget_at", BigInteger, nullable=False),
)

used = Table(  # what may be used once only: assertions, enrolment codes
    "used",
    metadata,
    Column("handle", LargeBinary, primary_key=True),  # SHA-256 of what was used and who used it
    Column("forget_at", BigInteger, nullable=False),
)

refresh_families = Table(  # only those that rotate
    "refresh_families",
    metadata,
    Column("family", LargeBinary, primary_key=True),
    Column("current", BigInteger, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("forget_at", BigInteger, nullable=False),
)

enrolments = Table(  # one-time codes that are not yet redeemed
    "enrolments",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("application", _Number, ForeignKey("applications.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("redeemed_at", BigInteger, nullable=False),
)

initial_access_tokens = Table(  # with which clients register themselves, used or not
    "initial_access_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("handle", _Text, nullable=False, unique=True),
    Column("scope", _Text, nullable=False),
    Column("objects", _Text, nullable=False),  # names, as a JSON array
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("client_id", _Text, nullable=False),  # who registered with it
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", _Text, primary_key=True),
    Column("algorithm", _Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),  # PKCS #8 PEM, as in keys
    Column("created_at", BigInteger, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("retired_at", BigInteger, nullable=False),
    Column("forget_at", BigInteger, nullable=False),
)

spending = Table(  # what applications with a budget have read; a row of each for the newest day and the one before
    "spending",
    metadata,
    Column("application", _Number, ForeignKey("applications.number", ondelete="CASCADE"), primary_key=True),
    Column("day", BigInteger, primary_key=True),  # days since 1970
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("sequence", _Number, primary_key=True),
    Column("entity", _Text, nullable=False),  # application, object, revocation, keys
    Column("name", _Text, nullable=False),  # its number, its name, its handle in hex
    sqlite_autoincrement=True,
)
