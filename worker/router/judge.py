"""The question put to a router and its verdict: the seam a classifier is exchanged at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from worker.domain.messages import Lane, Mode
from worker.router.policy import Preset

if TYPE_CHECKING:
    from worker.router.site import Site


class Question(Struct, frozen=True, kw_only=True):
    """What a router judges: the conversation without its soft switches.

    `text` is the last user message, `earlier` the user messages before it, oldest first. Tool
    results and system prompts are not part of the question. Of the documents in the request's
    `context` only the structure counts: their characters and the numbers found in them. `preset`
    is what being wrong costs this client, None for the router's own; `load` how full the worker is.
    """

    text: str
    earlier: tuple[str, ...] = ()
    last_answer: str = ""
    documents_chars: int = 0
    documents_numbers: int = 0
    has_tools: bool = False
    wants_schema: bool = False
    lane: Lane = Lane.STANDARD
    preset: Preset | None = None
    load: float = 0.0

    @property
    def brings_more(self) -> bool:
        """Whether there is more than messages to go by."""
        documents = self.documents_chars or self.documents_numbers
        return bool(documents or self.has_tools or self.wants_schema)


class Verdict(Struct, frozen=True, kw_only=True):
    """A judged question.

    `score` is the probability, from 0 to 1, that thinking pays. `reason` is one sentence for the
    user, `features` what carried the score, strongest first, in the user's words, with signed
    weights in log odds: positive speaks for thinking.
    """

    mode: Mode
    score: float
    decided_by: Literal["rule", "classifier", "load", "default"]
    reason: str
    features: tuple[tuple[str, float], ...] = ()


class Router(Protocol):
    """Judges whether thinking pays for a question; pure, and quick enough to call in a loop."""

    def judge(self, question: Question) -> Verdict:
        """Return the verdict on one question."""
        ...


def load_router(preset: Preset = Preset.BALANCED, site: Site | None = None) -> Router:
    """Load the router that ships, in a few milliseconds; it is then shared by all requests.

    Args:
        preset: What being wrong costs where a question doesn't say.
        site: What this site has taught it.

    """
    from worker.router import classifier, trained  # noqa: PLC0415 - the seam is free of its filling

    return trained.TrainedRouter(classifier.load(), preset, site)
