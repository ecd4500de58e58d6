"""Scripts as KerasTuner's users write them. A test changes nothing but the names of classes."""

from __future__ import annotations

_DATA = """\
import sys

import keras
import keras_tuner
from sklearn.datasets import load_digits

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, y_train, x_val, y_val = x[:160], y[:160], x[160:260], y[160:260]
folder = sys.argv[1]
"""

FUNCTION = (
    _DATA
    + """
def build_model(hp):
    model = keras.Sequential([keras.Input((64,))])
    kind = hp.Choice("kind", ["wide", "deep"], default="wide")
    if kind == "wide":
        with hp.conditional_scope("kind", ["wide"]):
            model.add(keras.layers.Dense(hp.Int("units", 16, 64, step=16), activation="relu"))
    else:
        with hp.conditional_scope("kind", ["deep"]):
            for number in range(hp.Int("layers", 1, 2)):
                model.add(keras.layers.Dense(16, activation="relu", name=f"deep_{number}"))
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(hp.Fixed("rate", 0.1)))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(
        keras.optimizers.Adam(hp.Float("learning_rate", 1e-3, 3e-2, sampling="log")),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


tuner = keras_tuner.RandomSearch(
    build_model,
    objective="val_accuracy",
    max_trials=2,
    executions_per_trial=2,
    seed=0,
    overwrite=True,
    directory=folder,
    project_name="function",
)
tuner.search_space_summary()
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)
tuner.search(x_train, y_train, epochs=2, validation_data=(x_val, y_val), callbacks=[stop], verbose=0)
tuner.results_summary(2)
best = tuner.get_best_hyperparameters(num_trials=2)[0]
model = tuner.get_best_models(num_models=2)[0]
model.evaluate(x_val, y_val, verbose=0)
final = tuner.hypermodel.build(best)
history = final.fit(x_train, y_train, epochs=1, verbose=0)
"""
)

HYPERMODEL = (
    _DATA
    + """
class MyHyperModel(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((64,))])
        model.add(keras.layers.Dense(hp.Choice("units", [8, 32]), activation=hp.Choice("act", ["relu", "tanh"])))
        model.add(keras.layers.Dense(10))
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(
            *args, batch_size=hp.Choice("batch_size", [16, 32, 64]), shuffle=hp.Boolean("shuffle"), **kwargs
        )


tuner = keras_tuner.Hyperband(
    hypermodel=MyHyperModel(),
    objective=keras_tuner.Objective("val_loss", direction="min"),
    max_epochs=2,
    factor=2,
    optimizer="adam",
    seed=1,
    directory=folder,
    project_name="hypermodel",
)
tuner.search(x_train, y_train, validation_data=(x_val, y_val), verbose=0)
tuner.results_summary()
best = tuner.get_best_hyperparameters()[0]
model = tuner.get_best_models()[0]
"""
)

SUBCLASS = (
    _DATA
    + """
def build_model(hp):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    rate = hp.Float("rate", 0.01, 1.0)
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class MyTuner(keras_tuner.BayesianOptimization):
    def run_trial(self, trial, *args, **kwargs):
        kwargs["batch_size"] = trial.hyperparameters.Int("batch_size", 32, 128, step=32)
        return super().run_trial(trial, *args, **kwargs)


hyperparameters = keras_tuner.HyperParameters()
hyperparameters.Float("rate", 0.1, 0.5)
tuner = MyTuner(
    build_model,
    objective=["val_accuracy", "val_loss"],
    max_trials=2,
    hyperparameters=hyperparameters,
    tune_new_entries=True,
    allow_new_entries=True,
    max_retries_per_trial=1,
    max_consecutive_failed_trials=3,
    directory=folder,
    project_name="subclass",
)
tuner.search(x_train, y_train, epochs=2, validation_data=(x_val, y_val), verbose=0)
model = tuner.get_best_models()[0]


class MyLoop(keras_tuner.Tuner):
    def run_trial(self, trial, x, y, x_val, y_val):
        hp = trial.hyperparameters
        model = self.hypermodel.build(hp)
        for _ in range(hp.Int("epochs", 1, 2)):
            model.train_on_batch(x, y)
        loss, accuracy = model.evaluate(x_val, y_val, verbose=0)
        return {"val_loss": loss, "val_accuracy": accuracy}


loop = MyLoop(
    oracle=keras_tuner.oracles.RandomSearchOracle(objective=keras_tuner.Objective("val_loss", "min"), max_trials=2),
    hypermodel=build_model,
    directory=folder,
    project_name="loop",
)
loop.search(x_train, y_train, x_val, y_val)
best = loop.get_best_hyperparameters()[0]
"""
)

SCRIPTS = {"function": FUNCTION, "hypermodel": HYPERMODEL, "subclass": SUBCLASS}


def moved(script: str) -> str:
    """The script with the names of KerasTuner's classes replaced."""
    for name in ("RandomSearch(", "Hyperband(", "BayesianOptimization)"):
        script = script.replace(f"keras_tuner.{name}", f"tune.Tuner{name[-1]}")
    script = script.replace("keras_tuner.oracles.RandomSearchOracle", "tune.StudyOracle")
    return script.replace("import keras_tuner\n", "import keras_tuner\nimport tune\n", 1)
