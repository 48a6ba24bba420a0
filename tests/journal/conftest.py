"""A journal in a folder of its own, and a clock that stands until it is moved."""

import pytest

from worker.journal.store import Journal


class Clock:
    def __init__(self):
        self.time_s = 1_000_000.0

    def __call__(self):
        return self.time_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "journal.sqlite"


@pytest.fixture
async def journal(path, clock):
    journal = Journal.open(path, now=clock)
    yield journal
    await journal.close()
