"""Revision 0010 turns labels from whole numbers into numbers, and loses none."""

from __future__ import annotations

import numpy as np
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction
from evertune.ledger.database import Database
from evertune.ledger.migrate import SCRIPTS

_INSERT = text(
    "INSERT INTO labels (sequence, request_id, row_index, revision, label, arrived_at, key_id, model, digest, "
    "predicted_at) VALUES (:sequence, :request, :row, 1, :label, 1.5, 'key', 'shoes', 'd', 1.0)"
)


def _old(url: str) -> Database:
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with database.write("migrations") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    return database


def test_old_labels_stay_and_new_ones_need_not_be_whole_and_no_number_comes_twice(url: str) -> None:
    database, request = _old(url), new_request_id()
    with database.write("labels") as connection:
        for sequence, row, label in ((1, 0, 3), (2, 1, 7)):
            connection.execute(_INSERT, {"sequence": sequence, "request": request, "row": row, "label": label})
        if database.is_sqlite:  # as if newer labels had been pruned
            connection.execute(text("UPDATE sqlite_sequence SET seq = 50 WHERE name = 'labels'"))
        else:
            connection.execute(text("SELECT setval(pg_get_serial_sequence('labels', 'sequence'), 50)"))
    database.close()
    one = np.ones((1, 1), np.float32)
    with Ledger.open(url) as ledger:
        ledger.predictions.add_many([Prediction(new_request_id(), "shoes", "d", 2.0, {"value": one}, one[:, 0])])
        with ledger.read() as connection:
            assert connection.execute(text("SELECT sequence, label FROM labels ORDER BY sequence")).all() == [
                (1, 3.0),
                (2, 7.0),
            ]
            (new,) = connection.scalars(text("SELECT request_id FROM predictions"))
        ledger.labels.add_many([Label(row_id(new, 0), -2.625)])
        (found,) = ledger.labels.after("shoes", 2, 10)
        assert (found.sequence, found.label) == (51, -2.625)
