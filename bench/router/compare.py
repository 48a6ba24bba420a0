"""What else could judge: other classifiers on the same prompts, each source left out in turn.

    python -m bench.router.compare

All learn from the same examples with the same weights and are asked about prompts of a source that
they have not seen. `at once` is the time for one prompt, on one core; `size` that of what would
have to ship. Needs the packages of the `train` group, and the embedded model for its embeddings.
"""

from __future__ import annotations

import pickle
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from bench.router import corpus, learn
from worker.router.classifier import Classifier, probability
from worker.router.measures import Judged, by_group, figures

FOLDS = 8
"""Models per kind."""

Predict = Callable[[Sequence[str]], Sequence[float]]


class Kind(Struct, frozen=True):
    """A kind of classifier: its name and how it is fitted."""

    name: str
    fit: Callable[[list[corpus.Example], np.ndarray], tuple[Predict, int]]


def ours(examples: list[corpus.Example], weights: np.ndarray) -> tuple[Predict, int]:
    concepts = corpus.concepts()
    learned = learn.corpus_of(examples, concepts[0])
    fitted = learn.fit(learned, weights, flat=learn.FLAT_ENOUGH)
    model = learn.model_of(learned, fitted, (1.0, 0.0), concepts)
    classifier = Classifier(model)

    def predict(texts: Sequence[str]) -> list[float]:
        return [probability(classifier.log_odds(classifier.weigh(text))) for text in texts]

    return predict, len(msgspec.json.encode(model))


def by_pipeline(make: Callable[[], Any]) -> Callable[..., tuple[Predict, int]]:
    """Return the fit of a scikit-learn pipeline."""

    def fit(examples: list[corpus.Example], weights: np.ndarray) -> tuple[Predict, int]:
        pipeline = make()
        last = pipeline.steps[-1][0]
        pipeline.fit(
            [e.text for e in examples],
            [e.think for e in examples],
            **{f"{last}__sample_weight": weights},
        )

        def predict(texts: Sequence[str]) -> list[float]:
            return list(pipeline.predict_proba(texts)[:, 1])

        return predict, len(pickle.dumps(pipeline.steps[-1][1]))

    return fit


def shape(texts: Sequence[str]) -> np.ndarray:
    """Return what can be counted of each text without knowing its words."""
    return np.array(
        [
            [
                len(text), len(text.split()), text.count("\n"), sum(c.isdigit() for c in text),
                text.count("?"), text.count(","), sum(c in "=+*/^<>{}()[];" for c in text),
                sum(c.isupper() for c in text), sum(ord(c) > 0x2E80 for c in text),
            ]
            for text in texts
        ],
        float,
    )  # fmt: skip


def length_only(texts: Sequence[str]) -> np.ndarray:
    return np.array([[np.log1p(len(text))] for text in texts])


def embeddings() -> Callable[[Sequence[str]], np.ndarray]:
    """Return the mean of SmolLM2's own token embeddings: static embeddings without a download."""
    from worker.engine import blas

    blas.prepare()
    from worker.engine.models import ensure_embedded, load
    from worker.settings import load as settings

    loaded = load(ensure_embedded(settings().data_dir))
    table = np.array(loaded.model.model.embed_tokens.weight)

    def of(texts: Sequence[str]) -> np.ndarray:
        means = [
            table[loaded.tokenizer.encode(text, add_special_tokens=False) or [0]].mean(0)
            for text in texts
        ]
        return np.array(means) * 20

    return of


def logistic(**options: Any) -> LogisticRegression:
    return LogisticRegression(max_iter=2000, **options)


def characters() -> TfidfVectorizer:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=3, sublinear_tf=True)


def kinds() -> list[Kind]:
    static = embeddings()
    return [
        Kind("length alone", by_pipeline(
            lambda: make_pipeline(FunctionTransformer(length_only), logistic()))),
        Kind("shape, boosted trees", by_pipeline(
            lambda: make_pipeline(FunctionTransformer(shape), HistGradientBoostingClassifier(
                max_iter=150, random_state=0)))),
        Kind("words, linear", by_pipeline(
            lambda: make_pipeline(TfidfVectorizer(min_df=2, sublinear_tf=True), logistic(C=10)))),
        Kind("character n-grams, linear", by_pipeline(
            lambda: make_pipeline(characters(), logistic(C=10)))),
        Kind("character n-grams and shape", by_pipeline(
            lambda: make_pipeline(FeatureUnion([
                ("text", characters()),
                ("shape", FunctionTransformer(lambda texts: np.log1p(shape(texts)) / 3)),
            ]), logistic(C=10)))),
        Kind("static embeddings, linear", by_pipeline(
            lambda: make_pipeline(FunctionTransformer(static), logistic(C=3)))),
        Kind("what ships", ours),
    ]  # fmt: skip


def unseen(
    kind: Kind, examples: list[corpus.Example], asked: Sequence[int]
) -> tuple[list[float], float]:
    """Return scores of the prompts asked about by models without their source, and the size.

    Sources are left out several at a time, as for the calibration of what ships no single one
    decides; the same ones for all kinds.
    """
    scores, sizes = dict.fromkeys(asked, 0.5), []
    sources = sorted({examples[at].source for at in asked})
    for fold in range(FOLDS):
        left_out = set(sources[fold::FOLDS])
        rest = [example for example in examples if example.source not in left_out]
        predict, size = kind.fit(rest, learn.weights_of(rest))
        sizes.append(size)
        places = [at for at in asked if examples[at].source in left_out]
        found = predict([examples[at].text for at in places])
        scores |= {at: float(score) for at, score in zip(places, found, strict=True)}
    return [scores[at] for at in asked], statistics.median(sizes)


def one_at_a_time(kind: Kind, examples: list[corpus.Example]) -> float:
    """Return the median seconds for one prompt."""
    predict, _ = kind.fit(examples, learn.weights_of(examples))
    times = []
    for example in examples[:300]:
        begun = time.perf_counter()
        predict([example.text])
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def sets_of(one: corpus.Example) -> str:
    """Return whether a prompt was written or collected as a hard case."""
    return "hard" if one.hard or one.source == "written" else "plain"


def main() -> None:
    """Print the table."""
    examples = corpus.everything()
    asked = [
        at
        for at, one in enumerate(examples)
        if not one.heard and not one.source.startswith("grammar")
    ]
    heads = ("classifier", "right", "hard cases", "ranking", "worst language", "off by", "at once")
    print(f"| {' | '.join(heads)} | size |\n|{'---|' * (len(heads) + 1)}")
    for kind in kinds():
        scores, size = unseen(kind, examples, asked)
        judged = [
            Judged(one.think, score >= 0.5, score, {"lang": one.lang, "set": sets_of(one)})
            for one, score in zip([examples[at] for at in asked], scores, strict=True)
        ]
        whole = figures(judged)
        hard = figures(by_group(judged, "set")["hard"])
        name, worst = min(
            ((name, figures(group).accuracy) for name, group in by_group(judged, "lang").items()),
            key=lambda one: one[1],
        )
        print(
            f"| {kind.name} | {whole.accuracy:.1%} | {hard.accuracy:.1%} | {whole.ranking:.3f} "
            f"| {worst:.1%} ({name}) | {whole.calibration_error:.3f} "
            f"| {one_at_a_time(kind, examples) * 1e6:.0f} µs | {size / 1e6:.2f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
