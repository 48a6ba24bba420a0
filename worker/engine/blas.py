"""The BLAS that MLX will use on Linux; must run before the first import of mlx, so imports none.

MLX's Linux wheel calls plain `cblas_sgemm` and links the reference BLAS: 2.4 GFLOP/s on two cores
where OpenBLAS does 180. A library that is loaded first, with its symbols made global, serves those
calls instead. On macOS MLX uses Accelerate and Metal, and nothing is done.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

_BUNDLED = (
    # Chooses its kernels by the processor it finds.
    "ngsolve_openblas/libopenblasp-*.so",
    # Built for one processor: of use where that is the one.
    "cmeel.prefix/lib/libopenblas.so.0.3",
)
_SYSTEM = "libopenblas.so.0"
_TRY = Path(__file__).with_name("try_blas.py")
_TRY_TIMEOUT_S = 20.0


class BlasReport(Struct, frozen=True):
    """Which BLAS serves MLX, and whether that is the slow one.

    `advice` says what to do about it; empty where there is nothing to do.
    """

    name: str
    path: str = ""
    threads: int = 0
    slow: bool = False
    advice: str = ""


def prepare(threads: int | None = None) -> BlasReport:
    """Load the fast BLAS, if this is a system that needs it, and say which one is in use.

    Args:
        threads: How many it may use; None leaves it to OpenBLAS, one for each core.

    """
    if sys.platform != "linux":
        return BlasReport(name="accelerate")
    if "mlx.core" in sys.modules:
        raise RuntimeError("mlx was imported before its BLAS was chosen")
    reasons = []
    for candidate in (*_bundled(), _SYSTEM):
        complaint = why_not(candidate)
        if complaint is not None:
            reasons.append(complaint)
            continue
        library = ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
        if threads is not None:
            library.openblas_set_num_threads(threads)
        return BlasReport(
            name="openblas", path=candidate, threads=library.openblas_get_num_threads()
        )
    return BlasReport(name="reference", slow=True, advice=_advice(reasons))


def why_not(library: str) -> str | None:
    """Say why a BLAS can't be used here, None if it can; asked of a process that may die of it."""
    command = [sys.executable, "-I", "-S", str(_TRY), library]
    try:
        done = subprocess.run(  # noqa: S603 - the program itself
            command, capture_output=True, text=True, check=False, timeout=_TRY_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"{library} took more than {_TRY_TIMEOUT_S:.0f} s for a small product"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"{library} can't multiply on this processor"


def _bundled() -> list[str]:
    folders = [Path(folder) for folder in sys.path if folder]
    return [
        str(place)
        for pattern in _BUNDLED
        for folder in folders
        for place in sorted(folder.glob(pattern))
    ]


def _advice(reasons: list[str]) -> str:
    if any("libgfortran" in reason for reason in reasons):
        return "OpenBLAS needs libgfortran.so.5: apt-get install libgfortran5"
    return (
        "MLX runs on its own reference BLAS, some 50 times slower: "
        "apt-get install libopenblas0-pthread"
    )
