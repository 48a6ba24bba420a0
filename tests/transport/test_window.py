"""While memory is short only as many requests come in as have left."""

import pytest

from worker.transport.packets import Incoming
from worker.transport.window import Window


class Broker:
    def __init__(self):
        self.short = True
        self.acknowledged = []
        self.window = Window(
            lambda incoming: self.acknowledged.append(incoming.topic), lambda: self.short
        )

    def send(self, *names):
        for name in names:
            self.window.ack(Incoming(topic=name, payload=b"", token=name))


@pytest.fixture
def broker():
    return Broker()


def test_with_memory_enough_every_message_is_acknowledged_at_once(broker):
    broker.short = False
    broker.send("a", "b")
    assert broker.acknowledged == ["a", "b"]


def test_while_memory_is_short_one_comes_in_for_each_that_leaves(broker):
    broker.send("a", "b", "c")
    assert broker.acknowledged == []
    broker.window.open("acknowledged before")
    assert broker.acknowledged == ["a"]


def test_one_that_is_answered_is_acknowledged_before_any_other(broker):
    broker.send("a", "b", "c")
    broker.window.open("b")
    assert broker.acknowledged == ["b"]


def test_when_memory_is_back_nothing_is_held(broker):
    broker.send("a", "b", "c")
    broker.short = False
    broker.window.open("a")
    assert broker.acknowledged == ["a", "b", "c"]


def test_the_order_stays(broker):
    broker.send("a", "b")
    broker.short = False
    broker.send("c")
    assert broker.acknowledged == ["a", "b", "c"]


def test_after_a_reconnect_nothing_of_the_old_connection_is_acknowledged(broker):
    broker.send("a", "b")
    broker.window.forget()
    broker.window.open_wide()
    assert broker.acknowledged == []
