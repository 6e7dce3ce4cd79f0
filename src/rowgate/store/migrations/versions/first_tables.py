"""The first tables.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "keys",
        sa.Column("number", _number, nullable=False),
        sa.Column("purpose", _text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_keys"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "applications",
        sa.Column("number", _number, nullable=False),
        sa.Column("client_id", _text, nullable=False),
        sa.Column("name", _text, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("scope", _text, nullable=False),
        sa.Column("refresh_tokens", sa.Boolean(), nullable=False),
        sa.Column("access_lifetime_seconds", sa.BigInteger(), nullable=False),
        sa.Column("refresh_lifetime_seconds", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_applications"),
        sa.UniqueConstraint("client_id", name="uq_applications_client_id"),
        sa.UniqueConstraint("name", name="uq_applications_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "secrets",
        sa.Column("number", _number, nullable=False),
        sa.Column("application", _number, nullable=False),
        sa.Column("key_id", _text, nullable=False),
        sa.Column("name", _text, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("kills_tokens", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.number"], name="fk_secrets_application", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_secrets"),
        sa.UniqueConstraint("key_id", name="uq_secrets_key_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_secrets_application", "secrets", ["application"])
    op.create_table(
        "grants",
        sa.Column("application", _number, nullable=False),
        sa.Column("object", _text, nullable=False),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.number"], name="fk_grants_application", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("application", "object", name="pk_grants"),
    )
    op.create_table(
        "objects",
        sa.Column("name", _text, nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("block_reason", _text, nullable=False),
        sa.Column("run_key", _text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_objects"),
    )
    op.create_table(
        "aliases",
        sa.Column("alias", _text, nullable=False),
        sa.Column("object", _text, nullable=False),
        sa.ForeignKeyConstraint(["object"], ["objects.name"], name="fk_aliases_object", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alias", name="pk_aliases"),
    )
    op.create_index("ix_aliases_object", "aliases", ["object"])
    op.create_table(
        "revocations",
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handle", name="pk_revocations"),
    )
    op.create_table(
        "changes",
        sa.Column("sequence", _number, nullable=False),
        sa.Column("entity", _text, nullable=False),
        sa.Column("name", _text, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_changes"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take them away."""
    for name in ("changes", "revocations", "aliases", "objects", "grants", "secrets", "applications", "keys"):
        op.drop_table(name)
