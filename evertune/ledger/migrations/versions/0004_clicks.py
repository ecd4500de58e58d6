"""Clicks, and the horizons after which they become labels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNSETTLED = sa.text("settled_at IS NULL")
_LATE = sa.text("late")


def upgrade() -> None:
    """Adds two tables; rows that were predicted before have no horizon."""
    op.create_table(
        "horizons",
        sa.Column("request_id", sa.String(36), primary_key=True),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("predicted_at", sa.Double(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("closes_at", sa.Double(), nullable=False),
        sa.Column("settled_at", sa.Double()),
    )
    op.create_index(
        "ix_horizons_unsettled",
        "horizons",
        ["model", "closes_at"],
        sqlite_where=_UNSETTLED,
        postgresql_where=_UNSETTLED,
    )
    op.create_table(
        "clicks",
        sa.Column("sequence", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("row_index", sa.Integer(), nullable=False),
        sa.Column("item", sa.Double(), nullable=False),
        sa.Column("happened_at", sa.Double(), nullable=False),
        sa.Column("arrived_at", sa.Double(), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("predicted_at", sa.Double(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("request_id", "row_index", "item", "happened_at", name="uq_clicks_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_clicks_arrival", "clicks", ["model", "arrived_at"])
    op.create_index("ix_clicks_late", "clicks", ["model"], sqlite_where=_LATE, postgresql_where=_LATE)


def downgrade() -> None:
    """Refused: it would throw away history."""
    raise NotImplementedError("restore a backup that was made before the upgrade")
