"""The ledger: SQLite (WAL) by default, PostgreSQL in production."""

from evertune.ledger.detectors import DetectorRecord, Detectors
from evertune.ledger.jobs import RetuneJob, RetuneJobs
from evertune.ledger.label import Label, LabelledRow, LabelReceipt
from evertune.ledger.labels import Labels
from evertune.ledger.ledger import Ledger
from evertune.ledger.losses import Losses, LossSum, RowLoss
from evertune.ledger.pauses import Pause, Pauses
from evertune.ledger.prediction import Prediction
from evertune.ledger.predictions import Predictions, WindowCount
from evertune.ledger.registry import Deployment, Registry
from evertune.ledger.requests import RetuneRequest, RetuneRequests
from evertune.ledger.tenure import Tenure

__all__ = [
    "Deployment",
    "DetectorRecord",
    "Detectors",
    "Label",
    "LabelReceipt",
    "LabelledRow",
    "Labels",
    "Ledger",
    "LossSum",
    "Losses",
    "Pause",
    "Pauses",
    "Prediction",
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
