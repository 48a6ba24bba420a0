"""Fixtures that every room's tests stand on."""

import signal

import pytest
from hypothesis import HealthCheck, settings
from rig import Daemon, Mosquitto, Wire

# A run says the same each time, however busy the machine is; `--hypothesis-profile=default` draws
# other examples, and what is fuzzed at length is in bench/.
settings.register_profile(
    "thinkq", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("thinkq")


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory):
    """A Mosquitto for tests that only talk through it; each daemon has a topic root of its own."""
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto")).start()
    yield broker
    broker.stop()


@pytest.fixture
def own_mosquitto(tmp_path):
    """A Mosquitto of this test's own, which it may kill."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    broker = Mosquitto(folder).start()
    yield broker
    broker.stop(signal.SIGKILL)


@pytest.fixture
def daemon_of(tmp_path, mosquitto):
    """Make daemons: `daemon_of(config=..., port=...)`, started when asked."""
    made = []

    def make(**options):
        folder = tmp_path / f"daemon{len(made)}"
        folder.mkdir()
        daemon = Daemon(folder, options.pop("port", mosquitto.port), **options)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.stop(timeout_s=10)


@pytest.fixture(scope="module")
def stub_daemon(tmp_path_factory, mosquitto):
    """A running daemon with the stub engine, shared by a module whose tests don't harm it."""
    daemon = Daemon(tmp_path_factory.mktemp("daemon"), mosquitto.port).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def wire_of():
    """Make plain clients: `wire_of(daemon, "kitchen")`, listening on their default reply topic."""
    made = []

    def make(daemon, name="me", **options):
        wire = Wire(daemon.port, daemon.root, name, **options)
        made.append(wire)
        return wire.listen(f"{daemon.root}/reply/{name}/#")

    yield make
    for wire in made:
        wire.close()
