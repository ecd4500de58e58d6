"""The ledger: SQLite (WAL) by default, PostgreSQL in production."""

from evertune.ledger.clicks import ClickOutcome, Clicks
from evertune.ledger.detectors import DetectorRecord, Detectors
from evertune.ledger.jobs import RetuneJob, RetuneJobs
from evertune.ledger.known_labels import BEGINNING, KnownLabel, LabelCursor
from evertune.ledger.label import Label, LabelledRow, LabelReceipt
from evertune.ledger.labels import Labels
from evertune.ledger.ledger import Ledger
from evertune.ledger.losses import Losses, LossSum, RowLoss
from evertune.ledger.pauses import Pause, Pauses
from evertune.ledger.prediction import Prediction
from evertune.ledger.predictions import PredictionHead, Predictions, WindowCount
from evertune.ledger.registry import Deployment, Registry
from evertune.ledger.requests import RetuneRequest, RetuneRequests
from evertune.ledger.tenure import Tenure

__all__ = [
    "BEGINNING",
    "ClickOutcome",
    "Clicks",
    "Deployment",
    "DetectorRecord",
    "Detectors",
    "KnownLabel",
    "Label",
    "LabelCursor",
    "LabelReceipt",
    "LabelledRow",
    "Labels",
    "Ledger",
    "LossSum",
    "Losses",
    "Pause",
    "Pauses",
    "Prediction",
    "PredictionHead",
    "Predictions",
    "Registry",
    "RetuneJob",
    "RetuneJobs",
    "RetuneRequest",
    "RetuneRequests",
    "RowLoss",
    "Tenure",
    "WindowCount",
]
