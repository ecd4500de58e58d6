from __future__ import annotations

from pathlib import Path

import pytest

from evertune.errors import SettingsError
from evertune.settings import Project, Settings, load_project

GOOD = 'name = "weekly"\ncron = "0 3 * * sun"\n'


def load(folder: Path, text: str) -> Project:
    (folder / "evertune.toml").write_text(text, encoding="utf-8")
    return load_project(folder)


def test_several_schedules_and_windows(tmp_path: Path) -> None:
    entries = f"[[retune.schedules]]\n{GOOD}[[retune.schedules]]\n{GOOD.replace('weekly', 'nightly')}"
    window = '[[retune.maintenance]]\ncron = "0 8 * * *"\ntimezone = "Europe/Berlin"\nduration_seconds = 3600\n'
    retune = load(tmp_path, entries + window).settings.retune
    assert [each.name for each in retune.schedules] == ["weekly", "nightly"]
    assert not retune.schedules[0].without_drift
    assert (retune.maintenance[0].holds, retune.maintenance[0].timezone) == ("both", "Europe/Berlin")


def test_they_survive_the_way_to_another_process(tmp_path: Path) -> None:
    settings = load(tmp_path, f"[[retune.schedules]]\n{GOOD}").settings
    assert Settings(**settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("sun", "8"),
            r"setting retune\.schedules\.0\.cron = '0 3 \* \* 8' in .*evertune\.toml.*'8' is no",
        ),
        (GOOD.replace("0 3", "0 25"), r"retune\.schedules\.0\.cron = '0 25 \* \* sun'.*23"),
        (f'{GOOD}timezone = "Mars"\n', r"retune\.schedules\.0\.timezone = 'Mars' .*no time zone"),
        (f"{GOOD}catch_up_seconds = -1\n", r"retune\.schedules\.0\.catch_up_seconds = -1"),
        (GOOD.replace("weekly", "a b"), r"retune\.schedules\.0\.name = 'a b'"),
        ('name = "x"\n', r"retune\.schedules\.0\.cron = .*required"),
        (f"{GOOD}corn = 1\n", r"unknown setting retune\.schedules\.0\.corn = 1.*mean retune\.schedules\.cron\?"),
        (f"{GOOD}zzz = 1\n", r"Known keys of \[retune\.schedules\]: timezone, cron, name"),
        (f"{GOOD}[[retune.schedules]]\n{GOOD}", r"setting retune\.schedules = .*'weekly' is there twice"),
    ],
)
def test_mistakes_name_key_value_and_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, f"[[retune.schedules]]\n{text}")


@pytest.mark.parametrize(
    ("key", "value"), [("duration_seconds", "0"), ("duration_seconds", "700000"), ("holds", '"everything"')]
)
def test_mistakes_in_windows(tmp_path: Path, key: str, value: str) -> None:
    lines = {"cron": '"0 8 * * *"', "duration_seconds": "3600", key: value}
    text = "\n".join(f"{name} = {each}" for name, each in lines.items())
    with pytest.raises(SettingsError, match=rf"retune\.maintenance\.0\.{key} = "):
        load(tmp_path, f"[[retune.maintenance]]\n{text}\n")


def test_a_mode_of_promotion_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"retune\.promotion = 'maybe'.*auto"):
        load(tmp_path, '[retune]\npromotion = "maybe"\n')
