"""What will serve the model, and which precisions make sense there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evertune.errors import BundleError, ExportError
from evertune.runtime import Session
from evertune.runtime.session import CPU
from export.candidate import Candidate
from export.presence import PROVIDERS, is_here
from export.recipes import FP32

_INTEGERS = "int"  # how the names of such recipes begin
_STORED = ("int8-weights", "int4")  # likewise, of those that compute in floating point


@dataclass(frozen=True)
class Target:
    """An execution provider of ONNX Runtime, and whether this machine has it.

    Attributes:
        name: "cpu", "cuda" or "tensorrt": `[export] target`.
        is_here: Whether models run on it here. Figures are measured on the CPU where they do not.
    """

    name: str
    is_here: bool

    @property
    def providers(self) -> tuple[str, ...]:
        """To load sessions with, best first: those of the CPU where the target is not here."""
        return PROVIDERS[self.name] if self.is_here else CPU

    def refuses(self, recipe: str) -> str | None:
        """Why a precision is not considered, in words; None where it is."""
        if recipe == FP32:
            return None
        if self.name == "cuda" and recipe.startswith(_STORED):
            return "only stores its weights in integers, which is not tried on CUDA"
        if self.name == "cuda" and recipe.startswith(_INTEGERS):
            return "CUDA has no kernels for INT8, which made models 10 to 20 times slower; TensorRT has"
        if not self.is_here:
            return (
                f"its speed on {self.name} cannot be measured here: export on a machine with {PROVIDERS[self.name][0]}"
            )
        return None


def target_named(name: str) -> Target:
    """The target of that name, looked for on this machine.

    Example:
        >>> target_named("cpu").is_here
        True
    """
    return Target(name, is_here(name))


def on_target(candidates: list[Candidate], sessions: dict[str, Session], target: Target) -> list[Candidate]:
    """Loads every candidate where it will be served, and refuses those that make no sense or do not run there.

    Args:
        candidates: FP32 first.
        sessions: By recipe, on the CPU; changed: those refused are gone, the others run on the target.
        target: Where the model will be served.

    Raises:
        ExportError: FP32 does not run there.
    """
    return [_loaded(each, sessions, target) if each.recipe in sessions else each for each in candidates]


def _loaded(candidate: Candidate, sessions: dict[str, Session], target: Target) -> Candidate:
    session = sessions.pop(candidate.recipe)
    refused = target.refuses(candidate.recipe)
    if refused is None and target.providers != CPU:
        session, refused = _moved(candidate, session, target)
    if refused is None:
        sessions[candidate.recipe] = session
    elif candidate.recipe == FP32:
        raise ExportError(
            f"the model does not run on {target.name}: {refused}",
            fix="Check the driver with nvidia-smi and that only onnxruntime-gpu is installed, or set [export] target.",
        )
    return replace(candidate, refused=refused)


def _moved(candidate: Candidate, session: Session, target: Target) -> tuple[Session, str | None]:
    try:
        moved = Session(
            candidate.model_bytes,
            session.signature,
            threads=session.threads,
            providers=target.providers,
            external_data=candidate.external_data,
        )
    except BundleError as error:
        return session, error.message
    # ONNX Runtime falls back without an error.
    return moved, None if moved.provider == target.providers[0] else f"ONNX Runtime runs it on {moved.provider}"
