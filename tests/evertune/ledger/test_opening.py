from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from evertune.errors import InputError, JobError, LedgerError
from evertune.ledger import Label, Ledger, Prediction
from evertune.ledger.database import Database
from evertune.ledger.migrate import SCRIPTS
from evertune.ledger.schema import HEAD, metadata

_OPEN = """
import sys
import threading
from evertune.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
with Ledger.open(sys.argv[1]) as ledger:
    ledger.registry.promote(sys.argv[2], "a" * 64, reason="test", actor="test")
"""


def test_opening_creates_folders_and_tables_and_opening_again_changes_nothing(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.registry.promote("shoes", "a" * 64, reason="first", actor="test")
    with Ledger.open(url) as ledger:
        assert ledger.registry.models() == ["shoes"]


def test_four_processes_that_open_a_new_ledger_at_once_all_succeed(url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", _OPEN, url]
    children = [
        subprocess.Popen([*command, f"model-{i}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for i in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    with Ledger.open(url) as ledger:
        assert ledger.registry.models() == [f"model-{i}" for i in range(4)]


def test_migrations_lead_to_the_declared_tables(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_ledger_of_the_first_version_is_upgraded_with_all_that_is_in_it(url: str, clock: Callable[[], float]) -> None:
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.write("migrations") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = "model, status, phase, detail, attempt, lease_owner, lease_expires_at, created_at, updated_at"
        for model, status in (("shoes", "running"), ("shoes", "rejected"), ("boots", "pending")):
            values = f"'{model}', '{status}', '', '{{}}', 0, '', 0, 1, 1"
            connection.execute(text(f"INSERT INTO retune_jobs ({columns}) VALUES ({values})"))
    database.close()
    with Ledger.open(url, clock=clock) as ledger:
        assert [(job.model, job.status) for job in ledger.jobs.list()] == [
            ("boots", "pending"),
            ("shoes", "rejected"),
            ("shoes", "running"),
        ]
        ledger.pauses.pause("shoes", reason="", actor="ann")
        with pytest.raises(JobError, match="active"):
            ledger.jobs.create("boots")
        job = ledger.jobs.claim("w1", 60)
        assert job is not None
        ledger.jobs.park(job.id, "w1", {})
        with pytest.raises(JobError, match="active"):
            ledger.jobs.create(job.model)


def test_a_ledger_of_a_newer_version_is_refused(url: str) -> None:
    with Ledger.open(url) as ledger, ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match=r"schema 9999.*Upgrade"):
        Ledger.open(url)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database, but quite some text" * 100)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="not a database"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_bytes() == before


@pytest.mark.parametrize("bad", ["sqlite://", "sqlite:///:memory:", "nonsense", "oracle9://x/y"])
def test_urls_that_cannot_hold_a_ledger_are_refused(bad: str) -> None:
    with pytest.raises(LedgerError, match="Fix: "):
        Ledger.open(bad)


def test_sqlite_runs_in_wal_mode_with_full_sync_for_all_but_predictions(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger.open(url).close()
    database = Database(url)
    with database.write("labels") as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
    with database.write("predictions", durable=False) as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 1  # NORMAL
    with database.write("labels") as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2
    database.close()


def test_a_failed_transaction_leaves_nothing_and_frees_the_lock(url: str) -> None:
    with Ledger.open(url) as ledger:
        with pytest.raises(InputError, match="object is not JSON"):
            ledger.registry.promote("shoes", "a" * 64, reason="bad", evidence={"x": object()}, actor="test")
        assert ledger.registry.models() == []
        ledger.registry.promote("shoes", "a" * 64, reason="good", actor="test")


def test_numbers_that_are_not_finite_are_refused_on_every_database(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="not JSON compliant"):
        ledger.registry.promote("shoes", "a" * 64, reason="bad", evidence={"p": float("nan")}, actor="test")


def test_a_forked_child_gets_connections_of_its_own(ledger: Ledger) -> None:
    ledger.registry.promote("parent", "a" * 64, reason="before the fork", actor="test")
    child = os.fork()
    if child == 0:
        try:
            ledger.registry.promote("child", "b" * 64, reason="in the child", actor="test")
            os._exit(0 if ledger.registry.models() == ["child", "parent"] else 3)
        finally:
            os._exit(4)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert ledger.registry.models() == ["child", "parent"]


def test_readers_do_not_wait_for_a_writer_that_hangs_and_writers_only_until_it_dies(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.registry.promote("shoes", "a" * 64, reason="x", actor="test")
        code = (
            "import sys, time\nfrom evertune.ledger.database import Database\n"
            "with Database(sys.argv[1]).write('deployments'):\n    print('locked', flush=True)\n    time.sleep(600)\n"
        )
        writer = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"locked\n"
        assert ledger.registry.models() == ["shoes"]
        waiting = threading.Thread(target=lambda: ledger.registry.promote("a", "a" * 64, reason="", actor="test"))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        waiting.join(30)  # the lock died with its owner
        assert ledger.registry.models() == ["a", "shoes"]


def test_a_full_disk_is_named_and_loses_nothing_stored(tmp_path: Path, make: Callable[..., Prediction]) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        small = make()
        ledger.predictions.add_many([small])
        event.listen(ledger.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count=60").close())
        ledger.engine.dispose()  # the next connection meets the full disk
        big = [make(inputs={"image": np.zeros((1, 100_000), np.uint8)}) for _ in range(10)]
        with pytest.raises(LedgerError, match="full") as raised:
            ledger.predictions.add_many(big)
        assert raised.value.http_status == 503
        assert ledger.predictions.known([small.request_id, *(one.request_id for one in big)]) == {small.request_id}
        assert ledger.labels.add_many([Label(f"{small.request_id}:0", 1)]).accepted == 1
