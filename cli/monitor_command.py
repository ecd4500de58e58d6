"""`evertune monitor`: evaluator and exporter."""

from __future__ import annotations

from cli.options import LOG_FORMAT


def monitor() -> None:
    """Watch live accuracy: join labels to predictions, weigh the evidence of drift, expose both at /metrics.

    One process a project. Address and pace are set under [monitor] in evertune.toml.
    """
    import logging

    from evertune.settings import load_project
    from monitoring import exporter

    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    exporter.run(load_project())
