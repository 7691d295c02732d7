from dataclasses import replace

import pytest

from finscribe_core.report import GATE_MESSAGE_LIMIT
from finscribe_core.trainer_config import DocumentMetric, GateSpec
from finscribe_trainer.evaluation.gate import Reference, judge
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.metrics.corpus import MetricEstimate
from tests.support.comparison import results_of


def results(field_accuracy: float, documents: int = 50) -> Results:
    """Results with a metric of this value."""
    some = results_of("model", [({"a": "1"}, {"a": "1"})])
    estimate = MetricEstimate(field_accuracy, field_accuracy - 0.02, field_accuracy + 0.02, documents)
    return replace(some, summary=replace(some.summary, metrics={DocumentMetric.field_accuracy: estimate}))


def answers(count: int, **right: int) -> Results:
    """Results of `count` documents, with the number of right values of each field."""
    gold = dict.fromkeys(right, "1")
    given = [{name: "1" if i < number else "2" for name, number in right.items()} for i in range(count)]
    return results_of("model", [(gold, answer) for answer in given])


@pytest.mark.parametrize(
    ("gate", "base", "tuned", "passed", "expected"),
    [
        ({"minimum": 0.9}, 0.1, 0.91, True, "field_accuracy is 0.91 [0.89, 0.93]"),
        ({"minimum": 0.9}, 0.1, 0.9, True, "the gate passed"),
        ({"minimum": 0.9}, 0.1, 0.89, False, "less than the minimum 0.9"),
        ({"minimum_improvement": 0.1}, 0.5, 0.7, True, "the gate passed"),
        ({"minimum_improvement": 0.1}, 0.5, 0.55, False, "+0.05 against the base model's 0.5"),
        ({"minimum_improvement": -0.1}, 0.5, 0.45, True, "the gate passed"),
        ({"minimum": 0.9, "minimum_improvement": 0.1}, 0.85, 0.8, False, "0.9, and -0.05 against"),
        ({"minimum": 0.5, "metric": "teds_score"}, 0.5, 0.9, False, "teds_score applies to no document"),
    ],
)
def test_a_gate_checks_the_metric_and_its_improvement(gate, base, tuned, passed, expected):
    verdict = judge(GateSpec.model_validate(gate), Reference(results(base)), results(tuned)).verdict

    assert verdict.passed is passed
    assert expected in verdict.message


NEVER_WORSE = GateSpec.model_validate({"against": "Promoted", "per_field": {"margin": 0.05}})


def test_a_model_that_reads_one_field_worse_than_the_promoted_one_fails_by_its_name():
    before = answers(200, date=180, total=198, vendor=100)
    after = answers(200, date=180, total=170, vendor=199)

    verdict = judge(NEVER_WORSE, Reference(before, "invoices-1"), after).verdict

    better = [side.summary.metrics[DocumentMetric.field_accuracy].value for side in (before, after)]
    assert better[1] > better[0]
    assert verdict.passed is False
    expected = (
        "fields below the promoted run invoices-1's by more than 0.05: total 0.99 to 0.85 (down to -0.1"
    )
    assert expected in verdict.message
    assert (verdict.fallen_fields, verdict.against) == (["total"], "invoices-1")


def test_a_model_as_good_as_the_promoted_one_passes():
    same = answers(100, date=90, total=98)

    verdict = judge(NEVER_WORSE, Reference(same, "invoices-1"), same).verdict

    assert verdict.passed
    assert verdict.fallen_fields == []
    assert "Compared with the run invoices-1." in verdict.message


def test_a_first_run_is_compared_with_the_base_model_and_says_so():
    reference = Reference(answers(60, a=0), note="No run is promoted yet.")

    verdict = judge(NEVER_WORSE, reference, answers(60, a=60)).verdict

    assert verdict.passed
    assert verdict.message.startswith("No run is promoted yet. field_accuracy is 1")
    assert verdict.against is None


def test_too_few_documents_to_compare_fields_fail_the_gate():
    same = answers(20, date=20)

    verdict = judge(NEVER_WORSE, Reference(same, "invoices-1"), same).verdict

    assert verdict.passed is False
    assert "too few documents to compare fields with a margin of 0.05: 59" in verdict.message


def test_the_longest_message_fits():
    names = [f"{letter}." * 100 for letter in "abcdef"]
    gate = NEVER_WORSE.model_copy(update={"minimum": 0.987654321, "minimum_improvement": 0.123456789})
    before, after = (answers(60, **dict.fromkeys(names, right)) for right in (60, 20))

    verdict = judge(gate, Reference(before, "r" * 63), after).verdict

    assert not verdict.passed
    assert len(verdict.message) == GATE_MESSAGE_LIMIT
    assert len(verdict.fallen_fields) == 3
