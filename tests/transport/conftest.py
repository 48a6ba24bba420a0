"""Connections to real brokers, closed when the test ends."""

import asyncio
import uuid

import pytest
from rig import Wire

from worker.transport.connection import Connection
from worker.transport.embedded import EmbeddedBroker
from worker.transport.options import BrokerOptions


class Ear:
    """What a connection heard and how it fared, to wait for."""

    def __init__(self, *, acknowledge):
        self.acknowledge = acknowledge
        self.connection = None
        self.messages = asyncio.Queue()
        self.states = asyncio.Queue()

    def heard(self, incoming):
        if self.acknowledge:
            self.connection.ack(incoming)
        self.messages.put_nowait(incoming)

    async def message(self):
        return await asyncio.wait_for(self.messages.get(), 20)

    async def state(self, *, connected):
        """Wait until the connection is up, or is down."""
        while True:
            state = await asyncio.wait_for(self.states.get(), 20)
            if state.connected is connected:
                return state


@pytest.fixture
async def connect():
    """Make started connections: `connection, ear = await connect(port, "topic/#")`."""
    made = []

    async def make(port, *subscriptions, wait=True, acknowledge=True, **options):
        ear = Ear(acknowledge=acknowledge)
        given = {name: options.pop(name) for name in ("birth", "will") if name in options}
        options.setdefault("client_id", f"c{uuid.uuid4().hex[:8]}")
        connection = Connection(
            BrokerOptions(port=port, **options),
            subscriptions=subscriptions or ("nothing/for/us",),
            on_message=ear.heard,
            on_state=ear.states.put_nowait,
            **given,
        )
        ear.connection = connection
        made.append(connection)
        await connection.start()
        if wait:
            await asyncio.wait_for(connection.wait_connected(), 20)
        return connection, ear

    yield make
    for connection in made:
        await connection.stop(timeout_s=0.2)


@pytest.fixture
def wire_on():
    """Make plain clients of a port: `wire_on(port, "topic/#")`."""
    made = []

    def make(port, *filters, **options):
        wire = Wire(port, "none", options.pop("name", "other"), **options)
        made.append(wire)
        return wire.listen(*filters)

    yield make
    for wire in made:
        wire.close()


@pytest.fixture(scope="session")
def iotcore_broker():
    """The embedded broker that comes with the package."""
    broker = EmbeddedBroker()
    yield broker.start("iotcore")
    broker.stop()


@pytest.fixture
def topic():
    """A topic nobody else uses: the broker is shared."""
    return f"t{uuid.uuid4().hex[:12]}"
