"""Defines what a run reports: progress and metrics while it runs, its result at the end."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field

from finscribe_core.api.base import KubeModel
from finscribe_core.constants import (
    ADAPTER_PREFIX,
    EVALUATION_PREFIX,
    MANIFEST_FILE,
    MERGED_PREFIX,
    TERMINATION_LOG_LIMIT,
)
from finscribe_core.errors import FailureReason
from finscribe_core.texts import printable

# A report comes from a pod, whose image may be anyone's, and is copied into the status: all of it is bounded.
COUNT_LIMIT = 10**12
Count = Annotated[int, Field(ge=0, le=COUNT_LIMIT)]
ShortText = Annotated[str, Field(max_length=64)]
ObjectName = Annotated[str, Field(max_length=253)]
Location = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""A URI or a path."""
ADAPTER_LOCATION_LIMIT = 512
"""Longer than that of the adapter of any run, and short enough for a pod's termination message."""
AdapterLocation = Annotated[Location, Field(max_length=ADAPTER_LOCATION_LIMIT)]
PrintableText = Annotated[str, AfterValidator(printable)]
FieldText = Annotated[PrintableText, Field(max_length=64)]
"""The name of a field of the documents, or its start."""
_WORD = r"^[A-Z][A-Za-z0-9]{0,63}$"
OtherReason = Annotated[str, Field(pattern=_WORD)]
"""A reason of another version of the trainer."""
_NUMBER = r"^-?[0-9]{1,9}(\.[0-9]{1,9})?(e[+-]?[0-9]{1,3})?$"


def _number_or_none(value: Any) -> Any:
    """None for a text that is no finite number, such as `nan`."""
    return None if isinstance(value, str) and not re.fullmatch(_NUMBER, value) else value


def _known_phase(value: Any) -> Any:
    """Starting in place of a phase of a newer trainer: a report must not be lost for it."""
    is_other = isinstance(value, str) and value not in set(Phase) and re.fullmatch(_WORD, value)
    return Phase.Starting if is_other else value


MetricText = Annotated[
    Annotated[str, Field(max_length=32, pattern=_NUMBER)] | None, BeforeValidator(_number_or_none)
]
"""A metric as `format_metric` writes it."""


class Phase(StrEnum):
    """Phase of a run; also the reason of its Running condition."""

    Starting = "Starting"
    """The process has started."""
    Downloading = "Downloading"
    """Fetching dataset, model or checkpoint from the object storage."""
    Preparing = "Preparing"
    """Reading rows, loading the model."""
    Calibrating = "Calibrating"
    """Choosing the learning rate by a range test (`training.learningRate: auto`)."""
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


class PhaseSeconds(KubeModel):
    """Seconds that an attempt has spent in each phase, up to its last step or change of phase."""

    starting: Count | None = None
    downloading: Count | None = None
    preparing: Count | None = None
    calibrating: Count | None = None
    training: Count | None = None
    evaluating: Count | None = None
    comparing: Count | None = None
    exporting: Count | None = None
    uploading: Count | None = None


class BestEvaluation(KubeModel):
    """The best evaluation so far, by `earlyStopping.metric`; its adapter is the one that is exported."""

    step: Count
    """Optimizer steps taken until then."""
    metric: ShortText = ""
    """Name of the metric."""
    value: MetricText = None
    """Value of the metric."""


class Progress(KubeModel):
    """Progress of a run."""

    phase: Annotated[Phase, BeforeValidator(_known_phase)] = Phase.Starting
    """Current phase."""
    step: Count = 0
    """Optimizer steps taken."""
    total_steps: Count = 0
    """Optimizer steps planned; 0 while unknown."""
    epoch: float = Field(0.0, ge=0, le=1e6, allow_inf_nan=False)
    """Epochs trained so far, as a fraction."""
    percent: int = Field(0, ge=0, le=100)
    """step / totalSteps in percent."""
    eta_seconds: Count | None = None
    """Estimated seconds until the result is uploaded: steps, evaluations, comparison, export and upload,
    each by its measured speed. What has not been measured yet counts 0; unset before the first step."""
    samples_per_second: MetricText = None
    """Rows trained on per second, in all processes, over the last steps."""
    tokens_per_second: MetricText = None
    """Tokens trained on per second, likewise."""
    best: BestEvaluation | None = None
    """The best evaluation so far."""
    peak_gpu_memory_bytes: Count | None = None
    """Most GPU memory that the first process's tensors took; unset on a CPU."""
    phase_seconds: PhaseSeconds | None = None
    """Duration of each phase in this attempt."""
    step_seconds: Count | None = None
    """Seconds of the optimizer steps that led to `step`, of all attempts; unset before training starts."""


class Metrics(KubeModel):
    """Metrics of a run, as decimal strings (floats are not preserved by every JSON round trip)."""

    train_loss: MetricText = None
    """Training loss at the last logging step."""
    eval_loss: MetricText = None
    """Validation loss of the last evaluation."""
    best_eval_loss: MetricText = None
    """Lowest validation loss so far; at the end that of the restored checkpoint."""
    base_eval_loss: MetricText = None
    """Validation loss of the base model, before the first step."""
    eval_field_accuracy: MetricText = None
    """Fields that match exactly, as a share, over the validation documents of the last evaluation."""
    eval_teds_score: MetricText = None
    """TEDS of the line-item tables of those documents."""
    eval_numeric_accuracy: MetricText = None
    """Numbers that are correct, as a share, over those documents."""
    eval_validation_pass_rate: MetricText = None
    """Share of those documents whose answer is valid JSON, matches the schema, and adds up."""
    learning_rate: MetricText = None
    """Learning rate at the last step."""


class Outputs(KubeModel):
    """Locations of a run's results."""

    uri: Location | None = None
    """Prefix of the run in the bucket."""
    adapter: Location | None = None
    """Prefix of the LoRA adapter."""
    merged: Location | None = None
    """Prefix of the merged model."""
    evaluation: Location | None = None
    """Prefix of the comparison of base and tuned model: report.html, report.md and all answers."""
    manifest: Location | None = None
    """URI of the manifest, which lists every file with size and SHA-256 and is written last."""

    def shortened(self) -> Self:
        """The same, with `./` in place of the URI at the start of the other locations."""
        return self._with_start(f"{self.uri}/", "./")

    def completed(self) -> Self:
        """The inverse of `shortened`; locations without `./` stay as they are."""
        return self._with_start("./", f"{self.uri}/")

    def _with_start(self, old: str, new: str) -> Self:
        locations = self.model_dump(exclude={"uri"}, exclude_none=True)
        changed = {k: new + v.removeprefix(old) for k, v in locations.items() if v.startswith(old)}
        return type(self)(uri=self.uri, **{**locations, **changed})


def outputs_below(root: str, *, merged: bool, evaluated: bool) -> Outputs:
    """Where a run's results are below its prefix in the bucket."""
    return Outputs(
        uri=root,
        adapter=f"{root}/{ADAPTER_PREFIX}",
        merged=f"{root}/{MERGED_PREFIX}" if merged else None,
        evaluation=f"{root}/{EVALUATION_PREFIX}" if evaluated else None,
        manifest=f"{root}/{MANIFEST_FILE}",
    )


class DocumentMetrics(KubeModel):
    """Metrics of a model over documents: 0 to 1, as decimal strings; unset where one does not apply."""

    field_accuracy: MetricText = None
    """Share of the fields that match exactly."""
    teds_score: MetricText = None
    """TEDS of the line-item table: structure and content."""
    numeric_accuracy: MetricText = None
    """Share of the numbers that are correct."""
    validation_pass_rate: MetricText = None
    """Share of the documents whose answer is valid JSON, matches the schema, and adds up."""


GATE_MESSAGE_LIMIT = 300
"""Characters; the message has to fit into a pod's termination message."""


_SHORTEST_GATE_MESSAGE = 120
"""Characters of it in a termination message that would be too long otherwise."""


class GateVerdict(KubeModel):
    """Whether a run meets `evaluation.gate`, so that `latest.json` may point to it."""

    passed: bool
    """True when the tuned model meets `evaluation.gate`."""
    message: PrintableText = Field("", max_length=GATE_MESSAGE_LIMIT)
    """The metrics that were compared with the gate."""
    against: ObjectName | None = None
    """The promoted run that it was compared with; unset if that was the base model."""
    fallen_fields: Annotated[list[FieldText], Field(max_length=3)] = []
    """The fields because of which the gate failed, the one that fell most first; at most three."""


class AnswerErrors(KubeModel):
    """Numbers of errors in a model's answers, by kind."""

    missing: Count = 0
    """Values of the ground truth that the answers do not have."""
    wrong: Count = 0
    """Values of the ground truth in whose place the answers have another one."""
    invented: Count = 0
    """Values that the ground truth does not have."""


class EvaluationReport(KubeModel):
    """Comparison of the base and the tuned model on the same documents, after training."""

    documents: Count = 0
    """Number of documents."""
    base: DocumentMetrics = DocumentMetrics()
    """Metrics of the base model."""
    tuned: DocumentMetrics = DocumentMetrics()
    """Metrics of the tuned model."""
    errors: AnswerErrors | None = None
    """Errors of the tuned model."""
    straight_through_rate: MetricText = None
    """Share of these documents that need no human if 95 % of such documents shall be right in every value;
    unset if the model's confidence is not calibrated."""
    straight_through_rate_99: MetricText = None
    """The same for 99 %."""
    gate: GateVerdict | None = None
    """Result of the gate; unset when the job has none."""

    def shortened(self, limit: int) -> Self:
        """The same, with at most `limit` characters of the gate's message."""
        if self.gate is None:
            return self
        gate = self.gate.model_copy(update={"message": _shorten(self.gate.message, limit)})
        return self.model_copy(update={"gate": gate})


class DatasetState(KubeModel):
    """Which content the files of rows have; without the images that the rows name."""

    fingerprint: ShortText
    """Hash of the name, ETag and size of every file of rows for training, validation and test."""
    samples: Count | None = None
    """Number of training rows, before any are held out for validation; unset when they were not counted."""
    files: Count = 0
    """Number of files of rows."""


CurvePoints = Annotated[list[MetricText], Field(max_length=16)]


class LearningRateChoice(KubeModel):
    """The learning rate that a range test chose: short training steps, with a rate that rises."""

    chosen: MetricText = None
    """The peak learning rate of the training."""
    lowest: MetricText = None
    """The lowest of the useful rates; unset if the test found none, and a usual one was chosen."""
    highest: MetricText = None
    """The highest of them, from which on the loss rises."""
    rates: CurvePoints = []
    """Learning rates of some steps of the test."""
    losses: CurvePoints = []
    """The training loss at each of them, smoothed."""


class ProgressReport(KubeModel):
    """The response body of the trainer's `/progress`."""

    run: ObjectName = ""
    """The run's name."""
    progress: Progress = Progress()
    metrics: Metrics = Metrics()
    dataset: DatasetState | None = None
    """State of the data that this run trains on; unset until its files of rows are downloaded."""
    initial_adapter: AdapterLocation | None = None
    """The adapter that the training started from; unset if it started from the base model."""
    learning_rate: LearningRateChoice | None = None
    """The learning rate that was chosen; unset if the spec has a number."""


class RunResult(KubeModel):
    """A run's result, written as the pod's termination message."""

    succeeded: bool
    """True when every output is uploaded."""
    reason: FailureReason | OtherReason | None = Field(None, union_mode="left_to_right")
    """Reason of the failure; that of a newer trainer may be none of FailureReason."""
    message: PrintableText = ""
    """Human-readable details."""
    remedy: PrintableText = ""
    """How to fix it."""
    retryable: bool = False
    """True when a retry of the same job may succeed."""
    stopped_early: bool = False
    """True when early stopping ended the training."""
    resumed_from: Location | None = None
    """The checkpoint this attempt resumed from."""
    progress: Progress = Progress()
    metrics: Metrics = Metrics()
    outputs: Outputs = Outputs()
    evaluation: EvaluationReport | None = None
    """Comparison of base and tuned model; unset when `evaluation.enabled` is false."""
    dataset: DatasetState | None = None
    """State of the data that the run trained on; unset when its files of rows could not be downloaded."""
    initial_adapter: AdapterLocation | None = None
    """The adapter that the training started from; unset if it started from the base model."""
    learning_rate: LearningRateChoice | None = None
    """The learning rate that was chosen; unset if the spec has a number."""
    under_training: PrintableText = ""
    """Why the run seems to be under-trained, and what to do; empty when nothing says so."""

    @property
    def known_reason(self) -> FailureReason:
        """The reason; InternalError in place of one that is missing or not of this version."""
        return self.reason if isinstance(self.reason, FailureReason) else FailureReason.InternalError

    def to_termination_message(self) -> str:
        """As JSON within the kubelet's size limit: texts and outputs are shortened if needed."""
        text = self._to_json()
        for limit in (2000, 1000, 500, 100):
            if len(text.encode()) <= TERMINATION_LOG_LIMIT:
                return text
            texts = {"message": self.message, "remedy": self.remedy, "under_training": self.under_training}
            shorter = {name: _shorten(text, limit) for name, text in texts.items()}
            evaluation = self.evaluation and self.evaluation.shortened(max(limit, _SHORTEST_GATE_MESSAGE))
            parts = {"outputs": self.outputs.shortened(), "evaluation": evaluation}
            text = self.model_copy(update={**shorter, **parts})._to_json()
        return text

    def _to_json(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_termination_message(cls, text: str) -> Self | None:
        """Parse a termination message; None when it is not a RunResult (the process was killed before)."""
        if len(text) > TERMINATION_LOG_LIMIT:
            return None
        try:
            result = cls.model_validate_json(text)
            return result.model_copy(update={"outputs": result.outputs.completed()})
        except ValueError:
            return None


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def published_metrics(run_metrics: Mapping[str, Any]) -> dict[str, str]:
    """The metrics of a run's metrics.json that latest.json names, as texts.

    >>> published_metrics({"eval_loss": 0.5, "train_loss": None, "steps": 3})
    {'eval_loss': '0.5'}
    """
    names = ("train_loss", "eval_loss", "best_eval_loss", "base_eval_loss", "learning_rate")
    return {name: format_metric(value) for name in names if (value := run_metrics.get(name)) is not None}


def format_rate(value: float) -> str:
    """A rate as the status shows it: three significant digits, no exponent.

    >>> format_rate(12345.6), format_rate(0.04321)
    ('12300', '0.0432')
    """
    return f"{Decimal(f'{value:.3g}'):f}"


def format_metric(value: float) -> str:
    """A metric as the status shows it: six significant digits.

    >>> format_metric(0.41234567)
    '0.412346'
    """
    return f"{value:.6g}"
