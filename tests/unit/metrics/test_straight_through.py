import numpy as np
import pytest

from finscribe_trainer.metrics.straight_through import choose_threshold, share


def chosen(confidences, right, precision=0.95):
    found = choose_threshold(confidences, right, precision)
    return found and (found.accepted, found.errors, found.above)


def falling(count):
    """Different confidences, the highest first."""
    return [1 - index / (count + 1) for index in range(count)]


CASES = {
    "all right": (falling(90), [True] * 90, (90, 0, 0.0)),
    "all right, but too few to promise it": (falling(89), [True] * 89, None),
    "no document": ([], [], None),
    "until too many are wrong": (
        falling(200),
        [True] * 100 + [False] * 100,
        (100, 0, pytest.approx(1 - 100 / 201)),
    ),
    "the most certain ones are wrong": (falling(200), [False] * 20 + [True] * 180, None),
    "equal confidences are accepted together": (
        [0.9] * 100 + [0.5] * 100,
        [True] * 100 + [False] * 100,
        (100, 0, 0.5),
    ),
    "a confidence of 0 is never accepted": ([0.9] * 100 + [0.0] * 100, [True] * 200, (100, 0, 0.0)),
}


@pytest.mark.parametrize(("confidences", "right", "expected"), CASES.values(), ids=CASES)
def test_a_threshold_is_as_low_as_the_promise_allows(confidences, right, expected):
    assert chosen(confidences, right) == expected


def test_the_order_of_the_documents_does_not_matter():
    confidences, right = falling(300), [True] * 200 + [False] * 100
    shuffled = np.random.default_rng(0).permutation(300)
    assert chosen(np.take(confidences, shuffled), np.take(right, shuffled)) == chosen(confidences, right)


MODELS = {
    "well calibrated": lambda score: score,
    "too sure": lambda score: 0.5 + 0.5 * score**8,
    "knows nothing": lambda score: np.full_like(score, 0.93),
    "just below the promise": lambda score: np.full_like(score, 0.949),
    "most errors at the top": lambda score: 1 - 0.2 * score,
}


@pytest.mark.parametrize("precision", [0.95, 0.99])
@pytest.mark.parametrize("chance", MODELS.values(), ids=MODELS)
def test_a_promise_is_broken_as_rarely_as_promised(chance, precision):
    # The precision above a threshold is that of the distribution, which these documents stand for.
    random, repeats = np.random.default_rng(0), 400
    scores = np.sort(random.random(200_000))
    from_here_on = np.cumsum(chance(scores)[::-1])[::-1] / np.arange(len(scores), 0, -1)
    broken = 0
    for _ in range(repeats):
        drawn = random.random(500)
        right = random.random(500) < chance(drawn)
        found = choose_threshold(drawn, right, precision)
        if found is not None:
            first = min(np.searchsorted(scores, found.above), len(scores) - 1)
            broken += from_here_on[first] < precision
    assert broken / repeats <= 0.01 + 0.01  # two standard errors of the simulation


@pytest.mark.parametrize(
    ("count", "documents", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (5, 10, 0.1871, 0.8129), (0, 0, 0.0, 1.0)],
)
def test_a_share_has_the_interval_of_clopper_and_pearson(count, documents, low, high):
    found = share(count, documents)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
