"""What else is set for an object, as JSON.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column."""
    op.add_column("objects", sa.Column("details", _text, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("objects") as batch:
        batch.drop_column("details")
