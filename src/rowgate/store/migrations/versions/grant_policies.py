"""What a grant holds beyond its object, as JSON.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column."""
    op.add_column("grants", sa.Column("policy", _text, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("grants") as batch:
        batch.drop_column("policy")
