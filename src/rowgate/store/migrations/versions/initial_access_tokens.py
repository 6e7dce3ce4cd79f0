"""Initial access tokens, with which clients register themselves.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "initial_access_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("handle", _text, nullable=False),
        sa.Column("scope", _text, nullable=False),
        sa.Column("objects", _text, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("client_id", _text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_initial_access_tokens"),
        sa.UniqueConstraint("handle", name="uq_initial_access_tokens_handle"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("initial_access_tokens")
