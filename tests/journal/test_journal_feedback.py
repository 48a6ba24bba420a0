"""Verdicts on modes as the journal keeps them: until they are forgotten, and not too many."""

import pytest
from journal_samples import a_reply, a_request, a_session, answer

from worker.domain.messages import Mode
from worker.journal import feedback
from worker.journal.feedback import Verdict
from worker.journal.storage import open_for_reading


def kept(path):
    with open_for_reading(path) as connection:
        return [(one.messages, one.think) for one in feedback.examples(connection)]


async def asked(journal, name="r1", *, mode=Mode.NO_THINK, **fields):
    request = a_request(name, **fields)
    await journal.accept(request)
    await answer(journal, request, a_reply(name, mode=mode))
    return request


@pytest.mark.parametrize(
    ("mode", "verdict", "think"),
    [
        (Mode.THINK, Verdict.GOOD, True),
        (Mode.NO_THINK, Verdict.GOOD, False),
        (Mode.NO_THINK, Verdict.SHOULD_HAVE_THOUGHT, True),
        (Mode.THINK, Verdict.NEED_NOT_HAVE, False),
    ],
)
async def test_a_verdict_says_what_the_question_needs(journal, path, mode, verdict, think):
    request = await asked(journal, mode=mode)
    assert await journal.feedback(request.client, request.key, verdict)
    assert kept(path) == [(("Is the oven on?",), think)]


async def test_a_later_verdict_replaces_an_earlier_one(journal, path):
    request = await asked(journal)
    for verdict in (Verdict.SHOULD_HAVE_THOUGHT, Verdict.GOOD):
        await journal.feedback(request.client, request.key, verdict)
    assert kept(path) == [(("Is the oven on?",), False)]


async def test_a_request_without_an_answer_has_nothing_to_judge(journal):
    request = a_request()
    await journal.accept(request)
    assert not await journal.feedback(request.client, request.key, Verdict.GOOD)


async def test_the_question_is_kept_with_what_its_session_asked_before(journal, path):
    request = a_request(text="And now prove it.", session="talk")
    await journal.accept(request)
    session = a_session("talk", "kitchen", "Is 7 prime?", "And now prove it.")
    await answer(journal, request, a_reply(mode=Mode.NO_THINK), session)
    await journal.feedback("kitchen", request.key, Verdict.SHOULD_HAVE_THOUGHT)
    assert kept(path) == [(("Is 7 prime?", "And now prove it."), True)]


async def test_an_example_outlives_its_record(journal, path, clock):
    request = await asked(journal)
    await journal.delivered(request.client, request.key)
    await journal.feedback(request.client, request.key, Verdict.GOOD)
    clock.time_s += 10 * 86_400
    assert await journal.expire() == 1
    assert len(kept(path)) == 1


async def test_forget_takes_the_examples_of_a_client_or_of_one_session(journal, path):
    for name, fields in {
        "a": {"client": "hall"},
        "b": {"session": "talk"},
        "c": {},
    }.items():
        request = await asked(journal, name, **fields)
        await journal.feedback(request.client, request.key, Verdict.GOOD)
    await journal.forget("kitchen", "talk")
    assert len(kept(path)) == 2
    await journal.forget("kitchen")
    assert len(kept(path)) == 1


async def test_of_very_many_examples_the_oldest_go(journal, path, monkeypatch):
    monkeypatch.setattr(feedback, "EXAMPLES_LIMIT", 3)
    for n in range(5):
        request = await asked(journal, f"r{n}", text=f"question {n}")
        await journal.feedback(request.client, request.key, Verdict.GOOD)
    assert [messages for messages, _ in kept(path)] == [(f"question {n}",) for n in (2, 3, 4)]
