"""What no window holds, read part by part: each summarized for the question that is answered then.

A client asks for it (`long: "summarize"`). The parts run one after another, as the job's own row
in its own lane: reading is what takes the time, and two parts at once are not read faster. Between
two of them the job waits as any other, so it holds nobody up. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from worker.daemon.conversation import written_value
from worker.domain.messages import Mode, Sampling
from worker.engine.pipe import Submit

if TYPE_CHECKING:
    from worker.daemon.job import Job
    from worker.domain.messages import Message
    from worker.engine.pipe import Done, Failed

MOST_PARTS = 256
"""More would take longer than anybody waits."""

_MOST_ROUNDS = 4
_PART = 0.5
"""Of a window, what a part takes; the rest is for the question and what is written of it."""
_LEFT = 0.25
"""Of the limit, what is left as it is; the longest texts are summarized first."""
_SUMMARIES = 0.35
"""Of the limit, what the summaries take together."""
_FEWEST_TOKENS, _MOST_TOKENS = 32, 512
_WORDS_PER_TOKEN = 0.6
_QUESTION = 0.05
"""Of a window, what the beginning of a long question takes, and its end as much."""
_QUESTION_CHARACTERS = range(100, 600)
_SHORTEST_PART = 200
_BREAKS = ("\n\n", "\n", ". ", " ")

_ASKED = """\
Below is a part of a text that is too long to be read at once: number {part} of {parts}. \
It belongs to this request:

{question}

The part:

{text}

Write down what this part says that matters for the request, in at most {words} words. \
Do not answer the request yet."""


class Part(Struct):
    """A piece of a text: `place` says which, `said` what was written of it."""

    place: tuple[str, int | str]
    text: str
    said: str = ""


class Summary:
    """The parts of one job."""

    def __init__(self) -> None:
        self.rounds = 0
        self._parts: list[Part] = []
        self._next = 0
        self._part_tokens = 0
        self._read = 0
        self._question = ""
        self._spent = [0, 0, 0]

    @property
    def active(self) -> bool:
        """Whether there are parts left to be read."""
        return self._next < len(self._parts)

    @property
    def count(self) -> tuple[int, int]:
        """Which part is next, from 1, and how many there are."""
        return self._next + 1, len(self._parts)

    def begin(self, job: Job, failed: Failed, window_tokens: int) -> bool:
        """Take apart what is too long; False where that is of no use.

        Args:
            job: Its session must have been read.
            failed: What the engine said of its length.
            window_tokens: How many tokens may be read at once without stretching; 0: any.

        """
        if failed.tokens is None or failed.limit is None:
            return False
        if self.active:
            return self._halve()
        if self.rounds == _MOST_ROUNDS:
            return False
        self.rounds += 1
        texts = _texts(job)
        characters = sum(map(len, texts.values()))
        per_token = max(1.0, characters / max(1, failed.tokens))
        window = min(failed.limit, window_tokens or failed.limit)
        size = int(_QUESTION * window * per_token)
        size = min(max(size, _QUESTION_CHARACTERS.start), _QUESTION_CHARACTERS.stop)
        self._question = _question(job, size)
        self._parts, self._next = [], 0
        left = characters
        for place in sorted(texts, key=lambda one: len(texts[one]), reverse=True):
            if left <= _LEFT * failed.limit * per_token:
                break
            left -= len(texts[place])
            pieces = split(texts[place], max(_SHORTEST_PART, int(_PART * window * per_token)))
            self._parts += [Part(place, piece) for piece in pieces]
        if not 0 < len(self._parts) <= MOST_PARTS:
            self._parts = []
            return False
        share = int(_SUMMARIES * failed.limit / len(self._parts))
        self._part_tokens = min(_MOST_TOKENS, max(_FEWEST_TOKENS, share))
        return True

    def submission(self, job: Job, context_tokens: int | None, urgency: int) -> Submit:
        """Return the row that reads the next part."""
        number, parts = self.count
        asked = _ASKED.format(
            part=number,
            parts=parts,
            question=self._question,
            text=self._parts[self._next].text,
            words=int(self._part_tokens * _WORDS_PER_TOKEN),
        )
        return Submit(
            row=job.row,
            messages=[{"role": "user", "content": asked}],
            mode=Mode.NO_THINK,
            sampling=Sampling(max_tokens=self._part_tokens, seed=job.request.sampling.seed),
            owner=job.request.client,
            generated=job.generated,
            context_tokens=context_tokens,
            urgency=urgency,
        )

    def say(self, text: str) -> None:
        """Take a piece of what is written of the part."""
        self._parts[self._next].said += text

    def part_done(self, job: Job, done: Done) -> None:
        """Go on to the next part, or put what was written in the place of what was too long."""
        self._spent[0] += done.prompt_tokens
        self._spent[1] += done.cached_tokens
        self._spent[2] += done.completion_tokens
        self._read += 1
        self._next += 1
        job.generated.clear()
        if not self.active:
            _put(job, self._parts, self._question)

    def total(self, done: Done) -> Done:
        """Return the end of a job with what its parts took, and a word about them."""
        prompt, cached, completion = self._spent
        notes = list(done.notes)
        if self._read:
            notes.append(f"What was too long was summarized first, in {self._read} parts.")
        return replace(
            done,
            prompt_tokens=done.prompt_tokens + prompt,
            cached_tokens=done.cached_tokens + cached,
            completion_tokens=done.completion_tokens + completion,
            notes=notes,
        )

    def _halve(self) -> bool:
        """Take the next part apart: it has more tokens than its length made believe."""
        part = self._parts[self._next]
        if len(part.text) < 2 * _SHORTEST_PART or len(self._parts) == MOST_PARTS:
            return False
        halves = split(part.text, len(part.text) // 2 + 1)
        self._parts[self._next : self._next + 1] = [Part(part.place, half) for half in halves]
        return True


def split(text: str, most: int) -> list[str]:
    """Return a text in pieces of at most so many characters, cut between paragraphs if possible."""
    pieces = []
    while len(text) > most:
        cut = most
        for mark in _BREAKS:
            found = text.rfind(mark, most // 2, most - len(mark))
            if found >= 0:
                cut = found + len(mark)
                break
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def _texts(job: Job) -> dict[tuple[str, int | str], str]:
    """Return every text that may be summarized, by where it stands."""
    found: dict[tuple[str, int | str], str] = {}
    for name, value in (job.request.context or {}).items():
        found["context", name] = written_value(value)
    for where, messages in (("request", job.request.messages), ("session", _history(job))):
        for number, message in enumerate(messages):
            if message.role != "system" and message.content:
                found[where, number] = message.content
    return found


def _history(job: Job) -> tuple[Message, ...]:
    return () if job.session is None else job.session.messages


def _question(job: Job, size: int) -> str:
    """Return what is asked: of a long message so many characters of its beginning and its end."""
    asked = [message.content or "" for message in job.request.messages if message.role == "user"]
    text = asked[-1] if asked else ""
    return text if len(text) <= 2 * size else f"{text[:size]} […] {text[-size:]}"


def _put(job: Job, parts: list[Part], question: str) -> None:
    """Let the job go on with summaries in the place of its longest texts."""
    texts: dict[tuple[str, int | str], list[str]] = {}
    for part in parts:
        texts.setdefault(part.place, []).append(part.said.strip())
    written = {place: "(Summarized.)\n\n" + "\n\n".join(said) for place, said in texts.items()}
    asked = ("request", _last_user(job.request.messages))
    if asked in written:
        written[asked] = f"{question}\n\n{written[asked]}"
    context: dict[str, Any] | None = job.request.context
    if context is not None:
        context = {name: written.get(("context", name), value) for name, value in context.items()}
    request = replace(
        job.request, messages=_with(job.request.messages, "request", written), context=context
    )
    job.request = request
    if job.session is not None:
        history = _with(job.session.messages, "session", written)
        job.session = replace(job.session, messages=history)


def _with(
    messages: tuple[Message, ...], where: str, written: dict[tuple[str, int | str], str]
) -> tuple[Message, ...]:
    return tuple(
        replace(message, content=written.get((where, number), message.content))
        for number, message in enumerate(messages)
    )


def _last_user(messages: tuple[Message, ...]) -> int:
    users = [number for number, message in enumerate(messages) if message.role == "user"]
    return users[-1] if users else -1
