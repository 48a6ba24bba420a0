"""The BLAS is one that this processor can run, whatever is installed."""

import shutil
import subprocess
import sys

import pytest

from worker.engine import blas

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS brings its own BLAS")

DIES_OF_IT = """
#include <signal.h>
void cblas_sgemm(void) { raise(SIGILL); }
"""

WRONG = "void cblas_sgemm(void) {}"


def chosen(folder):
    """Return the path of the BLAS that a fresh process chooses, and what it multiplies with it."""
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from worker.engine import blas\n"
        "print(blas.prepare().path)\n"
        "import mlx.core as mx\n"
        "print(mx.sum(mx.ones((300, 300)) @ mx.ones((300, 300))).item())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def library(folder, source, name="ngsolve_openblas/libopenblasp-r0.so"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(path), "-"],
        input=source,
        text=True,
        check=True,
    )
    return path


@pytest.fixture(params=[DIES_OF_IT, WRONG], ids=["ends its process", "gives wrong products"])
def unfit(request, tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to make a BLAS that is unfit")
    return library(tmp_path, request.param)


def test_a_blas_that_the_processor_can_not_run_is_passed_over(unfit, tmp_path):
    path, total = chosen(tmp_path)
    assert path != str(unfit)
    assert float(total) == 300.0**3


def test_the_reason_for_passing_over_a_blas_is_said(unfit):
    assert blas.why_not(str(unfit)) == f"{unfit} can't multiply on this processor"


def test_a_blas_that_is_not_there_is_named(tmp_path):
    assert str(tmp_path / "no.so") in blas.why_not(str(tmp_path / "no.so"))


def test_the_installed_blas_is_fit():
    done = subprocess.run(
        [sys.executable, "-c", "from worker.engine import blas; print(blas.prepare().slow)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
