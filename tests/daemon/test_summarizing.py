"""What is too long is taken apart between paragraphs; what was written of it takes its place."""

import pytest
from msgspec.structs import replace

from worker.daemon.job import Job
from worker.daemon.summarizing import MOST_PARTS, Summary, split
from worker.domain.messages import Lane, Message, ReplyRoute, Request
from worker.domain.session import Session
from worker.engine.pipe import Done, Failed

PARAGRAPHS = "\n\n".join(f"Paragraph {number} " + "tells of cats. " * 12 for number in range(60))
TOKENS = len(PARAGRAPHS) // 4


def job_of(prompt="What about cats?", **fields):
    request = Request(
        id="a",
        key=b"a",
        client="me",
        lane=Lane.BATCH,
        messages=(Message("user", prompt),),
        reply_to=ReplyRoute("t/reply/me"),
        arrived_at=0.0,
        long="summarize",
        **fields,
    )
    return Job(1, request, (request.reply_to,), 0.0)


def too_long(tokens=TOKENS, limit=1000):
    return Failed(1, "context_too_long", "too long", tokens=tokens, limit=limit)


def read(job, summary):
    """Answer each part with a word; return what was asked."""
    asked = []
    while summary.active:
        asked.append(summary.submission(job, None, 0).messages[0]["content"])
        summary.say(f"said {len(asked)}")
        summary.part_done(job, Done(row=1, finish_reason="stop", prompt_tokens=10, cached_tokens=1))
    return asked


@pytest.mark.parametrize("most", [7, 100, 1000, 10**6])
def test_pieces_joined_are_the_text_and_none_is_too_long(most):
    pieces = split(PARAGRAPHS, most)
    assert "".join(pieces) == PARAGRAPHS
    assert max(map(len, pieces)) <= most


def test_a_text_is_cut_between_paragraphs():
    assert all(piece.startswith("Paragraph") for piece in split(PARAGRAPHS, 1000))


def test_every_part_is_read_with_the_question_and_answers_stand_in_its_place():
    job, summary = job_of(context={"manual": PARAGRAPHS, "now": "22 degrees"}), Summary()
    assert summary.begin(job, too_long(), 0)
    asked = read(job, summary)
    assert all("What about cats?" in one for one in asked)
    assert f"number 1 of {len(asked)}" in asked[0]
    assert job.request.context["now"] == "22 degrees"
    written = job.request.context["manual"]
    assert [f"said {number}" in written for number in range(1, len(asked) + 1)] == [True] * len(
        asked
    )
    assert job.request.messages[0].content == "What about cats?"


def test_a_long_message_keeps_its_question():
    job, summary = job_of(f"{PARAGRAPHS}\n\nWhich of them is about cats?"), Summary()
    assert summary.begin(job, too_long(), 0)
    asked = read(job, summary)
    assert all("Which of them is about cats?" in one for one in asked)
    assert "Which of them is about cats?" in job.request.messages[0].content
    assert len(job.request.messages[0].content) < 3000


def test_a_history_that_has_grown_too_long_is_summarized_and_the_session_goes_on_with_that():
    job, summary = job_of(session="s"), Summary()
    job.session = Session("s", "me", messages=(Message("user", PARAGRAPHS),))
    assert summary.begin(job, too_long(), 0)
    read(job, summary)
    assert len(job.session.messages[0].content) < 3000


def test_a_part_that_is_too_long_all_the_same_is_halved():
    job, summary = job_of(PARAGRAPHS), Summary()
    summary.begin(job, too_long(), 0)
    _, parts = summary.count
    assert summary.begin(job, too_long(), 0)
    assert summary.count[1] > parts


def test_what_would_take_too_many_parts_is_not_begun():
    job, summary = job_of("word " * 100_000), Summary()
    assert not summary.begin(job, too_long(tokens=100_000, limit=MOST_PARTS), 0)
    assert not summary.active


def test_summaries_that_never_get_short_enough_end():
    job, summary = job_of(PARAGRAPHS), Summary()
    rounds = 0
    while summary.begin(job, too_long(), 0):
        read(job, summary)
        job.request = replace(job.request, messages=(Message("user", PARAGRAPHS),))
        rounds += 1
    assert rounds == 4


def test_parts_are_read_without_stretching_the_model():
    job, one, other = job_of(PARAGRAPHS), Summary(), Summary()
    one.begin(job, too_long(), 0)
    other.begin(job, too_long(), 500)
    assert other.count[1] > 1.5 * one.count[1]


def test_the_reply_counts_what_the_parts_took_and_says_that_there_were_some():
    job, summary = job_of(PARAGRAPHS), Summary()
    summary.begin(job, too_long(), 0)
    parts = len(read(job, summary))
    done = summary.total(Done(row=1, finish_reason="stop", prompt_tokens=5, completion_tokens=3))
    assert done.prompt_tokens == 5 + 10 * parts
    assert done.cached_tokens == parts
    assert done.notes == [f"What was too long was summarized first, in {parts} parts."]
