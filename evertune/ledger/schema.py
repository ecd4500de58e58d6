"""The tables, as SQLAlchemy Core sees them. `migrations/` creates them; a test holds the two together.

Times are seconds since the epoch. Digests and request ids are text: a person who opens the file can read them.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnClause,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    literal_column,
    text,
)

HEAD = "0004"  # newest revision in migrations/versions
metadata = MetaData()

# SQLite numbers rows by itself only in a column that is exactly INTEGER PRIMARY KEY.
_Counter = BigInteger().with_variant(Integer(), "sqlite")

predictions = Table(
    "predictions",
    metadata,
    Column("request_id", String(36), primary_key=True),
    Column("model", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("predicted_at", Double, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("confidence_sum", Double, nullable=False),
    Column("confidence_variance_sum", Double, nullable=False),
    Column("latency_seconds", Double, nullable=False),
    Column("payload_propensity", Double, nullable=False),
    Column("label_propensity", Double, nullable=False),
    Column("label_selection_known", Boolean, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("confidence", LargeBinary, nullable=False),  # float32, little-endian
    Column("outputs", LargeBinary, nullable=False),  # evertune.packing
    Column("inputs", LargeBinary),  # last, so that reading the other columns skips it; NULL where not kept
    # Holds all that a window sums, so that the exporter never touches the wide rows.
    Index(
        "ix_predictions_window",
        "model",
        "predicted_at",
        "digest",
        "row_count",
        "confidence_sum",
        "confidence_variance_sum",
    ),
)

labels = Table(
    "labels",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=True),
    Column("request_id", String(36), nullable=False),
    Column("row_index", Integer, nullable=False),
    Column("revision", Integer, nullable=False),  # 1 at first, then one more for each correction
    Column("label", Double, nullable=False),  # class or item index, value, or bits; see `evertune.kinds`
    Column("arrived_at", Double, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("model", String(128), nullable=False),  # this and the next two repeat the prediction, for the indexes
    Column("digest", String(64), nullable=False),
    Column("predicted_at", Double, nullable=False),
    UniqueConstraint("request_id", "row_index", "revision", name="uq_labels_revision"),
    sqlite_autoincrement=True,  # a number is never used twice, even after pruning
)
# A first revision. Not a parameter, or SQLite cannot tell that the partial indexes apply.
FIRST: ColumnClause[int] = literal_column("1", Integer)
_first = text("revision = 1")
for _name in ("sequence", "predicted_at"):
    _column = labels.c[_name]
    Index(f"ix_labels_{_name}", labels.c.model, _column, sqlite_where=_first, postgresql_where=_first)

horizons = Table(  # of requests whose labels follow from clicks
    "horizons",
    metadata,
    Column("request_id", String(36), primary_key=True),
    Column("model", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("predicted_at", Double, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("closes_at", Double, nullable=False),
    Column("settled_at", Double),  # NULL until its rows have their labels
)
_unsettled = text("settled_at IS NULL")
Index(
    "ix_horizons_unsettled",
    horizons.c.model,
    horizons.c.closes_at,
    sqlite_where=_unsettled,
    postgresql_where=_unsettled,
)

clicks = Table(
    "clicks",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=True),
    Column("request_id", String(36), nullable=False),
    Column("row_index", Integer, nullable=False),
    Column("item", Double, nullable=False),  # as in `labels.label`
    Column("happened_at", Double, nullable=False),
    Column("arrived_at", Double, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("model", String(128), nullable=False),
    Column("predicted_at", Double, nullable=False),
    Column("late", Boolean, nullable=False),  # kept, and not used
    UniqueConstraint("request_id", "row_index", "item", "happened_at", name="uq_clicks_event"),
    Index("ix_clicks_arrival", "model", "arrived_at"),
    sqlite_autoincrement=True,
)
_late = text("late")
Index("ix_clicks_late", clicks.c.model, sqlite_where=_late, postgresql_where=_late)

row_losses = Table(
    "row_losses",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=False),  # of the label
    Column("model", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("row_index", Integer, nullable=False),
    Column("predicted_at", Double, nullable=False),
    Column("loss", Double, nullable=False),
    Column("confidence", Double, nullable=False),
    Index("ix_row_losses_digest", "model", "digest", "predicted_at", "loss"),
    Index("ix_row_losses_window", "model", "predicted_at", "loss"),
    Index("ix_row_losses_sequence", "model", "digest", "sequence"),
)

detectors = Table(
    "detectors",
    metadata,
    Column("model", String(128), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("state", JSON, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)

retune_requests = Table(
    "retune_requests",
    metadata,
    Column("id", _Counter, primary_key=True, autoincrement=True),
    Column("model", String(128), nullable=False),
    Column("trigger", String(32), nullable=False),
    Column("fingerprint", String(256), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String, nullable=False),
    Column("job_id", BigInteger),
    UniqueConstraint("model", "fingerprint", name="uq_retune_requests_fingerprint"),
    Index("ix_retune_requests_status", "status", "id"),
    sqlite_autoincrement=True,
)

retune_jobs = Table(
    "retune_jobs",
    metadata,
    Column("id", _Counter, primary_key=True, autoincrement=True),
    Column("model", String(128), nullable=False),
    Column("request_id", BigInteger),
    Column("status", String(16), nullable=False),
    Column("phase", String(32), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease_owner", String(128), nullable=False),
    Column("lease_expires_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    sqlite_autoincrement=True,
)
_active = text("status IN ('pending', 'running', 'awaiting')")
Index("uq_retune_jobs_active", retune_jobs.c.model, unique=True, sqlite_where=_active, postgresql_where=_active)

job_sets = Table(
    "job_sets",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("set_name", String(16), primary_key=True),
    Column("model", String(128), nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
)

job_rows = Table(
    "job_rows",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("set_name", String(16), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("request_id", String(36), nullable=False),
    Column("row_index", Integer, nullable=False),
    Index("ix_job_rows_row", "request_id", "row_index", "set_name"),
    # The sets of a job are disjoint.
    UniqueConstraint("job_id", "request_id", "row_index", name="uq_job_rows_disjoint"),
)
_gate = text("set_name = 'gate'")
Index(
    "uq_job_rows_gate",  # a row once used for a gate is never used for another
    job_rows.c.request_id,
    job_rows.c.row_index,
    unique=True,
    sqlite_where=_gate,
    postgresql_where=_gate,
)

deployments = Table(
    "deployments",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=True),
    Column("model", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("share_ratio", Double, nullable=False),
    Column("restores", BigInteger),  # a rollback names the deployment that it brings back
    Column("reason", String, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("decided_at", Double, nullable=False),
    Index("ix_deployments_model", "model", "role", "sequence"),
    sqlite_autoincrement=True,
)

pauses = Table(
    "pauses",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=True),
    Column("model", String(128), nullable=False),
    Column("paused", Boolean, nullable=False),  # False: resumed
    Column("until", Double),  # NULL: until it is resumed
    Column("reason", String, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("decided_at", Double, nullable=False),
    Index("ix_pauses_model", "model", "sequence"),
    sqlite_autoincrement=True,
)
