import pytest

from finscribe_core.api.v1alpha1 import OUTPUT_URI_LIMIT
from finscribe_core.constants import TERMINATION_LOG_LIMIT
from finscribe_core.errors import FailureReason
from finscribe_core.report import (
    GATE_MESSAGE_LIMIT,
    DocumentMetrics,
    EvaluationReport,
    GateVerdict,
    Metrics,
    Outputs,
    RunResult,
    format_metric,
)


@pytest.mark.parametrize("text", ["short", "x" * 10_000, "ü" * 10_000, '"\n' * 5_000])
def test_a_result_fits_into_the_termination_message(text: str):
    result = RunResult(succeeded=False, reason=FailureReason.DatasetInvalid, message=text, remedy=text)

    message = result.to_termination_message()
    read = RunResult.from_termination_message(message)

    assert len(message.encode()) <= TERMINATION_LOG_LIMIT
    assert read is not None
    assert read.reason == FailureReason.DatasetInvalid
    assert read.message[:5] == text[:5]


def test_the_outputs_below_the_longest_output_uri_fit():
    longest = "s3://" + "b" * (OUTPUT_URI_LIMIT - len("s3://"))
    run = f"{longest}/runs/{'r' * 61}"
    outputs = Outputs(
        uri=run,
        adapter=f"{run}/adapter",
        merged=f"{run}/merged",
        evaluation=f"{run}/evaluation",
        manifest=f"{run}/manifest.json",
    )
    model_metrics = DocumentMetrics(**dict.fromkeys(DocumentMetrics.model_fields, "0.123456"))
    result = RunResult(
        succeeded=True,
        message="x" * 10_000,
        metrics=Metrics(**dict.fromkeys(Metrics.model_fields, "0.00123456")),
        outputs=outputs,
        evaluation=EvaluationReport(
            documents=100_000,
            base=model_metrics,
            tuned=model_metrics,
            gate=GateVerdict(passed=False, message="x" * GATE_MESSAGE_LIMIT),
        ),
        resumed_from=f"{run}/checkpoints/checkpoint-1000000",
    )

    message = result.to_termination_message()

    assert len(message.encode()) <= TERMINATION_LOG_LIMIT
    assert RunResult.from_termination_message(message).outputs == outputs


def test_shortening_keeps_metrics():
    result = RunResult(succeeded=True, message="x" * 10_000, metrics=Metrics(eval_loss="0.377"))

    read = RunResult.from_termination_message(result.to_termination_message())

    assert read is not None
    assert read.metrics.eval_loss == "0.377"


@pytest.mark.parametrize("text", ["", "Killed", "{", '{"succeeded": "maybe"}', "[]"])
def test_other_texts_are_not_results(text: str):
    assert RunResult.from_termination_message(text) is None


@pytest.mark.parametrize(
    ("value", "shown"), [(0.41234567, "0.412346"), (2e-5, "2e-05"), (0.0, "0"), (12.0, "12")]
)
def test_metrics_have_six_significant_digits(value: float, shown: str):
    assert format_metric(value) == shown
