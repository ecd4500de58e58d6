"""The harness: what it lists, what it prints last, how it leaves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks._harness import Benchmark, Options, Outcome, discover

HEAVY = ("torch", "keras", "tensorflow", "bentoml", "onnxruntime", "sklearn")


def _benchmark(figure: float) -> dict[str, Benchmark]:
    def run(options: Options) -> Outcome:
        print("on the way")
        return Outcome({"speed_ratio": figure, "other": 1.0}, {"speed_ratio": (">=", 2.0)}, {"rows": options.seed})

    return {"toy": Benchmark("a toy", "1 s", run)}


@pytest.mark.parametrize(("figure", "code"), [(2.0, 0), (1.9, 1), (float("nan"), 1)])
def test_the_last_line_is_one_json_object_and_the_exit_code_says_whether_targets_are_met(
    figure: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["toy", "--quick", "--seed", "7"], _benchmark(figure)) == code
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(result) == {"benchmark", "machine", "settings", "figures", "targets", "met"}
    assert result["settings"] == {"quick": True, "seed": 7, "rows": 7}
    assert result["targets"] == {"speed_ratio": [">=", 2.0]}
    assert result["met"] is (code == 0)
    assert {"cpu", "cores", "memory_bytes", "python", "libraries"} <= set(result["machine"])


def test_a_missed_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["toy"], _benchmark(1.5))
    assert "missed: speed_ratio = 1.5, wanted >= 2" in capsys.readouterr().err


def test_a_bad_name_leaves_with_2_and_shows_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["zebra"], _benchmark(1.0))
    assert left.value.code == 2
    assert "toy" in capsys.readouterr().err


def test_a_data_folder_that_is_not_there_leaves_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toy", "--data", str(tmp_path / "nowhere")], _benchmark(1.0)) == 2
    assert "nowhere" in capsys.readouterr().err


def test_help_lists_every_benchmark_with_its_duration_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['benchmarks', '--help']\n"
        "try: runpy.run_module('benchmarks', run_name='__main__')\n"
        f"except SystemExit: print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name, benchmark in discover().items():
        assert name in done.stdout
        assert benchmark.duration in done.stdout


def test_a_target_without_a_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a figure"):
        Outcome({}, {"speed_ratio": (">=", 1.0)})
