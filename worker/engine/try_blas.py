"""A small product of matrices by one BLAS, as a program of its own: `try_blas.py LIBRARY`.

A library built for another processor ends its process at the first product, so `blas` has it
tried here first. Run without site-packages, this imports nothing but the standard library.
"""

import ctypes
import sys

_SIZE = 96
"""Large enough for the kernels that the large products use."""

_ROW_MAJOR, _NO_TRANSPOSE = 101, 111


def main(path: str) -> int:
    """Multiply two matrices and say by the exit status whether the product is right."""
    library = ctypes.CDLL(path)
    matrix = ctypes.c_float * (_SIZE * _SIZE)
    left = matrix(*(float(index % 7) for index in range(_SIZE * _SIZE)))
    identity = matrix(*(float(index % (_SIZE + 1) == 0) for index in range(_SIZE * _SIZE)))
    product = matrix()
    library.cblas_sgemm(
        _ROW_MAJOR,
        _NO_TRANSPOSE,
        _NO_TRANSPOSE,
        _SIZE,
        _SIZE,
        _SIZE,
        ctypes.c_float(1.0),
        left,
        _SIZE,
        identity,
        _SIZE,
        ctypes.c_float(0.0),
        product,
        _SIZE,
    )
    return 0 if list(product) == list(left) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
