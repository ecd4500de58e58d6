"""Models in pickles: scikit-learn's usual form."""

from __future__ import annotations

import warnings
from pathlib import Path

from evertune.errors import ExportError
from export.origins.loaded import Loaded, file_facts

PICKLES = (".joblib", ".pkl", ".pickle")


def load_pickle(path: Path, *, allowed: bool) -> Loaded:
    """Loads a joblib file or a pickle, which runs whatever code its maker put into it.

    Args:
        path: Of the file.
        allowed: The user has said that it may.

    Raises:
        ExportError: Not allowed; or it does not load; or it was written by another version of scikit-learn, which may
            load without an error and answer otherwise.
    """
    if not allowed:
        raise ExportError(
            f"{path.name} is a pickle: to load it is to run code from the file",
            fix="If you made it yourself, add --unpickle, which runs it. Never do so with a file of somebody else.",
            file=path.name,
        )
    import joblib
    from sklearn.exceptions import InconsistentVersionWarning

    facts = file_facts(path)  # before its code runs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            model = joblib.load(path)
    except InconsistentVersionWarning as error:
        raise ExportError(
            f"{path.name} was written by scikit-learn {error.original_sklearn_version}, "
            f"this is {error.current_sklearn_version}: it may answer otherwise here",
            fix="Train and save it with the version installed here, or install the one that wrote it.",
            file=path.name,
        ) from error
    except Exception as error:  # whatever a pickle raises
        raise ExportError(
            f"{path.name} does not load: {type(error).__name__}: {str(error)[:300]}",
            fix="Install what it needs, and see that the modules of its classes can be imported from this folder.",
            file=path.name,
        ) from error
    return Loaded(model, {"from": "pickle", **facts})
