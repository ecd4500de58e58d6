"""Every test here holds on SQLite, and on PostgreSQL where EVERTUNE_TEST_POSTGRES is the URL of a server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text

from evertune.ids import new_request_id
from evertune.ledger import Ledger, Prediction

SERVER = os.environ.get("EVERTUNE_TEST_POSTGRES", "")
Predict = Callable[..., Prediction]


@dataclass
class ManualClock:
    """A clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", *(["postgresql"] if SERVER else [])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database that nobody has opened yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
        return
    schema = f"test_{uuid.uuid4().hex}"
    admin = create_engine(SERVER)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    address = make_url(SERVER).update_query_dict({"options": f"-csearch_path={schema}"})
    yield address.render_as_string(hide_password=False)
    with admin.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture
def clock() -> ManualClock:
    """Owned by the test."""
    return ManualClock()


@pytest.fixture
def ledger(url: str, clock: ManualClock) -> Iterator[Ledger]:
    """A fresh ledger."""
    with Ledger.open(url, clock=clock) as opened:
        yield opened


@pytest.fixture
def predict(ledger: Ledger) -> Predict:
    """Adds a prediction: `predict(rows=2, predicted_at=5.0, model="m", ...)`."""

    def add(rows: int = 1, **changes: Any) -> Prediction:
        prediction = make_prediction(rows, **changes)
        assert ledger.predictions.add_many([prediction]) == 1
        return prediction

    return add


@pytest.fixture
def make() -> Predict:
    """Makes a prediction that nobody has stored."""
    return make_prediction


def make_prediction(rows: int = 1, **changes: Any) -> Prediction:
    """A prediction of `rows` rows, each distinguishable from the others."""
    values: dict[str, Any] = {
        "request_id": new_request_id(),
        "model": "shoes",
        "digest": "a" * 64,
        "predicted_at": 500.0,
        "outputs": {"probabilities": np.linspace(0, 1, rows * 3, dtype=np.float32).reshape(rows, 3)},
        "confidence": np.linspace(0.5, 0.9, rows, dtype=np.float32),
        "latency_seconds": 0.001,
        "inputs": {"image": np.arange(rows * 4, dtype=np.uint8).reshape(rows, 2, 2)},
    }
    return Prediction(**{**values, **changes})
