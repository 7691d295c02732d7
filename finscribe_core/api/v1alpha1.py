"""FineTuneJob, version v1alpha1. What stands here is the CRD, the API reference and the validation.

Every field's description is its docstring. v1alpha1 grows by addition only: there is no conversion webhook.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, WithJsonSchema, model_validator

from finscribe_core.api.base import Bool, CpuQuantity, Float, Int, KubeModel, Name, Quantity, Rule
from finscribe_core.api.conditions import Condition
from finscribe_core.constants import API_VERSION, GROUP, KIND
from finscribe_core.errors import UserError
from finscribe_core.overrides import apply_overrides
from finscribe_core.parsing import validation_problems
from finscribe_core.report import EvaluationReport, Metrics, Outputs, Progress
from finscribe_core.trainer_config import (
    NO_SHARDS_OF_4_BITS,
    AugmentationSpec,
    CurriculumSpec,
    EarlyStoppingSpec,
    EvaluationSpec,
    FeatureCacheSpec,
    LoraSpec,
    LossSpec,
    Method,
    OutputFormat,
    ReportTo,
    SelectionMetric,
    StorageEndpoint,
    TrainingSpec,
)

_S3_PATTERN = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?$"
S3Uri = Annotated[str, Field(pattern=_S3_PATTERN, max_length=1024)]
OUTPUT_URI_LIMIT = 384
"""A result names six places below it, and has to fit into a pod's termination message."""
OutputUri = Annotated[str, Field(pattern=_S3_PATTERN, max_length=OUTPUT_URI_LIMIT)]


class ModelSpec(KubeModel):
    """The base model."""

    source: Annotated[
        str, Field(pattern=r"^(hf://[^/\s]+/[^/\s]+|s3://[^/\s]+/[^\s]+|/[^\s]+)$", max_length=1024)
    ]
    """`hf://owner/name`, an `s3://bucket/prefix` that holds a model, or an absolute path in the image."""
    revision: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Commit, tag or branch of an hf:// model; pin a commit to make runs repeatable."""

    rules = (
        Rule(
            cel="!has(self.revision) || self.source.startsWith('hf://')",
            check=lambda m: m.revision is None or m.source.startswith("hf://"),
            message="model.revision applies to hf:// sources only; remove it",
        ),
    )


class DatasetSpec(KubeModel):
    """The documents to learn from."""

    train: S3Uri
    """Training rows: an s3:// URI of a .jsonl, .jsonl.gz or .parquet file, or of a prefix that holds such
    files and ends in '/'; they are read in the order of their names. Images are named relative to them."""
    validation: S3Uri | None = None
    """Validation rows, likewise."""
    validation_split: Float | None = Field(None, gt=0, lt=1)
    """Share of the training rows held out when there is no `validation`; 0.05 when both are unset."""
    test: S3Uri | None = None
    """Documents that base and tuned model are compared on, never seen in training; the validation rows when
    unset."""
    max_image_pixels: Int = Field(50_000_000, ge=784)
    """An image with more pixels fails the run: it is more likely a decompression bomb than a page."""

    rules = (
        Rule(
            cel="!(has(self.validation) && has(self.validationSplit))",
            check=lambda d: d.validation is None or d.validation_split is None,
            message="dataset.validation and dataset.validationSplit are mutually exclusive; keep one",
        ),
    )


class OutputSpec(KubeModel):
    """Where results go."""

    uri: OutputUri
    """Prefix below which each run gets `runs/<run>/`, and `latest.json` names the newest run that passed its
    gate."""
    formats: Annotated[list[OutputFormat], Field(min_length=1, max_length=2)] = [OutputFormat.Adapter]
    """What to upload: `Adapter`, `Merged` or both."""

    rules = (
        Rule(
            cel="self.formats.all(f, self.formats.filter(g, g == f).size() == 1)",
            check=lambda o: len(set(o.formats)) == len(o.formats),
            message="output.formats must not repeat a format",
        ),
    )


class SecretReference(KubeModel):
    """A Secret of the job's namespace."""

    name: Name
    """Name of the Secret."""


class StorageSpec(StorageEndpoint):
    """How to reach the object storage."""

    credentials_secret_ref: SecretReference | None = None
    """Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and optionally AWS_SESSION_TOKEN,
    AWS_ENDPOINT_URL and AWS_REGION. Only the pod reads it; the operator never does."""
    service_account_name: Name | None = None
    """Service account the pod runs as, for workload identity instead of a Secret."""

    rules = (
        Rule(
            cel="!(has(self.credentialsSecretRef) && has(self.serviceAccountName))",
            check=lambda s: s.credentials_secret_ref is None or s.service_account_name is None,
            message="storage.credentialsSecretRef and storage.serviceAccountName are mutually exclusive; "
            "keep one",
        ),
    )


class ClaimReference(KubeModel):
    """A PersistentVolumeClaim of the job's namespace."""

    name: Name
    """Name of the claim."""


class JobFeatureCacheSpec(FeatureCacheSpec):
    """The frozen vision tower sees a page once; its output is kept for later epochs and runs."""

    persistent_volume_claim: ClaimReference | None = None
    """Volume that holds the cache, which several runs may share; the pod's scratch volume when unset: then
    it takes at most half of that, and ends with the pod."""


class ReportingSpec(KubeModel):
    """Who else draws the training curves."""

    wandb_secret_ref: SecretReference | None = None
    """Secret with the key WANDB_API_KEY, and optionally WANDB_PROJECT, WANDB_ENTITY and WANDB_BASE_URL, for
    `training.reportTo: [wandb]`. Only the pod reads it; the operator never does."""


class ResourcesSpec(KubeModel):
    """What the run's pod asks for."""

    gpus: Int = Field(1, ge=0, le=16)
    """GPUs of the pod. The trainer starts a process for each, so that a step takes as many batches at once.
    0 trains on the CPU."""
    gpu_resource_name: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9._-]+$", max_length=316)] = (
        "nvidia.com/gpu"
    )
    """The extended resource a GPU is asked for by."""
    cpu: CpuQuantity = "4"
    """CPU request; the trainer starts as many threads, rounded up, over all its processes."""
    memory: Quantity = "16Gi"
    """Memory request and limit."""
    scratch: Quantity = "50Gi"
    """Size limit of the pod's scratch volume: dataset, model, checkpoints and exports."""


class Toleration(KubeModel):
    """A taint the pod tolerates, as in a pod's spec."""

    key: Annotated[str, Field(max_length=316)] | None = None
    """Taint key; all when unset."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How value is compared."""
    value: Annotated[str, Field(max_length=316)] | None = None
    """Taint value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; all when unset."""
    toleration_seconds: Int | None = None
    """How long a NoExecute taint is tolerated."""


class PodSpec(KubeModel):
    """What else the cluster's administrators ask of a pod."""

    labels: dict[str, str] = {}
    """Extra labels."""
    annotations: dict[str, str] = {}
    """Extra annotations."""
    node_selector: dict[str, str] = {}
    """Labels a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=64)] = []
    """Taints the pod tolerates."""
    priority_class_name: Name | None = None
    """PriorityClass of the pod."""
    runtime_class_name: Name | None = None
    """RuntimeClass of the pod."""
    image_pull_secrets: Annotated[list[SecretReference], Field(max_length=16)] = []
    """Secrets to pull the image with."""

    rules = (
        Rule(
            cel=f"!has(self.labels) || self.labels.all(k, !k.startsWith('{GROUP}/'))",
            check=lambda p: not any(key.startswith(f"{GROUP}/") for key in p.labels),
            message=f"pod.labels must not begin with {GROUP}/: by those labels the operator finds its pods",
        ),
    )


OverrideValue = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""What a field of the spec may hold: a number, a text, a list."""
NEVER_VARIED = frozenset({"output", "storage", "experiments", "suspend"})
"""Fields of the spec that no experiment may change: they say where things go, not how is trained."""


class ExperimentSpec(KubeModel):
    """The job once more, with a few settings changed."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=30)]
    """Name, added to the job's."""
    description: Annotated[str, Field(max_length=1024)] = ""
    """What is asked, or expected."""
    overrides: Annotated[
        dict[Annotated[str, Field(max_length=256)], OverrideValue], Field(min_length=1, max_length=16)
    ]
    """Values by dotted path below the spec, such as `training.learningRate: 1.0e-5`. Change one parameter
    at a time: of two changed at once nobody can tell which one did it."""


class FineTuneJobSpec(KubeModel):
    """What to train, on what, and where the result goes.

    A change of anything but `suspend`, `backoffLimit`, `activeDeadlineSeconds` and `experiments` starts a new
    run.
    """

    model: ModelSpec
    """The base model."""
    dataset: DatasetSpec
    """The documents to learn from."""
    method: Method = Method.LoRA
    """`LoRA`, or `QLoRA` to hold the language model in 4 bits."""
    lora: LoraSpec = LoraSpec()
    """LoRA's own hyperparameters."""
    training: TrainingSpec = TrainingSpec()
    """Hyperparameters."""
    early_stopping: EarlyStoppingSpec = EarlyStoppingSpec()
    """When to stop before the last epoch."""
    loss: LossSpec = LossSpec()
    """What a token of the answer costs."""
    augmentation: AugmentationSpec = AugmentationSpec()
    """How training images are changed."""
    curriculum: CurriculumSpec = CurriculumSpec()
    """In which order rows are met."""
    feature_cache: JobFeatureCacheSpec = JobFeatureCacheSpec()
    """What is kept of the vision tower's work."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """How well documents are read, while training and at its end, and what `latest.json` asks for."""
    output: OutputSpec
    """Where results go."""
    storage: StorageSpec = StorageSpec()
    """How to reach the object storage."""
    reporting: ReportingSpec = ReportingSpec()
    """Who else draws the training curves."""
    resources: ResourcesSpec = ResourcesSpec()
    """What the run's pod asks for."""
    pod: PodSpec = PodSpec()
    """What else the cluster's administrators ask of a pod."""
    image: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Trainer image; the operator's default when unset."""
    experiments: Annotated[list[ExperimentSpec], Field(max_length=16)] = []
    """Variations of this job, each trained as a FineTuneJob of its own, named `<job>-<experiment>`, with the
    same data, its results below `<output.uri>/experiments/<experiment>`. The job itself is what they are
    compared with."""
    suspend: Bool = False
    """True ends the run's pod, which saves a checkpoint first; false goes on from there."""
    backoff_limit: Int = Field(3, ge=0, le=100)
    """Failed attempts after which the run fails. User errors are never retried, evictions never counted."""
    active_deadline_seconds: Int | None = Field(None, ge=1)
    """Seconds after which the run is ended, retries included."""

    rules = (
        Rule(
            cel="self.earlyStopping.metric == 'eval_loss' || self.evaluation.trainingDocuments > 0",
            check=lambda s: (
                s.early_stopping.metric is SelectionMetric.eval_loss or s.evaluation.training_documents > 0
            ),
            message="earlyStopping.metric needs evaluation.trainingDocuments above 0 for any figure but "
            "eval_loss",
        ),
        NO_SHARDS_OF_4_BITS,
        Rule(
            cel="self.training.reportTo.exists(r, r == 'wandb') == "
            "(has(self.reporting) && has(self.reporting.wandbSecretRef))",
            check=lambda s: (
                (ReportTo.wandb in s.training.report_to) == (s.reporting.wandb_secret_ref is not None)
            ),
            message="training.reportTo wandb and reporting.wandbSecretRef go together; set both or neither",
        ),
        Rule(
            cel="!has(self.experiments) || "
            "self.experiments.all(e, self.experiments.filter(f, f.name == e.name).size() == 1)",
            check=lambda s: len({e.name for e in s.experiments}) == len(s.experiments),
            message="experiments must not repeat a name",
        ),
    )

    @model_validator(mode="after")
    def _experiments_are_jobs(self) -> Self:
        """An experiment's settings are checked when the job is: CEL can't follow a path."""
        for experiment in self.experiments:
            self.varied(experiment)
        return self

    def varied(self, experiment: ExperimentSpec) -> Self:
        """The spec of an experiment.

        Raises:
            ValueError: a path does not exist, or a value can't be.
        """
        where = f"experiments: {experiment.name}"
        for path in experiment.overrides:
            if path.split(".")[0] in NEVER_VARIED:
                raise ValueError(f"{where}: {path} can't be changed by an experiment")
        plain = {name: value for name, value in self.to_kubernetes().items() if name != "experiments"}
        try:
            data = apply_overrides(type(self), plain, experiment.overrides, where, camel_case=True)
            data["output"]["uri"] = f"{self.output.uri.rstrip('/')}/experiments/{experiment.name}"
            return type(self).model_validate(data)
        except UserError as error:
            raise ValueError(str(error)) from None
        except ValidationError as error:
            raise ValueError(f"{where}: {' '.join(text for _, text in validation_problems(error))}") from None


class State(StrEnum):
    """A job's state in one word, derived from the conditions by `operator/.../status.py` alone."""

    Pending = "Pending"
    Invalid = "Invalid"
    Suspended = "Suspended"
    Running = "Running"
    Retrying = "Retrying"
    Complete = "Complete"
    Failed = "Failed"


class Summary(KubeModel):
    """The status in words, for `kubectl get`; programs read the conditions."""

    state: State = State.Pending
    """The job's state in one word."""
    progress: str = "0%"
    """Share of the training steps taken."""
    eta: str = "-"
    """Time of training left."""
    loss: str = "-"
    """Last training loss."""


class RunStatus(KubeModel):
    """The run under way, or the last one."""

    name: str
    """The run's name: the job's, and a hash of the spec that it trains."""
    start_time: str | None = None
    """When the run's Job was started (RFC 3339)."""
    completion_time: str | None = None
    """When the run ended (RFC 3339)."""
    failed_attempts: int = 0
    """Pods of this run that failed."""
    resumed_from: str | None = None
    """The checkpoint the last attempt went on from."""
    outputs: Outputs = Outputs()
    """Where the results are."""


class RunRecord(KubeModel):
    """A run of the past."""

    name: str
    """The run's name."""
    outcome: Literal["Succeeded", "Failed", "Superseded"]
    """How it ended; `Superseded`: the spec changed while it ran."""
    reason: str = ""
    """Why it failed."""
    start_time: str | None = None
    """When it started (RFC 3339)."""
    completion_time: str | None = None
    """When it ended (RFC 3339)."""
    metrics: Metrics = Metrics()
    """Its last figures."""
    evaluation: EvaluationReport | None = None
    """How base and tuned model read documents."""
    outputs: Outputs = Outputs()
    """Where its results are."""


class ExperimentStatus(KubeModel):
    """How an experiment stands; its FineTuneJob tells the rest."""

    name: str
    """The experiment's name."""
    job: str
    """Name of its FineTuneJob."""
    state: State = State.Pending
    """Its state in one word."""
    metrics: Metrics = Metrics()
    """Its latest figures."""
    evaluation: EvaluationReport | None = None
    """How base and tuned model read documents, once it has ended."""


class FineTuneJobStatus(KubeModel):
    """What the operator observed. It is the only part of the object that the operator writes."""

    observed_generation: int = 0
    """The generation of the spec this status is about."""
    conditions: Annotated[
        list[Condition],
        Field(
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    """Accepted, Suspended, Running, Complete, Failed, Promoted; Reconciling and Stalled for kstatus."""
    summary: Summary = Summary()
    """The status in words."""
    progress: Progress = Progress()
    """How far the run is."""
    metrics: Metrics = Metrics()
    """The run's latest figures."""
    evaluation: EvaluationReport | None = None
    """How base and tuned model read documents, once the run has ended."""
    run: RunStatus | None = None
    """The run under way, or the last one."""
    experiments: Annotated[list[ExperimentStatus], Field(max_length=16)] = []
    """How the experiments stand, in the spec's order."""
    runs: Annotated[list[RunRecord], Field(max_length=10)] = []
    """Earlier runs, newest first, ten at most."""


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


MAX_NAME_LENGTH = 52
"""A run's name adds 9 characters and a pod's label value holds 63."""


class FineTuneJob(KubeModel):
    """Fine-tunes a small document model on the documents of a team, once for every version of its spec."""

    camel_case_only: ClassVar[bool] = True
    """In files too: what runs on a laptop must mean the same to the API server."""
    api_version: Literal["finscribe.io/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    kind: Literal["FineTuneJob"] = KIND  # type: ignore[assignment]
    metadata: ObjectMeta
    spec: FineTuneJobSpec
    """What to train, on what, and where the result goes."""
    status: FineTuneJobStatus = FineTuneJobStatus()
    """What the operator observed."""

    rules = (
        Rule(
            cel=f"self.metadata.name.size() <= {MAX_NAME_LENGTH}",
            check=lambda j: len(j.metadata.name) <= MAX_NAME_LENGTH,
            message=f"metadata.name must have at most {MAX_NAME_LENGTH} characters: "
            "the names of runs are made from it",
        ),
        Rule(
            cel="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            check=lambda j: re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", j.metadata.name) is not None,
            message="metadata.name must be made of lower-case letters, digits and '-', and begin with a "
            "letter: each run has a Service named after it",
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
