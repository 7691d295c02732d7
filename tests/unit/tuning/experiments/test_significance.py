from dataclasses import replace

import pytest

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.tuning.experiments.significance import fewest_documents, holm, judge
from tests.support.comparison import results_of, with_settings

RIGHT, WRONG = ({"vendor": "Acme"}, {"vendor": "Acme"}), ({"vendor": "Acme"}, {"vendor": "Amce"})


def texts(base, **others):
    judgements = judge(base, others, DocumentMetric.field_accuracy)
    return [judgement.said for judgement in judgements.values()]


def test_a_clear_difference_is_significant_only_with_enough_documents():
    for count, words in [
        (8, "significantly better (+100.0 points, p = 0.008)"),
        (5, "too few for a significance test"),
    ]:
        base, other = results_of("base", [WRONG] * count), results_of("other", [RIGHT] * count)
        assert words in texts(base, other=other)[0]


def test_a_difference_significant_alone_may_not_be_among_several_comparisons():
    base = results_of("base", [WRONG] * 6)
    better, same = results_of("better", [RIGHT] * 6), results_of("same", [WRONG] * 6)
    assert "significantly better" in texts(base, better=better)[0]
    assert "6 documents are too few" in texts(base, better=better, same=same)[0]


def test_small_differences_are_not_significant_and_a_decrease_is_significantly_worse():
    base = results_of("base", [WRONG] * 4 + [RIGHT] * 6)
    little = results_of("little", [RIGHT] * 10)
    worse = results_of("worse", [WRONG] * 10)
    equal = results_of("equal", [WRONG] * 4 + [RIGHT] * 6)
    assert texts(base, little=little)[0].startswith("no significant difference (+40.0 points")
    assert texts(results_of("base", [RIGHT] * 10), worse=worse)[0].startswith("significantly worse")
    assert texts(base, equal=equal) == ["no difference"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (None, "no documents were evaluated"),
        (with_settings(results_of("other", [RIGHT] * 8), max_new_tokens=9), "max_new_tokens (512 and 9)"),
        (results_of("other", [RIGHT] * 7), "documents (8 and 7)"),
    ],
)
def test_results_that_can_not_be_compared_have_the_reason(other, reason):
    assert reason in texts(results_of("base", [RIGHT] * 8), other=other)[0]


def test_other_documents_of_the_same_number_are_rejected():
    base = results_of("base", [RIGHT] * 8)
    moved = tuple(replace(record, where=f"other.jsonl:{i}") for i, record in enumerate(base.documents))
    assert "the test documents differ" in texts(base, other=replace(base, documents=moved))[0]


def test_adjusted_p_values_keep_their_order_and_are_at_most_one():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_more_comparisons_need_more_documents():
    assert [fewest_documents(count) for count in (1, 2, 4)] == [6, 7, 8]
