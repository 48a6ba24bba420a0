"""The command as a script runs it: in its own process, with a home of its own."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def thinkq(tmp_path):
    """Run `thinkq` with these arguments; the result has returncode, stdout and stderr."""

    def run(*arguments, stdin="", timeout_s=60, **environment):
        return subprocess.run(
            [sys.executable, "-m", "worker.cli", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environment},
        )

    return run
