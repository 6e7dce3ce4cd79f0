"""Policies of applications, lines of secrets, what is used once, rotating refresh tokens, enrolments, signing keys.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make them."""
    op.add_column("applications", sa.Column("policy", _text, nullable=False, server_default="{}"))
    op.add_column("secrets", sa.Column("parent", _number, nullable=False, server_default="0"))
    op.add_column("secrets", sa.Column("lineage_began_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("secrets", sa.Column("used_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "used",
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handle", name="pk_used"),
    )
    op.create_table(
        "refresh_families",
        sa.Column("family", sa.LargeBinary(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("family", name="pk_refresh_families"),
    )
    op.create_table(
        "enrolments",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("application", _number, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("redeemed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.number"], name="fk_enrolments_application", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_enrolments"),
    )
    op.create_index("ix_enrolments_application", "enrolments", ["application"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", _text, nullable=False),
        sa.Column("algorithm", _text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
    )


def downgrade() -> None:
    """Take them away."""
    for name in ("signing_keys", "enrolments", "refresh_families", "used"):
        op.drop_table(name)
    added = (("secrets", "used_at"), ("secrets", "lineage_began_at"), ("secrets", "parent"), ("applications", "policy"))
    for table, column in added:
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)
