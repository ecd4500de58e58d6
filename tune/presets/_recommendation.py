"""Which items a user wants: a score for every item."""

from __future__ import annotations

from typing import Any

from evertune.errors import TaskError
from evertune.preprocessing import Categories
from evertune.task import Task
from tune.presets._items import item_table, pair_scores
from tune.presets._layers import ACTIVATIONS, answer, dense, step_of

HISTORY = "history"
_MOST_PAIRED = 5_000  # items of which each is put beside the user: rows x items x units numbers


def recommendation(hp: Any, task: Task) -> Any:
    """Matrix factorisation, neural collaborative filtering or two towers; which, and how large, is for `hp` to say.

    A user is the sum of the embeddings of all columns of ids, and of the items that came last, where the task has an
    input of that name. An id that is not known adds nothing, so that the others speak, or the biases alone: what is
    popular. That this works is trained: `id_dropout` leaves out a share of the known ids.

    - "factorization": the product with a vector an item, and a bias.
    - "ncf": beside that product a perceptron looks at user and item together (neural collaborative filtering, X. He
      et al., WWW 2017). For up to 5,000 items.
    - "two_tower": a perceptron over ids, the mean of the items that came last and the very last; its answer is compared
      with the same table of items that it has read.

    Args:
        hp: `keras_tuner.HyperParameters`. Adds `family`, `width`, `id_dropout`, `dropout`, and the family's sizes.
        task: Its labels are the items. One input comes from a `Categories` step of ids. There may be a second, named
            "history": its columns hold the user's last items, the newest first, and know the task's labels.

    Returns:
        An uncompiled Keras model with the output of the task's kind, one number an item.

    Raises:
        TaskError: The task's inputs do not come from such steps.
    """
    import keras

    steps = _steps(task)
    history = steps.get(HISTORY)
    families = ["two_tower", "factorization"] if history else ["factorization", "two_tower"]
    family = hp.Choice("family", [*families, *(["ncf"] if len(task.labels) <= _MOST_PAIRED else [])])
    width = hp.Int("width", 8, 128, sampling="log", default=32)
    left_out = hp.Float("id_dropout", 0.0, 0.4, step=0.1, default=0.2)
    inputs = {name: keras.Input((len(step.names),), dtype="int32", name=name) for name, step in steps.items()}
    table = item_table(len(task.labels), width, compares=family == "two_tower")
    parts = [part for name, step in steps.items() if name != HISTORY for part in _vectors(inputs[name], step, width)]
    recent = [] if history is None else _recent(inputs[HISTORY], table)
    parts = [keras.layers.Dropout(left_out, noise_shape=(None, 1))(part) for part in [*parts, *recent]]  # a draw a row
    dropout = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6, step=0.1, default=0.2))
    with hp.conditional_scope("family", ["two_tower"]):
        layers = hp.Int("layers", 1, 2, default=1)
        units = hp.Int("units", 16, 256, sampling="log", default=64)
        activation = hp.Choice("activation", ACTIVATIONS)
    with hp.conditional_scope("family", ["ncf"]):
        paired = hp.Int("ncf_units", 4, 32, sampling="log", default=8)
    if family == "two_tower":
        x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
        x = keras.layers.Dense(width)(dropout(dense(x, layers, units, activation, normalize=False)))
        scores = table(x, as_items=False)
    else:
        x = dropout(parts[0] if len(parts) == 1 else keras.layers.Add()(parts))
        scores = keras.layers.Dense(len(task.labels))(x)
        if family == "ncf":
            scores = scores + pair_scores(len(task.labels), paired)(x)
    given = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return keras.Model(given, answer(scores, task), name=task.name)


def _steps(task: Task) -> dict[str, Categories]:
    """By name of the input, in the task's order."""
    step_of(task, Categories, "recommendation")  # says what is missing where there is none
    preprocessor = task.preprocessor()
    every = () if preprocessor is None else preprocessor.steps
    known = {step.output: step for step in every if isinstance(step, Categories)}
    names = [spec.name for spec in task.inputs]
    if not set(names) <= set(known) or len([name for name in names if name != HISTORY]) > 1:
        raise TaskError(
            f"presets.recommendation needs one input of ids, and may have one named {HISTORY!r}; task {task.name!r} "
            f"has {names}",
            fix="Put all columns of ids into one Categories step, or build the model yourself in Task.build.",
        )
    other = [] if HISTORY not in names else [each for each in known[HISTORY].vocabularies if each != task.labels]
    if other:
        raise TaskError(
            f"columns of the input {HISTORY!r} of task {task.name!r} do not know its labels, in their order",
            fix=f"Make it with Categories(names, (labels,) * len(names), output={HISTORY!r}).",
        )
    return {name: known[name] for name in names}


def _vectors(codes: Any, step: Categories, width: int) -> list[Any]:
    """One a column; zeros where the id is not known."""
    import keras

    is_known = keras.ops.expand_dims(keras.ops.cast(keras.ops.not_equal(codes, 0), "float32"), -1)
    return [
        keras.layers.Embedding(size, width)(codes[:, position]) * is_known[:, position]
        for position, size in enumerate(step.sizes)
    ]


def _recent(codes: Any, table: Any) -> list[Any]:
    """The mean of the last items, and the very last; zeros where there are none."""
    import keras

    is_known = keras.ops.expand_dims(keras.ops.cast(keras.ops.not_equal(codes, 0), "float32"), -1)
    found = table(codes) * is_known
    count = keras.ops.maximum(keras.ops.sum(is_known, axis=1), 1.0)
    return [keras.ops.sum(found, axis=1) / count, found[:, 0]]
