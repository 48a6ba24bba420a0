"""Daemons whose journal lies on a disk of a few megabytes."""

import uuid

import pytest
from small_disk import Disk


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 megabytes: room for all that a test sends before it is refused, twice."""
    made = Disk(tmp_path / "disk", "64m")
    yield made
    made.close()


@pytest.fixture
def on_disk(daemon_of, disk):
    """Make daemons whose data lies there."""

    def make(**options):
        daemon = daemon_of(**options)
        toml = daemon.folder / "thinkq.toml"
        data = disk.folder / uuid.uuid4().hex[:6]
        toml.write_text(toml.read_text().replace(f'"{daemon.folder / "data"}"', f'"{data}"'))
        daemon.data = data
        return daemon

    return make
