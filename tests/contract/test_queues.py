"""What waits for the single row: how much may, and in which order it is answered."""

import pytest
from exchange import (
    STUB,
    answer,
    begin,
    body_of,
    cancel,
    final_of,
    is_final,
    new_id,
    refusal,
    send,
)

# Of the narrow daemon: four may wait, three of one client.


def order_of_answers(client, asked):
    heard = [body_of(client.wait(is_final))["id"] for _ in asked]
    return [asked.index(request_id) for request_id in heard]


def test_a_client_with_as_many_waiting_as_it_may_is_told_queue_full(narrow_client, release):
    waiting = [send(narrow_client, "hello") for _ in range(3)]
    assert refusal(narrow_client, {"prompt": "one more"})["code"] == "queue_full"
    release()
    assert sorted(order_of_answers(narrow_client, waiting)) == [0, 1, 2]


def test_a_full_queue_is_full_for_everybody(narrow_client, client_of, narrow_daemon, release):
    other, third = client_of(narrow_daemon), client_of(narrow_daemon)
    for client in (narrow_client, narrow_client, other, third):
        send(client, "hello")
    assert refusal(third, {"prompt": "one more"})["code"] == "queue_full"


def test_queue_full_says_when_to_come_back(narrow_client, release):
    for _ in range(3):
        send(narrow_client, "hello")
    retry_after_ms = refusal(narrow_client, {"prompt": "one more"})["retry_after_ms"]
    assert isinstance(retry_after_ms, int)
    assert retry_after_ms > 0


def test_a_duplicate_of_what_waits_is_no_further_request(narrow_client, release):
    body = {"id": new_id(), "prompt": "hello"}
    for _ in range(5):
        narrow_client.send(body)
    send(narrow_client, "another")
    send(narrow_client, "a third")
    release()
    asked = {body_of(narrow_client.wait(is_final))["status"] for _ in range(3)}
    assert asked == {"ok"}


def test_a_refused_request_may_be_sent_again_under_its_id(narrow_client, release):
    waiting = [send(narrow_client, "hello") for _ in range(3)]
    body = {"id": new_id(), "prompt": "one more"}
    refusal(narrow_client, body)
    release()
    order_of_answers(narrow_client, waiting)
    assert answer(narrow_client, body)["content"] == "one more"


def test_a_full_queue_has_room_again_when_it_has_been_worked_off(narrow_client, release):
    waiting = [send(narrow_client, "hello") for _ in range(3)]
    release()
    order_of_answers(narrow_client, waiting)
    assert answer(narrow_client, "hello")["content"] == "hello"


@pytest.mark.parametrize(
    ("lanes", "order"),
    [
        (["batch", "interactive"], [1, 0]),
        (["batch", "standard", "interactive"], [2, 1, 0]),
        (["interactive", "interactive"], [0, 1]),
        (["standard", "batch", "standard"], [0, 2, 1]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_lanes_decide_who_is_next(narrow_client, release, lanes, order):
    asked = [send(narrow_client, "hello", lane=lane) for lane in lanes]
    answer_is_sure_to_wait(narrow_client, asked)
    release()
    assert order_of_answers(narrow_client, asked) == order


def test_the_lane_of_the_topic_decides_too(narrow_client, release):
    asked = [new_id(), new_id()]
    for request_id, lane in zip(asked, ["batch", "interactive"], strict=True):
        topic = f"{narrow_client.root}/request/{narrow_client.name}/{lane}"
        narrow_client.send({"id": request_id, "prompt": "hello"}, topic=topic)
    answer_is_sure_to_wait(narrow_client, asked)
    release()
    assert order_of_answers(narrow_client, asked) == [1, 0]


def answer_is_sure_to_wait(client, asked):
    """Return when all that was asked stands in the queue."""
    topic = f"{client.reply_topic}/status"
    waiting = []
    while len(waiting) < len(asked):
        client.send(
            {"op": "status", "reply_to": topic}, topic=f"{client.root}/control/{client.name}"
        )
        waiting = client.wait(lambda message: message.topic == topic).json["waiting"]
    assert waiting == asked


def test_more_bytes_than_may_wait_are_queue_full_and_room_comes_back(daemon_of, client_of):
    bounded = f"{STUB}[engine]\nmax_rows = 1\n[limits]\nqueued_bytes_per_client = 20000\n"
    daemon = daemon_of(config=bounded).start()
    client, other = client_of(daemon), client_of(daemon)
    running = begin(client, lane="interactive")
    first, second = (send(client, "x" * 9_000) for _ in range(2))
    error = refusal(client, {"prompt": "x" * 9_000})
    assert error["code"] == "queue_full"
    assert error["retry_after_ms"] >= 0
    waits = send(other, "x" * 9_000)
    cancel(client, running)
    for wire, request_id in ((client, first), (client, second), (other, waits)):
        assert body_of(final_of(wire, request_id))["status"] == "ok"
    assert answer(client, "x" * 9_000)["status"] == "ok"
