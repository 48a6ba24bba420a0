"""The `thinkq` command; no logic of its own, and nothing heavy is imported until it is used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_BROKER = 3
EXIT_NO_MODEL = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 done · 1 failed, or the reply was an error · 2 wrong usage or settings · 3 the broker can't
    be reached · 4 the model is missing · 130 interrupted.
    """
    from worker.cli.commands import run_command  # noqa: PLC0415 - typer is not for `import worker`

    return run_command(list(sys.argv[1:] if arguments is None else arguments))
