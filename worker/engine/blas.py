"""The BLAS that MLX will use on Linux; must run before the first import of mlx, so imports none.

MLX's Linux wheel calls plain `cblas_sgemm` and links the reference BLAS: 2.4 GFLOP/s on two cores
where OpenBLAS does 180. A library that is loaded first, with its symbols made global, serves those
calls instead. On macOS MLX uses Accelerate and Metal, and nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from msgspec import Struct

_BUNDLED = Path("cmeel.prefix/lib/libopenblas.so.0.3")
_SYSTEM = "libopenblas.so.0"


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
        try:
            library = ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            reasons.append(str(error))
            continue
        if threads is not None:
            library.openblas_set_num_threads(threads)
        return BlasReport(
            name="openblas", path=candidate, threads=library.openblas_get_num_threads()
        )
    return BlasReport(name="reference", slow=True, advice=_advice(reasons))


def _bundled() -> list[str]:
    places = (Path(folder) / _BUNDLED for folder in sys.path if folder)
    return [str(place) for place in places if place.is_file()]


def _advice(reasons: list[str]) -> str:
    if any("libgfortran" in reason for reason in reasons):
        return "OpenBLAS needs libgfortran.so.5: apt-get install libgfortran5"
    return (
        "MLX runs on its own reference BLAS, some 50 times slower: "
        "apt-get install libopenblas0-pthread"
    )
