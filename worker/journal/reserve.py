"""Room on the disk that is kept for answers: given back when the disk is full; imports no SQLite.

What runs when a disk fills up must still be answered, and an answer has to be on disk before it is
sent. So a file of zeros stands beside the journal. It goes when the disk is full, and until it is
there again nothing new is accepted.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESERVE_BYTES = 4 * 1024 * 1024
"""The answers of a full batch of rows, twice."""

_AT_A_TIME = bytes(1024 * 1024)


class Reserve:
    """The file of zeros.

    Args:
        journal: The journal's file, beside which it stands.

    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(journal.name + ".reserve")
        self.there = False

    def keep(self) -> bool:
        """Make the file unless it is there; return whether it is now."""
        if self.there:
            return True
        try:
            if not (self._path.is_file() and self._path.stat().st_size == RESERVE_BYTES):
                self._make()
        except OSError:
            self.spend()
            return False
        self.there = True
        return True

    def spend(self) -> None:
        """Give its room back."""
        self.there = False
        with suppress(OSError):
            self._path.unlink()

    def _make(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            for _ in range(RESERVE_BYTES // len(_AT_A_TIME)):
                # A short write is a full disk that has not said so yet.
                if os.write(descriptor, _AT_A_TIME) != len(_AT_A_TIME):
                    raise OSError("no room")
        finally:
            os.close(descriptor)
