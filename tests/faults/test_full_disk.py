"""The disk is full or takes no writes: nothing new is taken, what runs is answered, it heals."""

import json
import signal
import sqlite3
import time
from contextlib import closing

from exchange import Heard, begin, new_id, send, wait_in_log

RUNNING = "stub: tokens=60 delay_ms=20"


def fill_until_refused(disk, daemon, client):
    """Fill the disk and send requests until one of them is not accepted; return their ids."""
    disk.fill()
    sent = []
    # What is still free in the journal's files is used up by a few large requests.
    for _ in range(60):
        sent.append(send(client, "x" * 100_000))
        if "not_accepted" in daemon.log.read_text():
            return sent
    wait_in_log(daemon, "not_accepted")
    return sent


def expired(daemon):
    """How many entries the daemon has let go of, by its log."""
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    return sum(line["entries"] for line in lines if line["event"] == "expired")


def states_of(daemon):
    with closing(sqlite3.connect(daemon.data / "journal.sqlite")) as journal:
        return dict(journal.execute("SELECT id, state FROM record"))


def test_what_runs_is_answered_while_the_disk_is_full_and_what_comes_waits(disk, on_disk, wire_of):
    daemon = on_disk().start()
    client = wire_of(daemon)
    running = begin(client, RUNNING)
    fill_until_refused(disk, daemon, client)
    assert Heard(client, running).final["content"].endswith("w58 end")
    disk.empty()


def test_when_there_is_room_again_all_that_was_sent_meanwhile_is_answered(disk, on_disk, wire_of):
    daemon = on_disk().start()
    client = wire_of(daemon)
    sent = fill_until_refused(disk, daemon, client)
    disk.empty()
    for request_id in sent:
        assert Heard(client, request_id).final["status"] == "ok"
    daemon.stop()
    assert set(states_of(daemon).values()) == {"delivered"}


def test_nothing_is_acknowledged_that_the_disk_did_not_take(disk, on_disk, wire_of):
    daemon = on_disk().start()
    client = wire_of(daemon)
    sent = fill_until_refused(disk, daemon, client)
    daemon.stop(signal.SIGKILL)
    disk.empty()
    daemon.start()
    for request_id in sent:
        assert Heard(client, request_id).final["status"] == "ok"


def test_old_records_leave_and_the_file_shrinks_on_a_disk_that_was_full(disk, on_disk, wire_of):
    daemon = on_disk().start()
    client = wire_of(daemon)
    for _ in range(20):
        client.ask({"id": new_id(), "prompt": "x" * 100_000})
    daemon.stop()
    disk.fill(leave_bytes=200_000)
    toml = daemon.folder / "thinkq.toml"
    toml.write_text(toml.read_text() + "[journal]\nretention_s = 0.5\n")
    before = (daemon.data / "journal.sqlite").stat().st_size
    daemon.start()
    deadline = time.monotonic() + 30
    while expired(daemon) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # a file tells nobody that it grew
    daemon.stop()
    assert (daemon.data / "journal.sqlite").stat().st_size < before / 2
    disk.empty()


def test_a_disk_that_takes_no_writes_any_more_refuses_and_heals(disk, on_disk, wire_of):
    daemon = on_disk().start()
    client = wire_of(daemon)
    client.ask("before")
    # Open files would keep the system from making it read-only: as a daemon is started on one.
    daemon.stop()
    with disk.read_only():
        daemon.start(wait=False)
        assert daemon.process.wait(30) != 0
    last = daemon.log.read_text().strip().splitlines()[-1]
    assert "Read-only file system" in last
    assert "Traceback" not in daemon.log.read_text()
    daemon.start()
    assert client.ask("after")["content"] == "after"
