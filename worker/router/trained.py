"""The router that ships: certain rules first, then the classifier over the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from worker.domain.messages import Mode
from worker.router import explain, policy, rules
from worker.router.classifier import probability
from worker.router.conversation import DOUBTED, WHOLLY, beside, doubts, leaning
from worker.router.features import read
from worker.router.judge import Verdict

if TYPE_CHECKING:
    from worker.router.classifier import Classifier
    from worker.router.judge import Question
    from worker.router.site import Site

Weighed: TypeAlias = dict[str, int]
Features: TypeAlias = tuple[tuple[str, float], ...]

TURNS_BACK = 4
"""How many earlier messages a chain of "and now …" is followed back."""

HALF = 0.5
"""Of a message's task; one that brings more of it along is what the others refer to."""

AND_THEN = ". "
"""Between messages that are read as one."""

BUSY = "Thinking might pay, but others are waiting."

CERTAIN_SCORE = 0.01
"""The score of what a rule turns down."""


class TrainedRouter:
    """Judges by `rules`, then by a `Classifier` with what a site has taught it.

    Args:
        classifier: The trained model.
        preset: What being wrong costs where a question doesn't say.
        site: The site's layer, None without one.

    """

    def __init__(
        self,
        classifier: Classifier,
        preset: policy.Preset = policy.Preset.BALANCED,
        site: Site | None = None,
    ) -> None:
        self._site = site
        self._classifier = classifier
        self._preset = preset
        self._phrases = explain.phrases_of(classifier.model.weights, classifier.model.phrases)
        self._per_log_odds = classifier.model.unit / classifier.model.slope

    def judge(self, question: Question) -> Verdict:
        """Return the verdict on one question."""
        certain = rules.certain_no_thinking(question.text)
        if certain is not None:
            return Verdict(
                mode=Mode.NO_THINK, score=CERTAIN_SCORE, decided_by="rule", reason=certain
            )
        weighed = self._classifier.weigh(question.text)
        log_odds = self._classifier.log_odds(weighed)
        features = explain.in_words(weighed, self._phrases, per_log_odds=self._per_log_odds)
        if question.earlier:
            log_odds, features = self._in_conversation(question, weighed, log_odds, features)
        if question.brings_more:
            log_odds, features = _with_what_comes_along(question, weighed, log_odds, features)
        if self._site is not None:
            log_odds, features = self._at_this_site(self._site, question, log_odds, features)
        score = round(probability(log_odds), 4)
        preset = question.preset or self._preset
        mode = policy.choose(score, preset, question.lane)
        decided_by: Literal["classifier", "load"] = "classifier"
        reason = explain.sentence(features, thinks=mode is Mode.THINK)
        if question.load and policy.choose(score, preset, question.lane, question.load) is not mode:
            mode, decided_by, reason = Mode.NO_THINK, "load", BUSY
        return Verdict(
            mode=mode, score=score, decided_by=decided_by, reason=reason, features=features
        )

    def _in_conversation(
        self, question: Question, weighed: Weighed, log_odds: float, features: Features
    ) -> tuple[float, Features]:
        """Move a message's log odds toward those of it and what it refers to, read as one."""
        before = question.earlier[-1]
        share = leaning(weighed, question.text, before, self._classifier.weigh(before))
        if not share:
            return log_odds, features
        read_on = [] if share == WHOLLY else [question.text]
        for text in reversed(question.earlier[-TURNS_BACK:]):
            read_on.insert(0, text)
            if leaning(self._classifier.weigh(text), text) < HALF:
                break
        together = self._classifier.weigh(AND_THEN.join(read_on))
        moved = share * (self._classifier.log_odds(together) - log_odds)
        if doubts(question.text.lower()):
            moved += DOUBTED
        return log_odds + moved, explain.with_feature(features, explain.REFERENCE, moved)

    def marks(self, question: Question) -> set[str]:
        """Return the marks that a site's layer may weigh: of the last message alone."""
        return read(question.text, self._classifier.model.concepts)

    def _at_this_site(
        self, site: Site, question: Question, log_odds: float, features: Features
    ) -> tuple[float, Features]:
        moved = site.correction(self.marks(question))
        return log_odds + moved, explain.with_feature(features, explain.SITE, moved)


def _with_what_comes_along(
    question: Question, weighed: Weighed, log_odds: float, features: Features
) -> tuple[float, Features]:
    """Move the log odds by the structure of what comes with the message, whatever its words say."""
    for phrase, moved in beside(question, weighed):
        log_odds += moved
        features = explain.with_feature(features, phrase, moved)
    return log_odds, features
