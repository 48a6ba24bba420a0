"""What a worker keeps to: its topic root, and the one connection to its broker."""

import sys
from pathlib import Path

import pytest
from exchange import Heard, answer, begin, cancel, children_of, new_id, send


def test_a_root_may_have_several_levels(daemon_of, client_of):
    daemon = daemon_of(root=f"home/{new_id()[:8]}/thinkq").start()
    client = client_of(daemon)
    request_id = begin(client)
    cancel(client, request_id)
    heard = Heard(client, request_id)
    assert heard.text("answer") == heard.final["content"]
    assert Heard(client, send(client, "hello")).final["content"] == "hello"


def test_two_workers_under_two_roots_do_not_hear_each_others_requests(daemon_of, client_of):
    clients = [client_of(daemon_of().start()) for _ in range(2)]
    request_id = new_id()
    for number, client in enumerate(clients):
        assert answer(client, {"id": request_id, "prompt": f"number {number}"})["content"] == (
            f"number {number}"
        )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_has_no_connection_but_its_brokers(stub_daemon, client):
    answer(client, "hello there")
    processes = [stub_daemon.process.pid, *children_of(stub_daemon.process.pid)]
    ends = {end for process in processes for end in connections_of(process)}
    # paho wakes its thread by a connection to itself; both ends are ours.
    remote = {there for here, there in ends if (there, here) not in ends}
    assert {port for _, port in remote} == {stub_daemon.port}


def connections_of(process_id):
    """Yield the two ends of each of a process's TCP and UDP sockets, as address and port."""
    folder = Path(f"/proc/{process_id}")
    own = {str(link.readlink()) for link in (folder / "fd").iterdir()}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in (folder / "net" / table).read_text().splitlines()[1:]:
            columns = line.split()
            if f"socket:[{columns[9]}]" in own:
                yield tuple(end_of(column) for column in columns[1:3])


def end_of(column):
    address, _, port = column.rpartition(":")
    return address, int(port, 16)
