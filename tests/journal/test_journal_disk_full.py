"""A full disk: what can't be kept is refused, nothing that was kept is lost, and it recovers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from journal_samples import a_request

from worker.journal.store import Journal, JournalError, New

PROGRAM = Path(__file__).with_name("filling_daemon.py")


@pytest.fixture
def program_said(path):
    """What a journaling program said while its disk was full and after."""
    environment = os.environ | {"PYTHONPATH": str(PROGRAM.parents[2])}
    run = subprocess.run(
        [sys.executable, PROGRAM, path],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    return [line.split(maxsplit=1) for line in run.stdout.splitlines()]


async def test_a_full_disk_refuses_and_takes_again_when_there_is_room(path, program_said):
    words = [what for what, _ in program_said]
    assert words.count("full") == 1
    assert "the journal can't be written" in dict(program_said)["full"]
    assert words[words.index("full") + 1 :] == ["accepted", "accepted"]


async def test_a_full_disk_loses_nothing_that_was_acknowledged(path, program_said):
    journal = Journal.open(path)
    kept = {entry.request.id for entry in journal.backlog()}
    await journal.close()
    assert kept == {name for what, name in program_said if what == "accepted"}


async def test_one_request_too_large_for_the_disk_leaves_room_for_the_next(journal):
    def limit_pages(pages):
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    (used,) = await journal._writer.submit(lambda c: c.execute("PRAGMA page_count").fetchone())
    await journal._writer.submit(limit_pages(used + 10), alone=True)
    with pytest.raises(JournalError, match="full"):
        await journal.accept(a_request("large", text="x" * 100_000))
    assert await journal.accept(a_request("small")) == New()
    await journal._writer.submit(limit_pages(1_000_000), alone=True)
    assert await journal.accept(a_request("large", text="x" * 100_000)) == New()
