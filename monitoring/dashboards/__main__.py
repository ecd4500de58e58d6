"""`python -m monitoring.dashboards`: writes the dashboards; `... draw URL` draws what their queries give."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from evertune.errors import EvertuneError
from monitoring.dashboards.book import BOARDS, DOCS, write
from monitoring.dashboards.prometheus import Prometheus
from monitoring.dashboards.reading import read
from monitoring.dashboards.span import Span

_ROOT = Path(__file__).resolve().parents[2]
JSON_FOLDER = _ROOT / "deploy" / "grafana" / "dashboards"
_LAST_SEEN = "max(max_over_time(timestamp(evertune_ready)[2h:1s]))"
PICTURE_FOLDER = _ROOT / "docs" / "dashboards"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point.

    Returns:
        0, or 1 where Prometheus did not answer; the reason is on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        paths = _draw(options) if options.command == "draw" else write(options.output, options.docs)
    except EvertuneError as error:
        print(f"{error}\n{error.fix}", file=sys.stderr)
        return 1
    print("\n".join(str(path) for path in paths))
    return 0


def _parser() -> argparse.ArgumentParser:
    example = "example: python -m monitoring.dashboards draw http://127.0.0.1:9090 --minutes 30 --set model=fashion"
    parser = argparse.ArgumentParser(prog="python -m monitoring.dashboards", description=__doc__, epilog=example)
    parser.add_argument("--output", type=Path, default=JSON_FOLDER, help="folder for the JSON files")
    parser.add_argument("--docs", default=DOCS, help="address of the folder that holds runbooks/")
    parser.set_defaults(command="write")
    draw = parser.add_subparsers().add_parser(
        "draw", help="draw what the queries of the dashboards give", epilog=example
    )
    draw.add_argument("prometheus", help="address of Prometheus")
    draw.add_argument("--output", type=Path, default=PICTURE_FOLDER, help="folder for the PNG files")
    draw.add_argument("--minutes", type=float, default=60, help="length of the time range")
    draw.add_argument(
        "--end", default="now", help="'now', seconds since the epoch, or 'last': when a server was seen last"
    )
    draw.add_argument("--scrape", type=float, default=15, help="Prometheus' scrape interval in seconds")
    draw.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="value of a variable")
    draw.add_argument("--dashboards", type=Path, default=JSON_FOLDER, help="folder of the JSON files")
    draw.set_defaults(command="draw")
    return parser


def _draw(options: argparse.Namespace) -> list[Path]:
    from monitoring.dashboards.picture import draw

    prometheus = Prometheus(options.prometheus)
    end = _end(options.end, prometheus)
    span = Span(end - options.minutes * 60, end, options.scrape)
    wanted = dict(each.split("=", 1) for each in options.set)
    options.output.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in BOARDS:
        board = json.loads((options.dashboards / f"{name}.json").read_text(encoding="utf-8"))
        path = options.output / f"{name}.png"
        draw(read(board, prometheus, span, wanted), path)
        paths.append(path)
    return paths


def _end(wanted: str, prometheus: Prometheus) -> float:
    if wanted == "now":
        return time.time()
    if wanted != "last":
        return float(wanted)
    found = prometheus.instant(_LAST_SEEN, time.time())
    if not found:
        raise EvertuneError("Prometheus saw no server in the last two hours", fix="Give --end in seconds.")
    return found[0].points[0][1]


if __name__ == "__main__":
    sys.exit(main())
