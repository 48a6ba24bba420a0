"""Several workers that divide the requests of one broker: for clients nothing changes."""

import uuid

import pytest
from exchange import Heard, add_to_topics, begin, body_of, cancel, is_final, nothing_more, send
from rig import Daemon


@pytest.fixture(scope="module")
def pair(tmp_path_factory, mosquitto):
    """Two workers with one root and one group."""
    root = f"t{uuid.uuid4().hex[:12]}"
    daemons = [
        Daemon(tmp_path_factory.mktemp(worker), mosquitto.port, root=root, worker=worker)
        for worker in ("left", "right")
    ]
    for daemon in daemons:
        add_to_topics(daemon, "group = 'pair'").start()
    yield daemons
    for daemon in daemons:
        daemon.stop()


@pytest.fixture
def shared(client_of, pair):
    """A client of both."""
    return client_of(pair[0])


def test_requests_are_divided_and_each_is_answered_once(shared):
    asked = [send(shared, f"number {number}") for number in range(40)]
    replies = [body_of(shared.wait(is_final)) for _ in asked]
    assert sorted(reply["id"] for reply in replies) == sorted(asked)
    assert {reply["worker"] for reply in replies} == {"left", "right"}
    nothing_more(shared)


def test_each_worker_has_a_status_of_its_own(shared):
    shared.listen(f"{shared.root}/worker/+/status")
    for worker in ("left", "right"):
        topic = f"{shared.root}/worker/{worker}/status"
        status = shared.wait(lambda message, topic=topic: message.topic == topic)
        assert status.json["status"] == "online"


def test_a_cancel_reaches_the_worker_that_runs_the_request(shared):
    for _ in range(4):
        request_id = begin(shared)
        cancel(shared, request_id)
        assert Heard(shared, request_id).final["finish_reason"] == "cancelled"


def test_the_other_worker_answers_when_one_has_stopped(shared, pair):
    pair[0].stop()
    asked = [send(shared, f"number {number}") for number in range(10)]
    replies = [body_of(shared.wait(is_final)) for _ in asked]
    assert {reply["worker"] for reply in replies} == {"right"}
    pair[0].start()
