"""What is said of a quantized file while its nodes return to FP32."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """Whether a file is good enough, worth mending, or neither.

    Attributes:
        KEEPS: It costs no more accuracy than allowed.
        LOSES: It costs more, and is fast enough to be worth mending.
        HOPELESS: It costs more, and is too slow to be worth it.
    """

    KEEPS = "keeps"
    LOSES = "loses"
    HOPELESS = "hopeless"
