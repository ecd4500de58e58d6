"""ONNX Runtime and the GPU."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cli.doctor.finding import Finding

_SECONDS = 20  # for a driver that hangs


def examine_runtime() -> Iterator[Finding]:
    """One ONNX Runtime, and whether it reaches the GPU that there is."""
    found = {name: _version(name) for name in ("onnxruntime", "onnxruntime-gpu")}
    yield from judge_installed(found)
    if any(found.values()):
        yield from judge_gpu(gpus(), providers(), missing_libraries())


def judge_installed(found: dict[str, str | None]) -> Iterator[Finding]:
    """Both wheels hold the same files; the one installed last wins, and removing either breaks the other."""
    there = [f"{name} {text}" for name, text in found.items() if text is not None]
    if len(there) > 1:
        gpu = f"onnxruntime-gpu=={found['onnxruntime-gpu']}"
        mend = f"pip uninstall -y onnxruntime onnxruntime-gpu && pip install '{gpu}'"
        yield Finding("onnxruntime", "problem", f"{' and '.join(there)} overwrite each other", mend)
    elif not there:
        yield Finding("onnxruntime", "problem", "no ONNX Runtime is installed", "pip install onnxruntime")


def judge_gpu(found: Sequence[str], offered: Sequence[str], missing: Sequence[str]) -> Iterator[Finding]:
    """Whether the CUDA provider would load.

    Args:
        found: Names of the GPUs.
        offered: Execution providers that this ONNX Runtime was built with.
        missing: Libraries that its CUDA provider needs and the loader does not find.
    """
    shown = ", ".join(each.removesuffix("ExecutionProvider") for each in offered)
    if not found:
        yield Finding("gpu", "ok", f"no NVIDIA GPU here; ONNX Runtime offers {shown}")
    elif "CUDAExecutionProvider" not in offered:
        mend = "pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"
        yield Finding("gpu", "warning", f"{', '.join(found)}: this ONNX Runtime cannot use it", mend)
    elif missing:
        text = f"{', '.join(found)}: not usable without {', '.join(missing)}; models would run on the CPU"
        yield Finding("gpu", "warning", text, "pip install 'onnxruntime-gpu[cuda,cudnn]'")
    else:
        yield Finding("gpu", "ok", f"{', '.join(found)}; ONNX Runtime offers {shown}")


def gpus() -> list[str]:
    """Names of NVIDIA's GPUs, as the driver tells them; empty without driver or GPU."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def providers() -> list[str]:
    """Execution providers that the installed ONNX Runtime was built with."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def missing_libraries() -> list[str]:
    """What the dynamic loader does not find for the CUDA provider, once ONNX Runtime has loaded pip's own libraries."""
    import onnxruntime

    library = Path(onnxruntime.__file__).parent / "capi" / "libonnxruntime_providers_cuda.so"
    if not library.is_file() or shutil.which("ldd") is None:
        return []
    done = subprocess.run(["ldd", str(library)], capture_output=True, text=True, timeout=_SECONDS, check=False)
    absent = [line.split()[0] for line in done.stdout.splitlines() if line.endswith("=> not found")]
    return [name for name in absent if not _in_packages(name)]


def _in_packages(name: str) -> bool:
    """`onnxruntime-gpu[cuda,cudnn]` puts them under site-packages/nvidia, where the loader alone does not look."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parents[1] / "nvidia"
    return any(folder.glob(f"**/lib/{name}"))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
