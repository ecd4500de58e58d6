"""Fails if the report holds a skipped test whose reason is not a missing GPU: `python skips.py REPORT.xml`."""

from __future__ import annotations

import sys
from xml.etree import ElementTree


def unexcused(report: str) -> list[str]:
    """Names and reasons of the tests in a JUnit file that were skipped for want of anything but a GPU."""
    skipped = [(case, skip) for case in ElementTree.parse(report).iter("testcase") for skip in case.iter("skipped")]
    return [
        f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}"
        for case, skip in skipped
        if not skip.get("message", "").lower().startswith("no gpu")
    ]


if __name__ == "__main__":
    found = unexcused(sys.argv[1])
    print("\n".join(["CI must run these tests too:", *found]) if found else "No test was skipped without excuse.")
    sys.exit(bool(found))
