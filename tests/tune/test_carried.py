from __future__ import annotations

from pathlib import Path

from tune.carried import TrialFiles, pack, unpack


def test_only_what_changed_goes_over_and_what_came_does_not_go_back(tmp_path: Path) -> None:
    ours, theirs = TrialFiles(tmp_path / "ours"), TrialFiles(tmp_path / "theirs")
    assert ours.changed() == {}
    ours.put({"checkpoint.npz": b"one"})
    assert ours.changed() == {}
    assert TrialFiles(tmp_path / "ours").changed() == {"checkpoint.npz": b"one"}
    theirs.put({"checkpoint.npz": b"one"})
    TrialFiles(tmp_path / "theirs").put({"checkpoint.npz": b"two"})  # written there by another, as a worker does
    ours.put(theirs.changed())
    assert (tmp_path / "ours" / "checkpoint.npz").read_bytes() == b"two"
    assert theirs.changed() == {}


def test_a_name_that_came_from_elsewhere_stays_in_the_folder(tmp_path: Path) -> None:
    TrialFiles(tmp_path / "trial").put({"../../escaped": b""})
    assert [path.name for path in tmp_path.rglob("escaped")] == ["escaped"]
    assert (tmp_path / "trial" / "escaped").exists()


def test_a_project_comes_with_its_code_and_without_state_secrets_and_data(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name in (
        *("task.py", "layers/attention.py", "words.txt"),
        *(".env", ".evertune/ledger.db", "state/studies/main/journal.jsonl", "state/studies/old/journal.jsonl"),
        *("__pycache__/task.pyc", "runs/report.html"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "data.npy").write_bytes(bytes(2_000_000))
    unpack(pack(root, root / "state/studies/main"), tmp_path / "there")
    found = {path.relative_to(tmp_path / "there").as_posix() for path in tmp_path.glob("there/**/*") if path.is_file()}
    assert found == {"task.py", "layers/attention.py", "words.txt"}
    assert (tmp_path / "there/task.py").read_bytes() == b"task.py"
