import numpy as np
import pytest
from scipy import stats

from finscribe_core.trainer_config import DocumentMetric as M
from finscribe_trainer.metrics.corpus import aggregate_scores, paired_differences
from finscribe_trainer.metrics.error_kinds import ErrorCounts
from finscribe_trainer.metrics.score import DocumentScore, Ratio, score_document
from tests.support.documents import invoice


def document(right, fields=10, passed=True):
    """The score of a document with the given number of correct fields."""
    ratio = Ratio(right, fields)
    errors = {"a": ErrorCounts(missing=0, wrong=fields - right, invented=1)}
    return DocumentScore(
        dict.fromkeys(M, ratio), {"a": ratio}, {"vendor": ratio}, {"json": passed}, {}, errors
    )


def test_a_metric_is_the_sum_of_numerators_over_the_sum_of_denominators():
    summary = aggregate_scores([document(1, 1), document(0, 9, passed=False)])
    assert summary.documents == 2
    assert summary.metrics[M.field_accuracy].value == pytest.approx(0.1)
    assert summary.fields["a"].value == summary.regions["vendor"].value == pytest.approx(0.1)
    assert summary.gates["json"].value == 0.5
    assert summary.errors == {"a": (0, 9, 2)}
    assert summary.all_errors == (0, 9, 2)


def test_a_metric_that_applies_to_no_document_is_omitted():
    summary = aggregate_scores([score_document("a text", "a text"), document(1)])
    assert summary.metrics[M.teds_score].documents == 1
    assert M.teds_score not in aggregate_scores([score_document("a text", "a text")]).metrics
    assert aggregate_scores([]).metrics == {}


def test_intervals_are_those_of_the_bootstrap():
    random = np.random.default_rng(5)
    rights = random.binomial(10, 0.7, 60)
    estimate = aggregate_scores([document(int(right)) for right in rights], resamples=4000).metrics[
        M.field_accuracy
    ]
    reference = stats.bootstrap((rights / 10,), np.mean, n_resamples=4000, method="percentile", rng=random)
    assert estimate.low == pytest.approx(reference.confidence_interval.low, abs=0.006)
    assert estimate.high == pytest.approx(reference.confidence_interval.high, abs=0.006)


def test_the_same_seed_gives_the_same_intervals():
    scores = [document(right) for right in (1, 5, 9, 10)]
    assert aggregate_scores(scores, seed=3) == aggregate_scores(scores, seed=3)
    assert paired_differences(scores, scores[::-1]) == paired_differences(scores, scores[::-1])


def test_the_permutation_test_is_exact_for_few_documents():
    base, tuned = [document(2)] * 6, [document(8)] * 6
    difference = paired_differences(base, tuned)[M.field_accuracy]
    assert (difference.value, difference.low, difference.high) == pytest.approx((0.6, 0.6, 0.6))
    assert difference.p_value == 2 / 2**6
    assert difference.documents == 6


def test_the_p_value_is_that_of_a_permutation_test():
    random = np.random.default_rng(1)
    one, two = random.binomial(10, 0.6, 30), random.binomial(10, 0.7, 30)
    difference = paired_differences(
        [document(int(right)) for right in one], [document(int(right)) for right in two]
    )[M.field_accuracy]
    reference = stats.permutation_test(
        (two / 10, one / 10),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
        rng=random,
    )
    assert difference.value == pytest.approx((two - one).mean() / 10)
    assert difference.p_value == pytest.approx(reference.pvalue, abs=0.02)


def test_a_model_compared_with_itself_does_not_differ():
    scores = [score_document(invoice(), invoice(lines)) for lines in (1, 2, 3)]
    for difference in paired_differences(scores, scores).values():
        assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_unequal_numbers_of_documents_are_rejected():
    with pytest.raises(ValueError, match="2 documents of the base model, 1 of the tuned"):
        paired_differences([document(1)] * 2, [document(1)])
