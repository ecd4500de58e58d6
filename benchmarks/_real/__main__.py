"""`python -m benchmarks._real SEARCH BACKEND SEED`: one search; a line of JSON for every trial, until it is killed."""

from __future__ import annotations

import json
import os
import sys


def main(search: str, backend: str, seed: int, trials: int) -> None:
    """Runs a search; nobody but the caller ends it.

    Args:
        search: "evertune", "random", "Hyperband", "BayesianOptimization" or "optuna".
        backend: Of Keras.
        seed: Of the search.
        trials: Of the random one.
    """
    os.environ["KERAS_BACKEND"] = backend

    def report(score: float | None, infeasible: bool) -> None:
        print(json.dumps({"score": score, "infeasible": infeasible}), flush=True)

    if search == "evertune":
        from benchmarks._real.ours import evertune_search

        evertune_search(backend, seed, report)
        return
    from benchmarks._real.others import keras_tuner_search, optuna_search, random_full

    match search:
        case "random":
            random_full(seed, report, trials)
        case "optuna":
            optuna_search(seed, report)
        case _:
            keras_tuner_search(search, seed, report)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
