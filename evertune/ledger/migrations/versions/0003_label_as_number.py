"""Labels are numbers: regression has values, multilabel tasks bits, and neither fits an integer column of 32 bits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FIRST = sa.text("revision = 1")


def upgrade() -> None:
    """Widens the column; whole numbers stay what they are."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.alter_column(
            "labels", "label", type_=sa.Double(), existing_nullable=False, postgresql_using="label::double precision"
        )
        return
    # SQLite changes a column by copying the table. What is copied is said here, since reflection loses AUTOINCREMENT;
    # and the counter is carried over: a number that pruning removed must not come again.
    last = connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'labels'"))
    for name in ("sequence", "predicted_at"):
        op.drop_index(f"ix_labels_{name}", "labels")
    with op.batch_alter_table(
        "labels", copy_from=_labels(), recreate="always", table_kwargs={"sqlite_autoincrement": True}
    ) as batch:
        batch.alter_column("label", type_=sa.Double(), existing_nullable=False)
    for name in ("sequence", "predicted_at"):
        op.create_index(f"ix_labels_{name}", "labels", ["model", name], sqlite_where=_FIRST, postgresql_where=_FIRST)
    if last is not None:
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'labels'"))
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('labels', :last)"), {"last": last})


def downgrade() -> None:
    """Refused: values would be cut to whole numbers."""
    raise NotImplementedError("labels that are no whole numbers cannot go back into an integer column")


def _labels() -> sa.Table:
    """As revision 0001 made it, without its partial indexes."""
    return sa.Table(
        "labels",
        sa.MetaData(),
        sa.Column("sequence", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("row_index", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("arrived_at", sa.Double(), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("predicted_at", sa.Double(), nullable=False),
        sa.UniqueConstraint("request_id", "row_index", "revision", name="uq_labels_revision"),
        sqlite_autoincrement=True,
    )
