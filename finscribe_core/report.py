"""What a run tells the outside: its progress while it runs, its result when it ends."""

from enum import StrEnum
from typing import Self

from pydantic import Field

from finscribe_core.api.base import KubeModel
from finscribe_core.constants import TERMINATION_LOG_LIMIT
from finscribe_core.errors import FailureReason


class Phase(StrEnum):
    """What a run is doing; the reason of the Running condition while it does."""

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
    """Reading documents with the base and the tuned model."""
    Exporting = "Exporting"
    """Writing the adapter and the merged model."""
    Uploading = "Uploading"
    """Uploading the result."""


class Progress(KubeModel):
    """How far a run is."""

    phase: Phase = Phase.Starting
    """What the run is doing."""
    step: int = 0
    """Optimizer steps taken."""
    total_steps: int = 0
    """Optimizer steps planned; 0 while not yet known."""
    epoch: float = 0.0
    """Passes over the training set, with fraction."""
    percent: int = Field(0, ge=0, le=100)
    """step / totalSteps, in percent."""
    eta_seconds: int | None = None
    """Seconds of training left at the present speed."""


class Metrics(KubeModel):
    """Figures of a run, as decimal strings (floats don't survive every JSON round trip)."""

    train_loss: str | None = None
    """Training loss of the last log line."""
    eval_loss: str | None = None
    """Validation loss of the last evaluation."""
    best_eval_loss: str | None = None
    """Lowest validation loss so far; the restored checkpoint's, once finished."""
    base_eval_loss: str | None = None
    """Validation loss of the base model, before the first step."""
    eval_field_accuracy: str | None = None
    """Share of the fields read exactly, of the validation documents read at the last evaluation."""
    eval_teds_score: str | None = None
    """TEDS of their line-item tables."""
    eval_numeric_accuracy: str | None = None
    """Share of their numbers read right."""
    eval_validation_pass_rate: str | None = None
    """Share of their answers that are valid JSON, keep the schema, and add up."""
    learning_rate: str | None = None
    """Learning rate of the last step."""


class Outputs(KubeModel):
    """Where a run's results are."""

    uri: str | None = None
    """The run's prefix in the bucket."""
    adapter: str | None = None
    """Prefix of the LoRA adapter."""
    merged: str | None = None
    """Prefix of the merged model."""
    evaluation: str | None = None
    """Prefix of the comparison of base and tuned model: report.html, report.md and every answer."""
    manifest: str | None = None
    """URI of the manifest: every file with size and SHA-256. Written last."""


class DocumentFigures(KubeModel):
    """How well a model reads documents: shares from 0 to 1, as decimal strings; unset where none applies."""

    field_accuracy: str | None = None
    """Share of the fields read exactly."""
    teds_score: str | None = None
    """TEDS of the line-item table: structure and content."""
    numeric_accuracy: str | None = None
    """Share of the numbers read right."""
    validation_pass_rate: str | None = None
    """Share of the documents that are valid JSON, keep the schema, and add up."""


GATE_MESSAGE_LIMIT = 300
"""Characters; the verdict has to fit into a pod's last words."""


class GateVerdict(KubeModel):
    """Whether a run may be named by `latest.json`."""

    passed: bool
    """True when the tuned model reached what `evaluation.gate` asks for."""
    message: str = Field("", max_length=GATE_MESSAGE_LIMIT)
    """The figures that were judged."""


class EvaluationReport(KubeModel):
    """How the base and the tuned model read the same documents, after the training."""

    documents: int = 0
    """Documents that both read."""
    base: DocumentFigures = DocumentFigures()
    """The base model's figures."""
    tuned: DocumentFigures = DocumentFigures()
    """The tuned model's figures."""
    gate: GateVerdict | None = None
    """The gate's verdict; unset when the job sets none."""


class ProgressReport(KubeModel):
    """The body of the trainer's `/progress`."""

    run: str = ""
    """The run's name."""
    progress: Progress = Progress()
    metrics: Metrics = Metrics()


class RunResult(KubeModel):
    """A run's last words, written as the pod's termination message."""

    succeeded: bool
    """True when every output is uploaded."""
    reason: FailureReason | None = None
    """Why not."""
    message: str = ""
    """For people."""
    remedy: str = ""
    """What to do about it."""
    retryable: bool = False
    """True when the same job may succeed if tried again."""
    stopped_early: bool = False
    """True when early stopping ended the training."""
    resumed_from: str | None = None
    """The checkpoint this attempt went on from."""
    progress: Progress = Progress()
    metrics: Metrics = Metrics()
    outputs: Outputs = Outputs()
    evaluation: EvaluationReport | None = None
    """How base and tuned model read documents; unset when `evaluation.enabled` is false."""

    def to_termination_message(self) -> str:
        """As JSON within the kubelet's limit: only the free texts are shortened."""
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
        """None when the text is not a RunResult (a process killed before it could write one)."""
        try:
            return cls.model_validate_json(text)
        except ValueError:
            return None


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def format_metric(value: float) -> str:
    """A figure as the status shows it: six significant digits.

    >>> format_metric(0.41234567)
    '0.412346'
    """
    return f"{value:.6g}"
