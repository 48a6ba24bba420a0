"""A disk of a few megabytes that a test can fill up, set read-only, and empty again."""

import errno
import os
import subprocess
from contextlib import contextmanager

import pytest


class Disk:
    """A tmpfs of its own. Making one takes root on Linux; elsewhere the tests that need it skip."""

    def __init__(self, folder, size):
        self.folder = folder
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "thinkq-test", folder],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            pytest.skip(f"a small disk can't be made here: {done.stderr.strip()}")

    def fill(self, leave_bytes=0):
        """Take all room but some."""
        space = os.statvfs(self.folder)
        room = space.f_bavail * space.f_frsize - leave_bytes
        # Unbuffered: a buffer that the disk refused would be written again, and fail, on closing.
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while room > 0:
                    room -= file.write(bytes(min(room, 1 << 16)))
            except OSError as error:
                # The daemon beside it may take the last of the room first.
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self):
        """Give the room back."""
        (self.folder / "ballast").unlink()

    @contextmanager
    def read_only(self):
        """Take no writes, as a disk does after an error."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)
