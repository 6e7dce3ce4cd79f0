"""What a grant holds beyond its object, as JSON.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("grants", sa.Column("policy", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("grants") as batch:
        batch.drop_column("policy")
