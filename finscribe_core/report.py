"""Defines what a run reports: progress and metrics while it runs, its result at the end."""

from enum import StrEnum
from typing import Self

from pydantic import Field

from finscribe_core.api.base import KubeModel
from finscribe_core.constants import TERMINATION_LOG_LIMIT
from finscribe_core.errors import FailureReason


class Phase(StrEnum):
    """Phase of a run; also the reason of its Running condition."""

    Starting = "Starting"
    """The process has started."""
    Downloading = "Downloading"
    """Fetching dataset, model or checkpoint from the object storage."""
    Preparing = "Preparing"
    """Reading rows, loading the model."""
    Training = "Training"
    """Taking optimizer steps."""
    Evaluating = "Evaluating"
    """Computing the validation loss."""
    Comparing = "Comparing"
    """Generating answers with the base and the tuned model for their comparison."""
    Exporting = "Exporting"
    """Writing the adapter and the merged model."""
    Uploading = "Uploading"
    """Uploading the result."""


class Progress(KubeModel):
    """Progress of a run."""

    phase: Phase = Phase.Starting
    """Current phase."""
    step: int = 0
    """Optimizer steps taken."""
    total_steps: int = 0
    """Optimizer steps planned; 0 while unknown."""
    epoch: float = 0.0
    """Epochs trained so far, as a fraction."""
    percent: int = Field(0, ge=0, le=100)
    """step / totalSteps in percent."""
    eta_seconds: int | None = None
    """Estimated seconds of training left."""


class Metrics(KubeModel):
    """Metrics of a run, as decimal strings (floats are not preserved by every JSON round trip)."""

    train_loss: str | None = None
    """Training loss at the last logging step."""
    eval_loss: str | None = None
    """Validation loss of the last evaluation."""
    best_eval_loss: str | None = None
    """Lowest validation loss so far; at the end that of the restored checkpoint."""
    base_eval_loss: str | None = None
    """Validation loss of the base model, before the first step."""
    eval_field_accuracy: str | None = None
    """Fields that match exactly, as a share, over the validation documents of the last evaluation."""
    eval_teds_score: str | None = None
    """TEDS of the line-item tables of those documents."""
    eval_numeric_accuracy: str | None = None
    """Numbers that are correct, as a share, over those documents."""
    eval_validation_pass_rate: str | None = None
    """Share of those documents whose answer is valid JSON, matches the schema, and adds up."""
    learning_rate: str | None = None
    """Learning rate at the last step."""


class Outputs(KubeModel):
    """Locations of a run's results."""

    uri: str | None = None
    """Prefix of the run in the bucket."""
    adapter: str | None = None
    """Prefix of the LoRA adapter."""
    merged: str | None = None
    """Prefix of the merged model."""
    evaluation: str | None = None
    """Prefix of the comparison of base and tuned model: report.html, report.md and all answers."""
    manifest: str | None = None
    """URI of the manifest, which lists every file with size and SHA-256 and is written last."""


class DocumentMetrics(KubeModel):
    """Metrics of a model over documents: 0 to 1, as decimal strings; unset where one does not apply."""

    field_accuracy: str | None = None
    """Share of the fields that match exactly."""
    teds_score: str | None = None
    """TEDS of the line-item table: structure and content."""
    numeric_accuracy: str | None = None
    """Share of the numbers that are correct."""
    validation_pass_rate: str | None = None
    """Share of the documents whose answer is valid JSON, matches the schema, and adds up."""


GATE_MESSAGE_LIMIT = 300
"""Characters; the message has to fit into a pod's termination message."""


class GateVerdict(KubeModel):
    """Whether a run meets `evaluation.gate`, so that `latest.json` may point to it."""

    passed: bool
    """True when the tuned model meets `evaluation.gate`."""
    message: str = Field("", max_length=GATE_MESSAGE_LIMIT)
    """The metrics that were compared with the gate."""


class EvaluationReport(KubeModel):
    """Comparison of the base and the tuned model on the same documents, after training."""

    documents: int = 0
    """Number of documents."""
    base: DocumentMetrics = DocumentMetrics()
    """Metrics of the base model."""
    tuned: DocumentMetrics = DocumentMetrics()
    """Metrics of the tuned model."""
    gate: GateVerdict | None = None
    """Result of the gate; unset when the job has none."""


class ProgressReport(KubeModel):
    """The response body of the trainer's `/progress`."""

    run: str = ""
    """The run's name."""
    progress: Progress = Progress()
    metrics: Metrics = Metrics()


class RunResult(KubeModel):
    """A run's result, written as the pod's termination message."""

    succeeded: bool
    """True when every output is uploaded."""
    reason: FailureReason | None = None
    """Reason of the failure."""
    message: str = ""
    """Human-readable details."""
    remedy: str = ""
    """How to fix it."""
    retryable: bool = False
    """True when a retry of the same job may succeed."""
    stopped_early: bool = False
    """True when early stopping ended the training."""
    resumed_from: str | None = None
    """The checkpoint this attempt resumed from."""
    progress: Progress = Progress()
    metrics: Metrics = Metrics()
    outputs: Outputs = Outputs()
    evaluation: EvaluationReport | None = None
    """Comparison of base and tuned model; unset when `evaluation.enabled` is false."""

    def to_termination_message(self) -> str:
        """As JSON within the kubelet's size limit: message and remedy are shortened if needed."""
        result = self
        for limit in (2000, 1000, 500, 100):
            text = result.model_dump_json(by_alias=True, exclude_none=True)
            if len(text.encode()) <= TERMINATION_LOG_LIMIT:
                return text
            result = self.model_copy(
                update={"message": _shorten(self.message, limit), "remedy": _shorten(self.remedy, limit)}
            )
        return result.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_termination_message(cls, text: str) -> Self | None:
        """Parse a termination message; None when it is not a RunResult (the process was killed before)."""
        try:
            return cls.model_validate_json(text)
        except ValueError:
            return None


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def format_metric(value: float) -> str:
    """A metric as the status shows it: six significant digits.

    >>> format_metric(0.41234567)
    '0.412346'
    """
    return f"{value:.6g}"
