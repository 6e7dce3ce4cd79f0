"""What applications have read, by day.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "spending",
        sa.Column("application", _number, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.number"], name="fk_spending_application", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("application", "day", name="pk_spending"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("spending")
