"""First tables. Frozen: later changes are new revisions, never edits of this one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates all tables."""
    _predictions()
    _labels()
    _row_losses()
    _detectors()
    _retune()
    _job_rows()
    _deployments()


def downgrade() -> None:
    """Refused: it would throw away labels and history."""
    raise NotImplementedError("the first tables are not dropped; delete the database by hand if you mean it")


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _figure(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _counter(name: str, *, autoincrement: bool = True) -> sa.Column[int]:
    return sa.Column(name, _COUNTER, primary_key=True, autoincrement=autoincrement)


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("request_id", sa.String(36), primary_key=True),
        _text("model", 128),
        _text("digest", 64),
        _figure("predicted_at"),
        _count("row_count"),
        _figure("confidence_sum"),
        _figure("confidence_variance_sum"),
        _figure("latency_seconds"),
        _figure("payload_propensity"),
        _figure("label_propensity"),
        sa.Column("label_selection_known", sa.Boolean(), nullable=False),
        _text("key_id", 64),
        sa.Column("confidence", sa.LargeBinary(), nullable=False),
        sa.Column("outputs", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.LargeBinary()),
    )
    window = ["model", "predicted_at", "digest", "row_count", "confidence_sum", "confidence_variance_sum"]
    op.create_index("ix_predictions_window", "predictions", window)


def _labels() -> None:
    op.create_table(
        "labels",
        _counter("sequence"),
        _text("request_id", 36),
        _count("row_index"),
        _count("revision"),
        _count("label"),
        _figure("arrived_at"),
        _text("key_id", 64),
        _text("model", 128),
        _text("digest", 64),
        _figure("predicted_at"),
        sa.UniqueConstraint("request_id", "row_index", "revision", name="uq_labels_revision"),
        sqlite_autoincrement=True,
    )
    _partial("ix_labels_sequence", "labels", ["model", "sequence"], "revision = 1")
    _partial("ix_labels_predicted_at", "labels", ["model", "predicted_at"], "revision = 1")


def _row_losses() -> None:
    op.create_table(
        "row_losses",
        _counter("sequence", autoincrement=False),
        _text("model", 128),
        _text("digest", 64),
        _text("request_id", 36),
        _count("row_index"),
        _figure("predicted_at"),
        _figure("loss"),
        _figure("confidence"),
    )
    op.create_index("ix_row_losses_digest", "row_losses", ["model", "digest", "predicted_at", "loss"])
    op.create_index("ix_row_losses_window", "row_losses", ["model", "predicted_at", "loss"])
    op.create_index("ix_row_losses_sequence", "row_losses", ["model", "digest", "sequence"])


def _detectors() -> None:
    op.create_table(
        "detectors",
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        _count("version"),
    )


def _retune() -> None:
    op.create_table(
        "retune_requests",
        _counter("id"),
        _text("model", 128),
        _text("trigger", 32),
        _text("fingerprint", 256),
        sa.Column("evidence", sa.JSON(), nullable=False),
        _figure("requested_at"),
        _text("status", 16),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("job_id", sa.BigInteger()),
        sa.UniqueConstraint("model", "fingerprint", name="uq_retune_requests_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_retune_requests_status", "retune_requests", ["status", "id"])
    op.create_table(
        "retune_jobs",
        _counter("id"),
        _text("model", 128),
        sa.Column("request_id", sa.BigInteger()),
        _text("status", 16),
        _text("phase", 32),
        sa.Column("detail", sa.JSON(), nullable=False),
        _count("attempt"),
        _text("lease_owner", 128),
        _figure("lease_expires_at"),
        _figure("created_at"),
        _figure("updated_at"),
        sqlite_autoincrement=True,
    )
    _partial("uq_retune_jobs_active", "retune_jobs", ["model"], "status IN ('pending', 'running')", unique=True)


def _job_rows() -> None:
    op.create_table(
        "job_sets",
        sa.Column("job_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("set_name", sa.String(16), primary_key=True),
        _text("model", 128),
        _count("row_count"),
        _figure("created_at"),
    )
    op.create_table(
        "job_rows",
        sa.Column("job_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("set_name", sa.String(16), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        _text("request_id", 36),
        _count("row_index"),
        sa.UniqueConstraint("job_id", "request_id", "row_index", name="uq_job_rows_disjoint"),
    )
    op.create_index("ix_job_rows_row", "job_rows", ["request_id", "row_index", "set_name"])
    _partial("uq_job_rows_gate", "job_rows", ["request_id", "row_index"], "set_name = 'gate'", unique=True)


def _deployments() -> None:
    op.create_table(
        "deployments",
        _counter("sequence"),
        _text("model", 128),
        _text("digest", 64),
        _text("role", 16),
        _figure("share_ratio"),
        sa.Column("restores", sa.BigInteger()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        _text("actor", 128),
        _figure("decided_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deployments_model", "deployments", ["model", "role", "sequence"])
