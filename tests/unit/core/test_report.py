import json
from typing import Any

import pytest
from pydantic import ValidationError

from finscribe_core.api.v1alpha1 import OUTPUT_URI_LIMIT
from finscribe_core.constants import TERMINATION_LOG_LIMIT
from finscribe_core.errors import FailureReason
from finscribe_core.report import (
    ADAPTER_LOCATION_LIMIT,
    GATE_MESSAGE_LIMIT,
    AnswerErrors,
    BestEvaluation,
    DatasetState,
    DocumentMetrics,
    EvaluationReport,
    GateVerdict,
    LearningRateChoice,
    Metrics,
    Outputs,
    Phase,
    PhaseSeconds,
    Progress,
    ProgressReport,
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


EVERY_FIGURE = Progress(
    phase=Phase.Uploading,
    step=1_000_000,
    total_steps=1_000_000,
    epoch=1234.5678,
    percent=100,
    eta_seconds=0,
    samples_per_second="0.0123",
    tokens_per_second="123000",
    best=BestEvaluation(step=1_000_000, metric="eval_validation_pass_rate", value="0.123456"),
    peak_gpu_memory_bytes=140_000_000_000,
    phase_seconds=PhaseSeconds(**dict.fromkeys(PhaseSeconds.model_fields, 10_000_000)),
    step_seconds=10_000_000,
)


LONGEST_CHOICE = LearningRateChoice(
    chosen="0.00012", lowest="0.00012", highest="0.00012", rates=["1.2e-05"] * 12, losses=["0.01234"] * 12
)


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
        under_training="x" * 10_000,
        learning_rate=LONGEST_CHOICE,
        metrics=Metrics(**dict.fromkeys(Metrics.model_fields, "0.00123456")),
        outputs=outputs,
        evaluation=EvaluationReport(
            documents=100_000,
            base=model_metrics,
            tuned=model_metrics,
            straight_through_rate="0.123456",
            straight_through_rate_99="0.123456",
            errors=AnswerErrors(missing=10**9, wrong=10**9, invented=10**9),
            gate=GateVerdict(
                passed=False,
                message="x" * GATE_MESSAGE_LIMIT,
                against="r" * 63,
                fallen_fields=["f" * 64] * 3,
            ),
        ),
        resumed_from=f"{run}/checkpoints/checkpoint-1000000",
        dataset=DatasetState(fingerprint="f" * 64, samples=10**12, files=10**12),
        initial_adapter="s3://" + "b" * (ADAPTER_LOCATION_LIMIT - len("s3://")),
        progress=EVERY_FIGURE,
    )

    message = result.to_termination_message()

    read = RunResult.from_termination_message(message)
    assert len(message.encode()) <= TERMINATION_LOG_LIMIT
    assert read is not None
    assert (read.outputs, read.progress) == (outputs, EVERY_FIGURE)


def test_outputs_that_are_too_long_when_completed_make_no_result():
    # A status with a longer location than the CRD allows could not be written.
    outputs = {"uri": "s3://" + "b" * 1000, "adapter": "./" + "a" * 1000}
    assert RunResult.from_termination_message(json.dumps({"succeeded": True, "outputs": outputs})) is None


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


NO_NUMBERS = ["nan", "inf", "-inf", "9" * 4000, "1e9999999", "\x1b[31m0.5", "0.5\n", "", "-"]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_metric_that_is_no_finite_number_counts_as_missing(text: str):
    report = ProgressReport.model_validate({"metrics": {"trainLoss": text, "evalLoss": "0.3"}})

    assert report.metrics == Metrics(eval_loss="0.3")


@pytest.mark.parametrize("value", [0.41234567, 2e-5, -1e-7, 0.0, 123456789.0, 1e300])
def test_every_finite_number_is_a_metric(value: float):
    assert Metrics(train_loss=format_metric(value)).train_loss == format_metric(value)


HOSTILE_REPORTS = {
    "an integer of 4,000 digits": '{"progress": {"step": %s}}' % ("9" * 4000),
    "more steps than anyone takes": '{"progress": {"totalSteps": 1000000000001}}',
    "a negative number of steps": '{"progress": {"step": -1}}',
    "an epoch that is no number": '{"progress": {"epoch": NaN}}',
    "an infinite epoch": '{"progress": {"epoch": Infinity}}',
    "an epoch out of range": '{"progress": {"epoch": 1e300}}',
    "an endless run": '{"progress": {"etaSeconds": %s}}' % ("9" * 30),
    "a run's name of 60,000 characters": '{"run": "%s"}' % ("x" * 60_000),
    "nested lists": '{"run": %s}' % ("[" * 3000 + "]" * 3000),
    "more memory than there is": '{"progress": {"peakGpuMemoryBytes": %s}}' % ("9" * 20),
    "a phase of negative duration": '{"progress": {"phaseSeconds": {"training": -1}}}',
    "an endless phase": '{"progress": {"phaseSeconds": {"training": %s}}}' % ("9" * 20),
    "a metric's name that is too long": '{"progress": {"best": {"step": 1, "metric": "%s"}}}' % ("x" * 65),
    "a phase that is no word": '{"progress": {"phase": "\\u001b[2J"}}',
}


@pytest.mark.parametrize("body", HOSTILE_REPORTS.values(), ids=HOSTILE_REPORTS.keys())
def test_a_progress_report_out_of_bounds_is_refused(body: str):
    with pytest.raises(ValidationError):
        ProgressReport.model_validate_json(body)


def test_a_report_of_an_older_trainer_lacks_the_newer_figures():
    report = ProgressReport.model_validate_json(
        '{"run": "r", "progress": {"phase": "Training", "step": 3, "totalSteps": 9, "etaSeconds": 12}}'
    )

    assert report.progress == Progress(phase=Phase.Training, step=3, total_steps=9, eta_seconds=12)
    assert (report.progress.samples_per_second, report.progress.step_seconds) == (None, None)


def test_a_report_of_a_newer_trainer_is_read_whatever_its_phase_is_called():
    report = ProgressReport.model_validate_json('{"progress": {"phase": "Distilling", "step": 3}, "new": 1}')

    assert (report.progress.phase, report.progress.step) == (Phase.Starting, 3)


def test_a_reason_of_a_newer_trainer_is_kept_and_a_known_one_is_recognised():
    results = [
        RunResult.from_termination_message(json.dumps({"succeeded": False, "reason": reason, "message": "m"}))
        for reason in ("TokenizerMismatch", "DiskFull")
    ]

    assert [(r.reason, r.known_reason) for r in results if r] == [
        ("TokenizerMismatch", FailureReason.InternalError),
        (FailureReason.DiskFull, FailureReason.DiskFull),
    ]


HOSTILE_RESULTS = {
    "a URI of 5,000 characters": {"outputs": {"uri": "s3://" + "x" * 5000}},
    "a URI with a terminal escape": {"outputs": {"adapter": "s3://bucket/\x1b[2J"}},
    "a checkpoint of two lines": {"resumedFrom": "a\nb"},
    "a gate's message that is too long": {"evaluation": {"gate": {"passed": True, "message": "x" * 301}}},
    "an impossible number of documents": {"evaluation": {"documents": 10**13}},
    "a reason that is no word": {"reason": "x y\x1b[2J"},
    "a reason that is too long": {"reason": "X" * 65},
}


@pytest.mark.parametrize("change", HOSTILE_RESULTS.values(), ids=HOSTILE_RESULTS.keys())
def test_a_termination_message_out_of_bounds_is_no_result(change: dict[str, Any]):
    text = json.dumps({"succeeded": True, **change})

    assert RunResult.from_termination_message(text) is None


def test_a_termination_message_longer_than_the_kubelet_writes_is_no_result():
    text = json.dumps({"succeeded": True, "message": "x" * TERMINATION_LOG_LIMIT})

    assert RunResult.from_termination_message(text) is None


def test_terminal_escapes_and_control_characters_are_removed_from_a_message():
    text = json.dumps(
        {"succeeded": False, "message": "\x1b[31mred\x1b[0m\x07\nline two\x9b", "remedy": "\x00a"}
    )

    result = RunResult.from_termination_message(text)

    assert result is not None
    assert (result.message, result.remedy) == ("red \nline two ", " a")
