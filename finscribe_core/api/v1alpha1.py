"""Defines the FineTuneJob API, version v1alpha1: CRD, API reference and validation are generated from it.

A field's description is its docstring. Changes of v1alpha1 only add fields: there is no conversion webhook.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, WithJsonSchema, model_validator

from finscribe_core.api.base import (
    DNS_LABEL,
    MAX_SECONDS,
    Bool,
    Float,
    Int,
    KubeModel,
    LabelledName,
    Name,
    Quantity,
    Rule,
    cel_value,
    pattern,
)
from finscribe_core.api.conditions import Condition
from finscribe_core.api.pod import PodSpec, ResourcesSpec
from finscribe_core.api.references import CaBundle, ClaimReference, SecretReference
from finscribe_core.api.retraining import RetrainSpec, RetrainStatus, RunCause
from finscribe_core.api.volumes import ImageName
from finscribe_core.constants import API_VERSION, BUILT_IN_MODEL, KIND
from finscribe_core.errors import UserError
from finscribe_core.overrides import apply_overrides
from finscribe_core.parsing import validation_problems
from finscribe_core.report import (
    ADAPTER_LOCATION_LIMIT,
    AdapterLocation,
    Count,
    DatasetState,
    EvaluationReport,
    LearningRateChoice,
    Location,
    Metrics,
    MetricText,
    ObjectName,
    Outputs,
    PhaseSeconds,
    Progress,
    ShortText,
)
from finscribe_core.trainer_config import (
    DOWNLOAD_CACHE_SIZE,
    METRIC_NEEDS_DOCUMENTS,
    QLORA_WITHOUT_FSDP,
    AdapterPolicy,
    AugmentationSpec,
    CurriculumSpec,
    EarlyStoppingSpec,
    EvaluationSpec,
    FeatureCacheSpec,
    KeepCheckpoints,
    LoraSpec,
    LossSpec,
    Method,
    OutputFormat,
    PreflightSpec,
    ReportTo,
    StorageEndpoint,
    TrainingSpec,
)

_S3_PATTERN = pattern(
    r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?$",
    "an s3:// URI with a valid bucket name and no spaces, such as s3://team-docs/invoices",
)
S3Uri = Annotated[str, Field(pattern=_S3_PATTERN, max_length=1024)]
ActiveDeadline = Annotated[Int, Field(ge=1, le=MAX_SECONDS)]
BackoffLimit = Annotated[Int, Field(ge=0, le=100)]
HistoryLimit = Annotated[Int, Field(ge=0, le=10)]
Seconds = Annotated[Int, Field(ge=0, le=MAX_SECONDS)]
OUTPUT_URI_LIMIT = 384
"""A result contains six URIs below it, and has to fit into a pod's termination message."""
OutputUri = Annotated[str, Field(pattern=_S3_PATTERN, max_length=OUTPUT_URI_LIMIT)]
AdapterUri = Annotated[
    str,
    Field(
        pattern=pattern(
            r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s]+$",
            "an s3:// URI of an adapter's prefix or of a latest.json, without spaces",
        ),
        max_length=ADAPTER_LOCATION_LIMIT,
    ),
]


class ModelSpec(KubeModel):
    """The base model."""

    source: Annotated[
        str,
        Field(
            pattern=pattern(
                rf"^({BUILT_IN_MODEL}|hf://[^/\s@]+/[^/\s@]+|s3://[^/\s@]+/[^\s]+|/[^\s]+|"
                r"oci://[^/\s@]+/[^\s@]+(:[\w.-]+|@sha256:[0-9a-f]{64}))$",
                "hf://owner/name, s3://bucket/prefix, oci://registry/image with :tag or @sha256:digest, "
                f"an absolute path, or {BUILT_IN_MODEL}, without spaces or credentials",
            ),
            max_length=1024,
        ),
    ]
    """`hf://owner/name`, an `s3://bucket/prefix` that holds a model, an absolute path in the trainer image,
    `oci://registry/image:tag`, or `finscribe/tiny-ocr-vl`, the small model in the trainer image. An oci://
    image has a model in its root folder and is mounted as an image volume, which Kubernetes has by default
    from version 1.35 on."""
    revision: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Commit, tag or branch of an hf:// model; pin a commit to make runs reproducible."""
    adapter: AdapterUri | None = None
    """Adapter whose weights the training starts from, with the same base model and the same `lora` settings:
    the s3:// prefix of an adapter, or the URI of a `latest.json`, whose run's adapter is used. A new adapter
    when unset."""
    adapter_policy: AdapterPolicy | None = None
    """What happens when that adapter, or that latest.json, does not exist; `Required` when unset."""
    token_secret_ref: SecretReference | None = None
    """Secret with the key HF_TOKEN, an access token for a gated or private hf:// model. Only the pod reads
    it, never the operator."""

    rules = (
        Rule(
            cel="!has(self.revision) || self.source.startsWith('hf://')",
            check=lambda m: m.revision is None or m.source.startswith("hf://"),
            message="model.revision applies to hf:// sources only; remove it",
        ),
        Rule(
            cel="!has(self.adapterPolicy) || has(self.adapter)",
            check=lambda m: m.adapter_policy is None or m.adapter is not None,
            message="model.adapterPolicy needs model.adapter",
        ),
        Rule(
            cel="!has(self.tokenSecretRef) || self.source.startsWith('hf://')",
            check=lambda m: m.token_secret_ref is None or m.source.startswith("hf://"),
            message="model.tokenSecretRef applies to hf:// sources only; remove it",
        ),
    )


class DatasetSpec(KubeModel):
    """The documents to train on."""

    train: S3Uri
    """Training rows: an s3:// URI of a .jsonl, .jsonl.gz or .parquet file, or of a prefix that ends in '/'
    and contains such files, read in the order of their names. Image paths are relative to the file."""
    validation: S3Uri | None = None
    """Validation rows, in the same form."""
    validation_split: Float | None = Field(None, gt=0, lt=1)
    """Share of the training rows held out if there is no `validation`; 0.05 when both are unset."""
    test: S3Uri | None = None
    """Test rows, in the same form: base and tuned model are compared on them; the validation rows when
    unset."""
    image_root: S3Uri | None = None
    """Another s3:// prefix that images may be in. Without it, images are read below the prefix of their rows
    only. A relative path that is not there is looked up in it."""
    max_image_pixels: Int = Field(50_000_000, ge=784)
    """Largest image in pixels; a larger one fails the run, as a protection against decompression bombs."""
    max_pages: Int | None = Field(None, ge=1)
    """Most images of a training or validation row, such as the pages of a document; a row with more is left
    out and reported. No limit besides `training.maxSequenceLength` when unset."""
    require_images: Bool = True
    """Refuse to train a model that reads images if no training row has one; set false for a data set of texts
    only. No effect on text models."""

    rules = (
        Rule(
            cel="!(has(self.validation) && has(self.validationSplit))",
            check=lambda d: d.validation is None or d.validation_split is None,
            message="dataset.validation and dataset.validationSplit are mutually exclusive; keep one",
        ),
    )


class OutputSpec(KubeModel):
    """Where results are uploaded."""

    uri: OutputUri
    """Prefix of the results: each run is uploaded to `runs/<run>/` below it, and `latest.json` names the
    newest run that passed its gate."""
    formats: Annotated[list[OutputFormat], Field(min_length=1, max_length=2)] = [OutputFormat.Adapter]
    """What to upload: `Adapter`, `Merged` or both."""
    keep_checkpoints: KeepCheckpoints | None = None
    """Which checkpoints stay in the bucket once the run has succeeded; all that are there when unset. After a
    failure they stay, since a retry resumes from the last one."""
    keep_runs: Int | None = Field(None, ge=1)
    """How many runs of this job to keep in the bucket, the newest ones; all when unset. A run that succeeds
    deletes older results, never those that `latest.json` names."""

    rules = (
        Rule(
            cel="!has(self.formats) || self.formats.all(f, self.formats.filter(g, g == f).size() == 1)",
            check=lambda o: len(set(o.formats)) == len(o.formats),
            message="output.formats must not repeat a format",
        ),
    )


class StorageSpec(StorageEndpoint):
    """Connection to the object storage."""

    credentials_secret_ref: SecretReference | None = None
    """Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and optionally AWS_SESSION_TOKEN,
    AWS_ENDPOINT_URL and AWS_REGION. Only the pod reads it, never the operator."""
    service_account_name: Name | None = None
    """Service account of the pod, for workload identity. Beside a Secret, storage uses the Secret's
    credentials."""
    ca_bundle: CaBundle | None = None
    """Certificates of private authorities, by which storage, hub and experiment trackers are trusted in
    addition to the public ones."""


class JobFeatureCacheSpec(FeatureCacheSpec):
    """Cache of the frozen vision tower's output per page, for later epochs and runs."""

    persistent_volume_claim: ClaimReference | None = None
    """Volume of the cache, which several runs may share; when unset the pod's scratch volume, of which the
    cache takes at most half and with which it is deleted."""


class CacheSpec(KubeModel):
    """Cache of downloaded models and data sets, which several runs may use at the same time."""

    persistent_volume_claim: ClaimReference
    """Volume of the cache. Pods on several nodes need the access mode ReadWriteMany; of a claim that is read
    only, what is there is used. Whoever may use the claim can read what is in it."""
    max_size: Quantity = DOWNLOAD_CACHE_SIZE
    """Maximum size of the cache on disk; the files that were not used for the longest time make room for
    others."""


class ReportingSpec(KubeModel):
    """Credentials of experiment trackers."""

    wandb_secret_ref: SecretReference | None = None
    """Secret with the key WANDB_API_KEY, and optionally WANDB_PROJECT, WANDB_ENTITY and WANDB_BASE_URL, for
    `training.reportTo: [wandb]`. Only the pod reads it, never the operator."""


def _check_override(value: Any) -> Any:
    """Refuse a value that is nested or too long."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, list | dict) for item in items):
        raise ValueError("must be a number, a text, true, false or a list of these")
    if len(items) > OVERRIDE_ITEMS:
        raise ValueError(f"must have at most {OVERRIDE_ITEMS} items")
    if any(len(item) > OVERRIDE_TEXT for item in items if isinstance(item, str)):
        raise ValueError(f"must have at most {OVERRIDE_TEXT} characters")
    return value


OVERRIDE_ITEMS, OVERRIDE_TEXT = 64, 256
_SCALAR: dict[str, Any] = {  # a structural schema has no unions: these keywords apply to one type each
    "x-kubernetes-preserve-unknown-fields": True,
    "maxProperties": 0,
    "maxLength": OVERRIDE_TEXT,
}
OverrideValue = Annotated[
    Any,
    AfterValidator(_check_override),
    WithJsonSchema({**_SCALAR, "maxItems": OVERRIDE_ITEMS, "items": {**_SCALAR, "maxItems": 0}}),
]
"""A value of a spec's field: a number, a text, true, false or a list of these."""
FIXED_SETTINGS = frozenset({"output", "storage", "experiments", "suspend", "ttlTarget"})
"""Fields of the spec that no experiment may change, because they do not affect training."""


class ExperimentSpec(KubeModel):
    """A variation of the job with some settings changed."""

    name: Annotated[
        str,
        Field(pattern=DNS_LABEL, max_length=30),
    ]
    """Name; the experiment's FineTuneJob is named `<job>-<name>`."""
    description: Annotated[str, Field(max_length=1024)] = ""
    """What the experiment tests or is expected to show."""
    overrides: Annotated[
        dict[Annotated[str, Field(max_length=512)], OverrideValue], Field(min_length=1, max_length=16)
    ]
    """Values by dotted path below the spec, such as `training.learningRate: 1.0e-5`. Change one parameter
    at a time: the effects of two changed together can't be separated. A value is a number, a text, true,
    false or a list of these."""


class TtlTarget(StrEnum):
    """What is deleted some time after the end of a run."""

    Children = "Children"
    """The Jobs and ConfigMaps of the job's runs."""
    FineTuneJob = "FineTuneJob"
    """The job itself, and with it all that it owns."""


def _can_be_divided(training: TrainingSpec, num_processes: int) -> bool:
    rows = training.per_device_train_batch_size * num_processes
    return training.effective_batch_size is None or training.effective_batch_size % rows == 0


class FineTuneJobSpec(KubeModel):
    """Model, data, hyperparameters and output of the fine-tuning.

    A change of what is learned starts a new run; a change of the pod (such as `resources.memory` or `image`)
    continues the run in a new pod, from its last checkpoint. The others apply to the run as it is.
    """

    model: ModelSpec
    """The base model."""
    dataset: DatasetSpec
    """The documents to train on."""
    method: Method = Method.LoRA
    """`LoRA`, or `QLoRA` to quantise the language model to 4 bits."""
    lora: LoraSpec = LoraSpec()
    """Hyperparameters of the LoRA adapter."""
    training: TrainingSpec = TrainingSpec()
    """Hyperparameters of the training loop."""
    early_stopping: EarlyStoppingSpec = EarlyStoppingSpec()
    """When to stop before the last epoch, and how the best checkpoint is chosen."""
    loss: LossSpec = LossSpec()
    """The training loss: focal, label smoothing, token weights."""
    augmentation: AugmentationSpec = AugmentationSpec()
    """Augmentation of training images."""
    curriculum: CurriculumSpec = CurriculumSpec()
    """Curriculum: the order of rows by difficulty."""
    feature_cache: JobFeatureCacheSpec = JobFeatureCacheSpec()
    """Cache of the vision tower's output."""
    cache: CacheSpec | None = None
    """Cache of downloads that several runs share; every pod downloads its own when unset."""
    preflight: PreflightSpec | None = None
    """Checks before the first step, which are enabled when this is unset."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """Evaluation on documents, during training and at its end, and the gate for `latest.json`."""
    output: OutputSpec
    """Where results are uploaded."""
    storage: StorageSpec = StorageSpec()
    """Connection to the object storage."""
    reporting: ReportingSpec = ReportingSpec()
    """Credentials of experiment trackers."""
    resources: ResourcesSpec = ResourcesSpec()
    """Resource requests and limits of the run's pod."""
    pod: PodSpec = PodSpec()
    """Metadata, scheduling, environment and volumes of the run's pod."""
    image: ImageName | None = None
    """Trainer image; the operator's default when unset."""
    retrain: RetrainSpec = RetrainSpec()
    """When to train again: after a change, by a schedule, for new data."""
    experiments: Annotated[list[ExperimentSpec], Field(max_length=16)] = []
    """Variations of this job, each trained as a FineTuneJob of its own, named `<job>-<experiment>`, with its
    results below `<output.uri>/experiments/<experiment>`. This job is the baseline they are compared with."""
    suspend: Bool = False
    """True terminates the run's pod, which saves a checkpoint first; false resumes from that checkpoint."""
    queue_name: LabelledName | None = None
    """LocalQueue of Kueue, in the job's namespace, that decides when the run starts, and may take its place
    away for another one; without it the run starts at once."""
    queue_priority_class: LabelledName | None = None
    """WorkloadPriorityClass of Kueue, by which the queue orders its runs and preempts others; the priority of
    `pod.priorityClassName` when unset."""
    backoff_limit: BackoffLimit = 3
    """Failed attempts that are retried, in the same pod or in another. User errors are never retried,
    evictions never counted."""
    active_deadline_seconds: ActiveDeadline | None = None
    """Seconds after which the run is stopped and fails, retries included."""
    start_deadline_seconds: Seconds = 3600
    """Seconds from a pod's assignment to a node, from which on it holds the node's GPUs, until its container
    has to have started (image pulled, volumes mounted, Secrets found); otherwise the run fails. The wait for
    a node does not count. 0: no limit."""
    history_limit: HistoryLimit = 10
    """Earlier runs whose records are kept in `status.runs`, and whose Jobs are kept with their pods and logs.
    The last run that succeeded and the last one that was promoted are always kept."""
    ttl_seconds_after_finished: Seconds | None = None
    """How long after the run's end `ttlTarget` is deleted; never when unset. Nothing in the bucket is
    deleted."""
    ttl_target: TtlTarget = TtlTarget.Children
    """What is deleted then: `Children`, the Jobs and ConfigMaps of all its runs, with their pods and logs, or
    `FineTuneJob`, the whole job, once its experiments have ended, too. The status has to be kept elsewhere in
    that case, and a GitOps tool must not create the job again."""

    rules = (
        METRIC_NEEDS_DOCUMENTS,
        QLORA_WITHOUT_FSDP,
        Rule(
            cel="(has(self.training) && has(self.training.reportTo) && "
            "self.training.reportTo.exists(r, r == 'wandb')) == "
            "(has(self.reporting) && has(self.reporting.wandbSecretRef))",
            check=lambda s: (
                (ReportTo.wandb in s.training.report_to) == (s.reporting.wandb_secret_ref is not None)
            ),
            message="training.reportTo wandb and reporting.wandbSecretRef go together; set both or neither",
        ),
        Rule(
            cel="!has(self.training) || !has(self.training.effectiveBatchSize) || "
            f"self.training.effectiveBatchSize % ({cel_value('training.perDeviceTrainBatchSize', 8)} * "
            "(has(self.resources) && has(self.resources.nodes) ? self.resources.nodes : 1) * "
            f"({cel_value('resources.gpus', 1)} == 0 ? 1 : "
            f"{cel_value('resources.gpus', 1)})) == 0",
            check=lambda s: _can_be_divided(s.training, max(1, s.resources.gpus) * s.resources.num_nodes),
            message="training.effectiveBatchSize must be a multiple of training.perDeviceTrainBatchSize x "
            "resources.gpus x resources.nodes: every process trains with whole batches",
        ),
        Rule(
            cel="!has(self.experiments) || "
            "self.experiments.all(e, self.experiments.filter(f, f.name == e.name).size() == 1)",
            check=lambda s: len({e.name for e in s.experiments}) == len(s.experiments),
            message="experiments must not repeat a name",
        ),
        Rule(
            cel=f"{cel_value('ttlTarget', 'Children')} == 'Children' || has(self.ttlSecondsAfterFinished)",
            check=lambda s: s.ttl_target is TtlTarget.Children or s.ttl_seconds_after_finished is not None,
            message="ttlTarget needs ttlSecondsAfterFinished; set it, or remove ttlTarget",
        ),
        Rule(
            cel=f"{cel_value('ttlTarget', 'Children')} == 'Children' || !has(self.retrain) || "
            "!(has(self.retrain.schedule) || has(self.retrain.onDataChange))",
            check=lambda s: (
                s.ttl_target is TtlTarget.Children
                or (s.retrain.schedule is None and s.retrain.on_data_change is None)
            ),
            message="ttlTarget FineTuneJob deletes the job that retrain.schedule and retrain.onDataChange "
            "train again; remove it or them",
        ),
        Rule(
            cel="!has(self.queuePriorityClass) || has(self.queueName)",
            check=lambda s: s.queue_priority_class is None or s.queue_name is not None,
            message="queuePriorityClass needs queueName; set it, or remove queuePriorityClass",
        ),
        Rule(
            cel="!(has(self.model.tokenSecretRef) && has(self.pod) && has(self.pod.env) && "
            "self.pod.env.exists(e, e.name == 'HF_TOKEN'))",
            check=lambda s: (
                s.model.token_secret_ref is None
                or all(variable.name != "HF_TOKEN" for variable in s.pod.env or [])
            ),
            message="model.tokenSecretRef and HF_TOKEN in pod.env are mutually exclusive; keep one",
        ),
    )

    @model_validator(mode="after")
    def _check_experiments(self) -> Self:
        """Validate the experiments' settings with the job, as CEL can't resolve dotted paths."""
        for experiment in self.experiments:
            self.varied(experiment)
        return self

    def varied(self, experiment: ExperimentSpec) -> Self:
        """The spec of an experiment.

        Raises:
            ValueError: an unknown path, or an invalid value.
        """
        where = f"experiments: {experiment.name}"
        for path in experiment.overrides:
            if path.split(".")[0] in FIXED_SETTINGS:
                raise ValueError(f"{where}: {path} can't be changed by an experiment")
        of_the_job = ("experiments", "ttlTarget")  # an experiment is deleted with its job
        plain = {name: value for name, value in self.as_written().items() if name not in of_the_job}
        plain |= _without_retraining(plain)
        try:
            data = apply_overrides(type(self), plain, experiment.overrides, where, camel_case=True)
            uri = f"{self.output.uri.rstrip('/')}/experiments/{experiment.name}"
            return type(self).model_validate({**data, "output": {**data["output"], "uri": uri}})
        except UserError as error:
            raise ValueError(str(error)) from None
        except ValidationError as error:
            raise ValueError(f"{where}: {' '.join(text for _, text in validation_problems(error))}") from None


def _without_retraining(spec: dict[str, Any]) -> dict[str, Any]:
    """The section `retrain` of an experiment, which is trained again with its job's spec or trigger only."""
    kept = {k: v for k, v in spec.get("retrain", {}).items() if k not in ("schedule", "onDataChange")}
    return {"retrain": kept} if "retrain" in spec else {}


class State(StrEnum):
    """A job's state in one word, derived from the conditions."""

    Pending = "Pending"
    Invalid = "Invalid"
    Suspended = "Suspended"
    Running = "Running"
    Unknown = "Unknown"
    Retrying = "Retrying"
    Complete = "Complete"
    Failed = "Failed"


class Summary(KubeModel):
    """The columns of `kubectl get`; programs should read the conditions."""

    state: State = State.Pending
    """The job's state in one word."""
    progress: ShortText = "0%"
    """Training steps taken, in percent; 100% of a complete run, also after early stopping."""
    eta: ShortText = "-"
    """Estimated time until the result is uploaded."""
    loss: ShortText = "-"
    """Last training loss."""


RETRY_TOKEN_LIMIT = 253
UNDER_TRAINING_LIMIT = 1024
DEFAULTS_LIMIT = 262_144
"""Characters of the defaults of a run; the built-in ones are 2,400."""


class ResultLookup(StrEnum):
    """State of the search for a run's result in the bucket."""

    Pending = "Pending"
    """The search has not ended."""
    Found = "Found"
    """The result is complete, and `latest.json` names it if it passed its gate."""
    NotFound = "NotFound"
    """There is no complete result, or the search failed."""


SettingValues = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "x-kubernetes-map-type": "atomic",
            "maxProperties": 64,
        }
    ),
]
"""Values by field, as in a spec. The API server treats them as one value, which costs it little."""


class Goodput(KubeModel):
    """The share of its pods' time in which a run took the steps that it keeps.

    `ratio` = `stepSeconds` / `podSeconds`. A step that a later attempt had to repeat does not count, nor do
    starting, downloading, evaluating and uploading. A pod's time begins when its node accepts it, and ends
    with its container.
    """

    ratio: MetricText = None
    """0 to 1, as a decimal string; unset before the first step."""
    step_seconds: Count = 0
    """Seconds of the optimizer steps that led to the last one, as the trainer reported them last. It keeps
    their sum in each checkpoint, so that an attempt begins with those of the steps that it need not
    repeat."""
    pod_seconds: Count = 0
    """Seconds of all pods so far, up to the last report of the newest one."""
    earlier_pod_seconds: Count = 0
    """Those of the pods before the newest one."""
    newest_pod: ObjectName = ""
    """Name of the newest pod."""
    newest_pod_created: ShortText = ""
    """When it was created (RFC 3339)."""
    newest_pod_restarts: Count = 0
    """How often its container has failed and was started again in it, as far as counted in `restarts`."""


class GpuSeconds(PhaseSeconds):
    """GPU seconds of a run in all of its attempts (GPUs x seconds), by the phases that the trainers reported.

    The total is that of the pods, as in `goodput.podSeconds`: it also has the pull of the image, and what was
    after a trainer's last report.
    """

    total: Count = 0
    """GPU seconds of all pods so far."""


class RunStatus(KubeModel):
    """The current run, or the last one."""

    name: ObjectName
    """Name of the run: the job's name and a hash of its training settings."""
    cause: RunCause = RunCause.Created
    """Why it was started."""
    occasion: ShortText = ""
    """What the run was started for if its settings are not new: the time of the schedule, or the fingerprint
    of the data."""
    start_time: ShortText | None = None
    """When the run's Job was started (RFC 3339)."""
    completion_time: ShortText | None = None
    """When the run ended (RFC 3339)."""
    failed_attempts: Count = 0
    """Number of failed attempts of this run: of pods that failed, and of `restarts`."""
    restarts: Count = 0
    """Attempts that failed and were followed by another one in the same pod."""
    attempts: Count = 0
    """Number of attempts of this run so far, also of those that an eviction or a suspension ended: one in
    each pod, and one more for each restart."""
    goodput: Goodput = Goodput()
    """What the attempts have cost."""
    gpu_seconds: GpuSeconds = GpuSeconds()
    """The GPU time of the attempts; 0 on a CPU."""
    resumed_from: Location | None = None
    """The checkpoint the last attempt resumed from."""
    initial_adapter: AdapterLocation | None = None
    """The adapter that the training started from, as `model.adapter` named it then; unset if it started from
    the base model."""
    learning_rate: LearningRateChoice | None = None
    """The learning rate that `training.learningRate: auto` chose; unset if the spec has a number."""
    under_training: Annotated[str, Field(max_length=UNDER_TRAINING_LIMIT)] = ""
    """Why the run seems to be under-trained by its own losses and answers, and what to do; empty when nothing
    says so."""
    model_image: Location | None = None
    """The image of an oci:// model: its digest where the node reports it, else as `model.source` names it."""
    outputs: Outputs = Outputs()
    """Locations of the results."""
    training_hash: ShortText = ""
    """Hash of the training settings, with the defaults of the run's start."""
    spec_hash: ShortText = ""
    """Hash of the training settings as they are written in the spec."""
    attempt_hash: ShortText = ""
    """Hash of the settings of the run's pod. When they change, the run continues in a new pod."""
    retry_token: Annotated[str, Field(max_length=RETRY_TOKEN_LIMIT)] = ""
    """The last value of the annotation finscribe.io/retry that was acted on."""
    result_lookup: ResultLookup | None = None
    """Whether the bucket was searched for the result of this run, by a pod without GPU: of a job whose status
    was lost, or that went back to an earlier run."""
    settings: SettingValues = {}
    """The training settings as they are written in the spec that the run was started for."""
    dataset: DatasetState | None = None
    """The training data, as the run found them."""
    defaults_json: Annotated[str, Field(max_length=DEFAULTS_LIMIT)] = ""
    """The values of settings that the spec leaves unset, as they were when the run started, as JSON. An
    upgrade of the operator does not change them."""


class RunRecord(KubeModel):
    """An earlier run."""

    name: ObjectName
    """The run's name."""
    cause: RunCause = RunCause.Created
    """Why it was started."""
    occasion: ShortText = ""
    """What it was started for if its settings were not new."""
    outcome: Literal["Succeeded", "Failed", "Superseded"]
    """How it ended; `Superseded` when the spec changed while it ran."""
    reason: ShortText = ""
    """Reason of the failure."""
    start_time: ShortText | None = None
    """When it started (RFC 3339)."""
    completion_time: ShortText | None = None
    """When it ended (RFC 3339)."""
    metrics: Metrics = Metrics()
    """Its last metrics."""
    evaluation: EvaluationReport | None = None
    """Comparison of base and tuned model."""
    outputs: Outputs = Outputs()
    """Locations of its results."""
    initial_adapter: AdapterLocation | None = None
    """The adapter that its training started from; unset if it started from the base model."""
    training_hash: ShortText = ""
    """Hash of its training settings, with the defaults of its start."""
    spec_hash: ShortText = ""
    """Hash of its training settings as they were written in the spec."""
    dataset: DatasetState | None = None
    """The training data, as it found them."""


class ExperimentStatus(KubeModel):
    """Summary of an experiment; details are in the status of its FineTuneJob."""

    name: ObjectName
    """The experiment's name."""
    job: ObjectName
    """Name of its FineTuneJob."""
    state: State = State.Pending
    """Its state in one word."""
    metrics: Metrics = Metrics()
    """Its latest metrics."""
    evaluation: EvaluationReport | None = None
    """Comparison of base and tuned model, once it has ended."""


class FineTuneJobStatus(KubeModel):
    """Observed state of the job. The operator writes no other part of the object."""

    observed_generation: int = 0
    """Generation of the spec that this status is based on."""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    """Accepted, Suspended, Running, Complete, Failed, Promoted; Reconciling and Stalled for kstatus."""
    summary: Summary = Summary()
    """The columns of `kubectl get`."""
    progress: Progress = Progress()
    """Progress of the run."""
    metrics: Metrics = Metrics()
    """Latest metrics of the run."""
    evaluation: EvaluationReport | None = None
    """Comparison of base and tuned model, once the run has ended."""
    run: RunStatus | None = None
    """The current run, or the last one."""
    retrain: RetrainStatus | None = None
    """What was done about `spec.retrain`."""
    experiments: Annotated[list[ExperimentStatus], Field(max_length=16)] = []
    """The experiments, in the spec's order."""
    runs: Annotated[list[RunRecord], Field(max_length=10)] = []
    """Earlier runs, newest first, at most `spec.historyLimit`."""


class ObjectMeta(KubeModel):
    """The part of an object's metadata that is used here."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


MAX_NAME_LENGTH = 63
"""The name is the value of a label."""


class FineTuneJob(KubeModel):
    """Fine-tunes a document model on a team's documents; a change of what is learned starts a new run."""

    camel_case_only: ClassVar[bool] = True
    """Files must be in camelCase, too: a manifest for `finscribe run` must be valid for the API server."""
    api_version: Literal["finscribe.io/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    kind: Literal["FineTuneJob"] = KIND  # type: ignore[assignment]
    metadata: ObjectMeta
    spec: FineTuneJobSpec
    """Model, data, hyperparameters and output."""
    # One writer has all of it: as a whole it costs the API server one entry of managedFields, not a hundred.
    status: Annotated[FineTuneJobStatus, Field(json_schema_extra={"x-kubernetes-map-type": "atomic"})] = (
        FineTuneJobStatus()
    )
    """Observed state of the job."""

    rules = (
        Rule(
            cel=f"self.metadata.name.size() <= {MAX_NAME_LENGTH}",
            check=lambda j: len(j.metadata.name) <= MAX_NAME_LENGTH,
            message=f"metadata.name must have at most {MAX_NAME_LENGTH} characters: it labels the job's pods",
        ),
        Rule(
            cel="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            check=lambda j: re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", j.metadata.name) is not None,
            message="metadata.name must be made of lower-case letters, digits and '-', and begin with a "
            "letter: the names of runs and pods are made from it",
        ),
        Rule(
            cel="!has(self.spec.experiments) || "
            f"self.spec.experiments.all(e, self.metadata.name.size() + e.name.size() < {MAX_NAME_LENGTH})",
            check=lambda j: all(
                len(j.metadata.name) + len(e.name) < MAX_NAME_LENGTH for e in j.spec.experiments
            ),
            message=f"metadata.name, a dash and an experiment's name must have at most {MAX_NAME_LENGTH} "
            "characters together: they name its FineTuneJob",
        ),
    )
