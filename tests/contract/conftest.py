"""One daemon with the stub engine for all tests of this folder that don't harm it, and one more
with a single row and short queues. Sharing them is a test as well: whatever is sent, they go on.
"""

import uuid

import pytest
from exchange import STUB, answer, begin, cancel, errors_logged_by, final_of
from rig import Daemon

PRESETS = '[thinking.client_presets]\nhasty = "quick"\ncareful = "thorough"\n'
NARROW = f"{STUB}[engine]\nmax_rows = 1\n[limits]\nqueued_requests = 4\nqueued_per_client = 3\n"


@pytest.fixture(scope="session")
def stub_daemon(tmp_path_factory, mosquitto):
    """A running daemon."""
    folder = tmp_path_factory.mktemp("daemon")
    daemon = Daemon(folder, mosquitto.port, config=STUB + PRESETS).start()
    yield daemon
    assert daemon.stop() == 0
    assert errors_logged_by(daemon) == []


@pytest.fixture(scope="session")
def narrow_daemon(tmp_path_factory, mosquitto):
    """A running daemon with one row, where four requests may wait, three of one client."""
    daemon = Daemon(tmp_path_factory.mktemp("narrow"), mosquitto.port, config=NARROW).start()
    yield daemon
    assert daemon.stop() == 0
    assert errors_logged_by(daemon) == []


@pytest.fixture
def client_of(wire_of):
    """Make clients of a daemon, each under a name of its own and listening for replies."""
    return lambda daemon, **options: wire_of(daemon, f"c{uuid.uuid4().hex[:8]}", **options)


@pytest.fixture
def client(client_of, stub_daemon):
    """A client of the shared daemon."""
    return client_of(stub_daemon)


@pytest.fixture
def dead_letters(stub_daemon, wire_of):
    """An operator who listens to all that is reported as given up on."""
    operator = wire_of(stub_daemon, f"op{uuid.uuid4().hex[:8]}")
    return operator.listen(f"{stub_daemon.root}/dead/#")


@pytest.fixture
def narrow_client(client_of, narrow_daemon):
    """A client of the daemon with one row."""
    return client_of(narrow_daemon)


@pytest.fixture
def release(client_of, narrow_daemon):
    """Keep the single row busy until this is called, or the test is over."""
    blocker = client_of(narrow_daemon)
    # Nothing parks a row of the interactive lane.
    request_id = begin(blocker, lane="interactive")
    released = []

    def now():
        if not released:
            released.append(request_id)
            cancel(blocker, request_id)
            final_of(blocker, request_id)

    yield now
    now()
    # What a test leaves waiting would take the next one's room; batch work comes after all of it.
    answer(blocker, {"prompt": "the last one", "lane": "batch"})
