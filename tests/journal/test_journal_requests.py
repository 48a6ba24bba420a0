"""What a client may rely on: one record for each (client, id), one answer, nothing mixed up."""

import sqlite3

import pytest
from journal_samples import STREAM, a_reply, a_request, a_session, answer, finish

from worker.domain.errors import BadRequest
from worker.domain.messages import (
    ErrorBody,
    FunctionCall,
    Kind,
    Message,
    Mode,
    Reply,
    ReplyRoute,
    ToolCall,
)
from worker.domain.session import Session
from worker.journal.store import Answered, Dead, Joined, Journal, New, State

OTHER = ReplyRoute("thinkq/reply/kitchen/display")


async def test_an_unknown_request_is_new(journal):
    assert await journal.accept(a_request()) == New()
    assert await journal.find("kitchen", b"r1") is State.ACCEPTED


async def test_a_duplicate_of_a_waiting_request_joins_it(journal):
    await journal.accept(a_request())
    assert await journal.accept(a_request()) == Joined(State.ACCEPTED)
    assert len(journal.backlog()) == 1


async def test_a_duplicate_of_a_running_request_joins_it(journal):
    await journal.accept(a_request())
    await journal.running("kitchen", b"r1", 0)
    assert await journal.accept(a_request()) == Joined(State.RUNNING)


async def test_a_duplicate_gets_the_recorded_reply(journal):
    request, reply = a_request(), a_reply()
    await journal.accept(request)
    await answer(journal, request, reply)
    assert await journal.accept(request) == Answered(reply, (request.reply_to,))


async def test_equal_ids_of_two_clients_never_meet(journal):
    await journal.accept(a_request(client="kitchen"))
    assert await journal.accept(a_request(client="garage")) == New()


async def test_what_was_accepted_is_found_after_reopening(path):
    journal = Journal.open(path)
    await journal.accept(a_request())
    await journal.close()
    journal = Journal.open(path)
    assert await journal.accept(a_request()) == Joined(State.ACCEPTED)
    await journal.close()


async def test_the_backlog_is_in_order_of_arrival_and_whole(journal):
    requests = [a_request(f"r{number}") for number in range(5)]
    for request in requests:
        await journal.accept(request)
    await journal.running("kitchen", b"r3", 1)
    await answer(journal, requests[2])
    backlog = journal.backlog()
    assert [entry.request for entry in backlog] == [requests[0], requests[1], *requests[3:]]
    assert [entry.attempts for entry in backlog] == [0, 0, 1, 0]


async def test_a_duplicates_other_route_gets_the_reply_too(journal):
    request = a_request()
    await journal.accept(request)
    await journal.accept(a_request(topic=OTHER.topic))
    assert journal.backlog()[0].routes == (request.reply_to, OTHER)
    await answer(journal, request)
    assert journal.undelivered()[0].routes == (request.reply_to, OTHER)


async def test_one_client_can_not_name_routes_without_end(journal):
    for number in range(40):
        await journal.accept(a_request(topic=f"thinkq/reply/kitchen/{number}"))
    assert len(journal.backlog()[0].routes) == 16


async def test_a_reply_stays_undelivered_until_the_broker_has_it(journal):
    request, reply = a_request(), a_reply()
    await journal.accept(request)
    await answer(journal, request, reply)
    (entry,) = journal.undelivered()
    assert (entry.client, entry.key, entry.reply) == ("kitchen", b"r1", reply)
    await journal.delivered("kitchen", b"r1")
    assert journal.undelivered() == []
    assert await journal.find("kitchen", b"r1") is State.DELIVERED


async def test_a_reply_asked_for_again_is_undelivered_again_where_it_was_asked_for(journal):
    await finish(journal, a_request())
    await journal.accept(a_request(topic=OTHER.topic))
    assert journal.undelivered()[0].routes == (OTHER,)


async def test_a_reply_delivered_on_one_route_waits_for_the_other(journal):
    request = a_request()
    await journal.accept(request)
    await journal.accept(a_request(topic=OTHER.topic))
    await answer(journal, request)
    await journal.delivered("kitchen", b"r1", [request.reply_to])
    assert journal.undelivered()[0].routes == (OTHER,)


async def test_the_first_answer_is_the_only_one(journal):
    request = a_request()
    await journal.accept(request)
    await answer(journal, request, a_reply(content="the first"))
    await answer(journal, request, a_reply(content="the second"))
    assert (await journal.accept(request)).reply.content == "the first"


async def test_an_answered_request_does_not_run_again(journal):
    await finish(journal, a_request())
    await journal.running("kitchen", b"r1", 0)
    assert await journal.find("kitchen", b"r1") is State.DELIVERED


async def test_every_field_of_a_reply_comes_back(journal):
    reply = Reply(
        id="r1",
        status="error",
        metadata={"a": [1, 2.5, None, {"b": "ü"}]},
        error=ErrorBody("queue_full", "full", 10, "id"),
        mode=Mode.THINK,
    )
    request = a_request()
    await journal.accept(request)
    await answer(journal, request, reply)
    recorded, _ = await journal.parts("kitchen", b"r1")
    assert recorded == reply


async def test_a_stream_is_replayed_in_its_parts(journal):
    reply = a_reply(content="It is off...", reasoning="Hm, ovn")
    await journal.accept(a_request())
    await journal.answer("kitchen", b"r1", reply, stream=STREAM)
    _, parts = await journal.parts("kitchen", b"r1")
    assert parts == {Kind.REASONING: ["Hm,", " ovn"], Kind.ANSWER: ["It is ", "off..."]}


async def test_a_streamed_tool_call_is_replayed_as_it_was_written(journal):
    call = ToolCall("call_0_0", FunctionCall("oven", '{"on":false}'))
    written = (
        '{"id":"call_0_0","type":"function",'
        r'"function":{"name":"oven","arguments":"{\"on\":false}"}}'
    )
    await journal.accept(a_request())
    reply = a_reply(content="", tool_calls=(call,))
    await journal.answer("kitchen", b"r1", reply, stream={Kind.TOOL: [len(written)]})
    _, parts = await journal.parts("kitchen", b"r1")
    assert parts == {Kind.TOOL: [written]}


async def test_a_stream_whose_text_is_not_in_the_reply_is_not_replayed_wrongly(journal):
    reply = Reply(id="r1", status="error", error=ErrorBody("cancelled", "cancelled"))
    await journal.accept(a_request())
    await journal.answer("kitchen", b"r1", reply, stream={Kind.REASONING: [5]})
    assert await journal.parts("kitchen", b"r1") == (reply, {})


async def test_there_are_no_parts_without_an_answer(journal):
    await journal.accept(a_request())
    assert await journal.parts("kitchen", b"r1") is None


async def test_a_dead_request_has_its_reason_and_its_reply(journal):
    request = a_request()
    reply = Reply(id="r1", status="error", error=ErrorBody("poisoned", "twice"))
    await journal.accept(request)
    await journal.dead("kitchen", b"r1", "poisoned", reply, history=["engine down"])
    assert await journal.accept(request) == Dead("poisoned", reply, (request.reply_to,))
    assert journal.backlog() == []


async def test_a_dead_requests_reply_is_delivered_and_it_stays_dead(journal):
    reply = Reply(id="r1", status="error", error=ErrorBody("poisoned", "twice"))
    await journal.accept(a_request())
    await journal.dead("kitchen", b"r1", "poisoned", reply)
    assert [entry.reply for entry in journal.undelivered()] == [reply]
    await journal.delivered("kitchen", b"r1")
    assert journal.undelivered() == []
    assert await journal.find("kitchen", b"r1") is State.DEAD


async def test_a_session_is_kept_with_the_answer(journal):
    request = a_request(session="talk")
    session = Session("talk", "kitchen", Mode.THINK, (Message("user", "Is the oven on?"),))
    await journal.accept(request)
    assert await journal.session("talk") is None
    await answer(journal, request, session=session)
    found = await journal.session("talk")
    assert found == Session("talk", "kitchen", Mode.THINK, session.messages, 1_000_000.0)


async def test_another_client_can_not_take_a_session_over(journal):
    for client in ("kitchen", "garage"):
        request = a_request(client=client, session="talk")
        await journal.accept(request)
        await answer(journal, request, session=a_session("talk", client, f"from {client}"))
    found = await journal.session("talk")
    assert (found.client, found.messages[0].content) == ("kitchen", "from kitchen")


async def test_a_number_that_can_not_be_kept_is_refused_and_the_journal_goes_on(journal):
    request = a_request()
    with pytest.raises(BadRequest, match="can't be kept"):
        await journal.accept(
            type(request)(
                id="r1",
                key=b"r1",
                client="kitchen",
                lane=request.lane,
                messages=request.messages,
                reply_to=request.reply_to,
                arrived_at=0.0,
                metadata={"big": 2**70},
            )
        )
    assert await journal.accept(request) == New()


async def test_the_counts_are_by_state_and_by_client(journal):
    await journal.accept(a_request("r1", "kitchen"))
    await journal.accept(a_request("r2", "kitchen"))
    await finish(journal, a_request("r3", "garage"))
    stats = await journal.stats()
    assert stats.states == {"accepted": 2, "delivered": 1}
    assert stats.clients == {"kitchen": 2, "garage": 1}
    assert stats.record_bytes > 0


async def test_an_answer_whose_session_can_not_be_kept_is_not_kept_either(journal):
    request = a_request(session="talk")
    await journal.accept(request)
    await journal._writer.submit(
        lambda connection: connection.execute(
            "CREATE TRIGGER no_room BEFORE INSERT ON session BEGIN SELECT raise(FAIL, 'no'); END"
        )
    )
    with pytest.raises(sqlite3.IntegrityError):
        await answer(journal, request, session=a_session("talk", "kitchen", "hello"))
    assert await journal.find("kitchen", b"r1") is State.ACCEPTED
    assert journal.undelivered() == []
