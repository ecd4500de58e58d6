"""Pauses of re-tuning; a job that awaits its promotion is active, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ACTIVE = sa.text("status IN ('pending', 'running', 'awaiting')")


def upgrade() -> None:
    """Adds the table, and widens the index that allows one active job a model."""
    op.create_table(
        "pauses",
        sa.Column("sequence", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("until", sa.Double()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pauses_model", "pauses", ["model", "sequence"])
    op.drop_index("uq_retune_jobs_active", "retune_jobs")
    op.create_index(
        "uq_retune_jobs_active", "retune_jobs", ["model"], unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE
    )


def downgrade() -> None:
    """Refused: it would throw away history."""
    raise NotImplementedError("restore a backup that was made before the upgrade")
