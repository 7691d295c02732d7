import pytest

from finscribe_core.trainer_config import DocumentMetric, GateSpec
from finscribe_trainer.evaluation.gate import evaluate_gate
from finscribe_trainer.metrics.corpus import CorpusSummary, MetricEstimate


def summary(field_accuracy: float, documents: int = 50) -> CorpusSummary:
    estimate = MetricEstimate(field_accuracy, field_accuracy - 0.02, field_accuracy + 0.02, documents)
    return CorpusSummary(documents, {DocumentMetric.field_accuracy: estimate}, {}, {}, {}, {})


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
    verdict = evaluate_gate(GateSpec.model_validate(gate), summary(base), summary(tuned))

    assert verdict.passed is passed
    assert expected in verdict.message


def test_the_longest_message_fits():
    gate = GateSpec(
        metric=DocumentMetric.field_accuracy, minimum=0.123456789, minimum_improvement=0.123456789
    )

    assert not evaluate_gate(gate, summary(1 / 3), summary(0.1 / 3)).passed
