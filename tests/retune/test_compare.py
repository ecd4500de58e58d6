from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evertune.bundle import Bundle, ConfidenceMap, Golden, Reference, write_content
from evertune.errors import JobError
from evertune.preprocessing import Categories, Preprocessor
from evertune.tensors import Signature, TensorSpec
from retune.compare import check_comparable


def sealed(folder: Path, users: tuple[str, ...] | None, name: str = "films") -> Bundle:
    signature = Signature((TensorSpec("codes", "int32", (1,)),), (TensorSpec("probabilities", "float32", (2,)),))
    preprocessing = {} if users is None else Preprocessor((Categories(("user",), (users,), "codes"),)).to_json()
    write_content(
        folder,
        model_bytes=b"onnx",
        model=name,
        kind="classification",
        labels=("no", "yes"),
        signature=signature,
        preprocessing=preprocessing,
        recipe="fp32",
        calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), 10),
        reference=Reference(0.1, 0.2, 10, 0.9),
        golden=Golden({"codes": np.ones((1, 1), np.int32)}, {"probabilities": np.ones((1, 2), np.float32)}, 1e-3),
    )
    return Bundle.open(folder)


def test_a_challenger_with_other_preprocessing_is_not_compared(tmp_path: Path) -> None:
    champion = sealed(tmp_path / "a", ("7", "12"))
    check_comparable(champion, sealed(tmp_path / "b", ("7", "12")))
    for number, users in enumerate([("12", "7"), ("7", "12", "3"), None]):
        with pytest.raises(JobError, match="preprocessing"):
            check_comparable(champion, sealed(tmp_path / str(number), users))
    with pytest.raises(JobError, match="model"):
        check_comparable(champion, sealed(tmp_path / "other", ("7", "12"), "books"))
