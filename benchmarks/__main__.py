"""`python -m benchmarks NAME [--data DIR] [--quick] [--seed N]`: the last line of stdout is one JSON object.

Leaves with 0 where all targets are met, 1 where one is not, 2 where the arguments are wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._harness import Benchmark, Options, discover, result


def main(arguments: Sequence[str] | None = None, benchmarks: Mapping[str, Benchmark] | None = None) -> int:
    """Runs one benchmark and prints its result; returns the exit code.

    Args:
        arguments: Of the command line; those of the process where None.
        benchmarks: To choose from; those of this folder where None.
    """
    benchmarks = discover() if benchmarks is None else benchmarks
    parsed = _parser(benchmarks).parse_args(arguments)
    if parsed.data is not None and not parsed.data.is_dir():
        print(f"--data {parsed.data} is not a folder", file=sys.stderr)
        return 2
    options = Options(parsed.data, parsed.quick, parsed.seed)
    outcome = benchmarks[parsed.name].run(options)
    for name, (comparison, bound) in outcome.missed.items():
        print(f"missed: {name} = {outcome.figures[name]:.6g}, wanted {comparison} {bound:.6g}", file=sys.stderr)
    sys.stderr.flush()
    print(json.dumps(result(parsed.name, options, outcome), allow_nan=False), flush=True)
    return 1 if outcome.missed else 0


def _parser(benchmarks: Mapping[str, Benchmark]) -> argparse.ArgumentParser:
    lines = [f"  {name:<12} {entry.summary}\n{'':<15}{entry.duration}" for name, entry in benchmarks.items()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures one claim and compares it with its target.",
        epilog="benchmarks, and how long each takes:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", choices=list(benchmarks), help="one of the benchmarks below")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of data sets, for those that need one")
    parser.add_argument("--quick", action="store_true", help="end within 5 minutes, less precise")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (default 0)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
