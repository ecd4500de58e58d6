"""CI fails on a test that was skipped for want of anything but a GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = Path(__file__).resolve().parents[2] / ".ci" / "skips.py"


@pytest.mark.parametrize(
    ("skipped", "exit_code"),
    [("", 0), ("no GPU: needs CUDA", 0), ("promtool is not installed", 1)],
    ids=["nothing skipped", "no GPU", "a missing program"],
)
def test_skips(tmp_path: Path, skipped: str, exit_code: int) -> None:
    body = f'<skipped type="pytest.skip" message="{skipped}">where</skipped>' if skipped else ""
    report = tmp_path / "report.xml"
    report.write_text(
        f'<testsuites><testsuite><testcase classname="tests.a" name="test_b">{body}</testcase></testsuite></testsuites>'
    )
    done = subprocess.run([sys.executable, SKIPS, report], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == exit_code
    assert (skipped in done.stdout) or exit_code == 0
