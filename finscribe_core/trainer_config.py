"""Defines the trainer's configuration.

The same models validate the trainer's YAML file (snake_case, as in the training guide) and the sections of a
FineTuneJob's spec (camelCase); `TrainerConfig` is the whole file.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

from finscribe_core.api.base import (
    Bool,
    Float,
    Int,
    KubeModel,
    Quantity,
    Rule,
    cel_value,
    key_length_rule,
    pattern,
)


class Method(StrEnum):
    """How the base model is fine-tuned."""

    LoRA = "LoRA"
    """Low-rank adapters on the frozen base model."""
    QLoRA = "QLoRA"
    """The same, with the language model's weights quantised to 4 bits (nf4)."""


class LoraScope(StrEnum):
    """The part of the model in which LoRA target modules are searched."""

    LanguageModel = "LanguageModel"
    """The language model only; the vision tower stays frozen."""
    All = "All"
    """The whole model, so that `q_proj` also matches the vision tower's attention."""


class LrScheduler(StrEnum):
    """Learning rate schedule, by Hugging Face's names."""

    linear = "linear"
    cosine = "cosine"
    cosine_with_restarts = "cosine_with_restarts"
    constant = "constant"
    constant_with_warmup = "constant_with_warmup"
    polynomial = "polynomial"


class Optimizer(StrEnum):
    """Optimizer, by Hugging Face's names."""

    adamw_torch = "adamw_torch"
    """AdamW, in the parameters' precision."""
    adamw_torch_fused = "adamw_torch_fused"
    """The same with fused kernels: a little faster on a GPU."""
    adamw_bnb_8bit = "adamw_bnb_8bit"
    """AdamW with 8-bit moments (bitsandbytes)."""
    paged_adamw_8bit = "paged_adamw_8bit"
    """The same, with moments paged to CPU memory when GPU memory runs out."""
    paged_adamw_32bit = "paged_adamw_32bit"
    """AdamW with 32-bit moments, paged in the same way."""


class Attention(StrEnum):
    """Attention implementation, by the transformers library's names."""

    flash_attention_2 = "flash_attention_2"
    """The flash-attn package, on a GPU, in bfloat16 or float16."""
    sdpa = "sdpa"
    """PyTorch's own scaled dot product attention."""
    eager = "eager"
    """Plain matrix products: slow; for comparisons."""


class ReportTo(StrEnum):
    """Where training curves are written, besides the log and /metrics."""

    tensorboard = "tensorboard"
    """TensorBoard files below `output_dir`/logs."""
    wandb = "wandb"
    """Weights & Biases, configured by WANDB_* variables; files below `output_dir`/runs."""


class AdapterPolicy(StrEnum):
    """What happens when the adapter to start from does not exist."""

    Required = "Required"
    """The run fails."""
    Optional = "Optional"
    """The training starts from the base model."""


class OutputFormat(StrEnum):
    """Format of the uploaded model."""

    Adapter = "Adapter"
    """The LoRA adapter only: small; needs the base model for inference."""
    Merged = "Merged"
    """The base model with the adapter merged in: needs no other files."""


class KeepCheckpoints(StrEnum):
    """Which checkpoints of a run stay in the bucket once it has succeeded."""

    Nothing = "None"
    """None of them."""
    Best = "Best"
    """That of the best step, else the last one, which holds the best adapter, too."""
    Last = "Last"
    """The last one."""


class LoraSpec(KubeModel):
    """Hyperparameters of the LoRA adapter."""

    also_known_keys: ClassVar[Mapping[str, str]] = {
        "enabled": "Must be true, and has no effect: only LoRA is supported.",
    }

    r: Int = Field(16, ge=1, le=1024)
    """Rank of the adapter matrices; a higher rank has more capacity. 8 to 32 is usual."""
    alpha: Int = Field(32, ge=1, le=4096, validation_alias=AliasChoices("alpha", "lora_alpha"))
    """The adapter's output is scaled by alpha / r."""
    dropout: Float = Field(0.05, ge=0, lt=1, validation_alias=AliasChoices("dropout", "lora_dropout"))
    """Dropout on the adapter's input."""
    target_modules: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]],
        Field(min_length=1, max_length=64),
    ] = Field(["q_proj", "k_proj", "v_proj", "o_proj"])
    """Names (last part of the module path) of the layers that get an adapter."""
    scope: LoraScope = LoraScope.LanguageModel
    """Part of the model in which target modules are searched; `LanguageModel` excludes the vision tower."""

    @model_validator(mode="before")
    @classmethod
    def _read_enabled(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "enabled" not in data:
            return data
        if data["enabled"] is not True:
            raise ValueError(
                "lora.enabled must be true: training without LoRA is not supported; remove the key"
            )
        return {name: value for name, value in data.items() if name != "enabled"}


def _whole_as_int(value: float) -> Any:
    return int(value) if value == int(value) else value


Epochs = Annotated[
    Float,
    Field(gt=0, le=10000),
    # Whole numbers keep the form in which they were always written, as runs are named after it.
    PlainSerializer(_whole_as_int),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 10000}),
]
"""A number of epochs, which may be a fraction; 5.0 is written as 5."""


AUTO: Literal["auto"] = "auto"
"""In place of a learning rate: the run chooses it."""


def _auto_or_number(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    if isinstance(value, str) and value != AUTO and not value[:1].isdigit():
        raise ValueError(f"must be a number or {AUTO}, not {value[:32]!r}")
    return value if value == AUTO else check(value)


LearningRate = Annotated[
    float | Literal["auto"],
    GetPydanticSchema(
        lambda source, handler: core_schema.no_info_wrap_validator_function(
            _auto_or_number,
            core_schema.float_schema(strict=True, gt=0, le=1, allow_inf_nan=False),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )
    ),
    # A structural schema has no unions: each of these keywords applies to values of one type.
    WithJsonSchema(
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "exclusiveMinimum": 0,
            "maximum": 1,
            "pattern": pattern(f"^{AUTO}$", f"a number or {AUTO}"),
            "maxLength": 32,
            "not": {"enum": [True, False]},
            **{"minItems": 1, "maxItems": 0, "minProperties": 1, "maxProperties": 0},
        }
    ),
]
"""A number above 0, at most 1, or `auto`."""


class TrainingSpec(KubeModel):
    """Hyperparameters of the training loop, by Hugging Face's argument names."""

    also_known_keys: ClassVar[Mapping[str, str]] = {
        "metric_for_best_model": "Hugging Face's name of `early_stopping.metric`.",
    }  # TrainerConfig._read_metric_for_best_model

    learning_rate: LearningRate = 2.0e-5
    """Peak learning rate, the most important hyperparameter: a number, or `auto`, with which the run chooses
    it by a range test before its first step."""
    num_train_epochs: Epochs = 5
    """Epochs, also a fraction such as 0.5; early stopping may end training earlier."""
    max_steps: Int | None = Field(None, ge=1)
    """Optimizer steps after which training ends, regardless of the epochs."""
    per_device_train_batch_size: Int = Field(8, ge=1, le=4096)
    """Rows per device and batch."""
    per_device_eval_batch_size: Int | None = Field(None, ge=1, le=4096)
    """Rows per device and batch in evaluation; the training batch size when unset."""
    gradient_accumulation_steps: Int = Field(2, ge=1, le=4096)
    """Batches per optimizer step: effective batch size = batch size x accumulation x processes."""
    effective_batch_size: Int | None = Field(None, ge=1, le=1048576)
    """Rows per optimizer step, of all processes together; overrides `gradient_accumulation_steps`, which then
    follows from the number of processes. So GPUs and nodes may change during a run. A multiple of the batch
    size x processes."""
    warmup_ratio: Float = Field(0.1, ge=0, lt=1)
    """Share of the steps for linear warm-up from 0 to the peak learning rate."""
    warmup_steps: Int | None = Field(None, ge=0)
    """Steps for linear warm-up; overrides `warmup_ratio`."""
    weight_decay: Float = Field(0.01, ge=0, le=1)
    """AdamW's decoupled weight decay."""
    max_grad_norm: Float = Field(1.0, gt=0)
    """Norm to which gradients are clipped."""
    lr_scheduler_type: LrScheduler = LrScheduler.cosine
    """Learning rate schedule after warm-up."""
    lr_scheduler_num_cycles: Int = Field(2, ge=1, le=1000)
    """Number of cosine cycles with cosine_with_restarts; each starts at the peak rate."""
    gradient_checkpointing: Bool = True
    """Recompute activations in the backward pass: less memory, about a third more time."""
    bf16: Bool | None = None
    """Train in bfloat16; when unset, if the GPU supports it."""
    fp16: Bool = False
    """Train in float16 with loss scaling, for GPUs without bfloat16."""
    optim: Optimizer = Optimizer.adamw_torch
    """Optimizer."""
    attn_implementation: Attention | None = None
    """Attention implementation; when unset, the fastest that is installed and supported."""
    torch_compile: Bool = False
    """Compile the language model with torch.compile: minutes at the start, then faster steps."""
    packing: Bool | None = None
    """Concatenate the rows of a batch instead of padding them to the longest; the loss is the same. When
    unset, used if the model supports it; true fails if it does not."""
    group_by_length: Bool = False
    """Batch rows of similar length, to reduce padding."""
    fsdp: Bool = False
    """With several processes, shard the frozen language model over them (FSDP) instead of replicating it. For
    models that do not fit into one GPU's memory; PaddleOCR-VL fits."""
    max_sequence_length: Int = Field(
        4096,
        ge=16,
        le=131072,
        validation_alias=AliasChoices("max_sequence_length", "maxSequenceLength", "max_seq_length"),
    )
    """Maximum number of tokens of a row, prompt (with image tokens) and answer. Longer rows are
    skipped and reported, never truncated."""
    logging_steps: Int = Field(10, ge=1)
    """Optimizer steps between two log lines."""
    eval_steps: Int | None = Field(None, ge=1)
    """Optimizer steps between two evaluations; once an epoch when unset."""
    save_steps: Int | None = Field(None, ge=1)
    """Optimizer steps between two checkpoints, a multiple of `eval_steps`; equal to it when unset."""
    save_total_limit: Int = Field(2, ge=1, le=100)
    """Number of checkpoints kept; the best one is always kept."""
    seed: Int = Field(42, ge=0, le=4294967295)
    """Seed of adapter initialisation, data order, dropout and validation split."""
    dataloader_num_workers: Int = Field(2, ge=0, le=64)
    """Worker processes that decode and resize images."""
    step_timeout_seconds: Int = Field(1800, ge=1)
    """A step (or an evaluation batch) that takes longer counts as hung: /healthz fails, and Kubernetes
    restarts the run from its last checkpoint."""
    report_to: Annotated[list[ReportTo], Field(max_length=2)] = [ReportTo.tensorboard]
    """Where training curves are written."""

    rules = (
        Rule(
            cel=f"!({cel_value('bf16', False)} && {cel_value('fp16', False)})",
            check=lambda s: not (s.bf16 and s.fp16),
            message="bf16 and fp16 are mutually exclusive; keep one",
        ),
        Rule(
            cel=f"!({cel_value('fsdp', False)} && {cel_value('torchCompile', False)})",
            check=lambda s: not (s.fsdp and s.torch_compile),
            message="fsdp and torchCompile are mutually exclusive; keep one",
        ),
        Rule(
            cel="!has(self.saveSteps) || (has(self.evalSteps) && self.saveSteps % self.evalSteps == 0)",
            check=lambda s: (
                s.save_steps is None or (s.eval_steps is not None and s.save_steps % s.eval_steps == 0)
            ),
            message="saveSteps must be a multiple of evalSteps, which must be set too: "
            "only an evaluated checkpoint can be the best one",
        ),
    )

    @model_validator(mode="after")
    def _check_auto(self) -> Self:
        """Not a `Rule`: CEL can't read a field of several types."""
        if self.fsdp and self.learning_rate == AUTO:
            raise ValueError("learningRate auto can't test a model that fsdp shards; set a number")
        return self

    def accumulation_for(self, num_processes: int) -> int:
        """Batches per optimizer step of each process.

        Raises:
            ValueError: `effective_batch_size` is no multiple of the rows of one batch in all processes.
        """
        if self.effective_batch_size is None:
            return self.gradient_accumulation_steps
        rows = self.per_device_train_batch_size * num_processes
        if self.effective_batch_size % rows:
            raise ValueError(
                f"training.effective_batch_size {self.effective_batch_size} is no multiple of "
                f"training.per_device_train_batch_size x processes, {self.per_device_train_batch_size} x "
                f"{num_processes}"
            )
        return self.effective_batch_size // rows

    def rows_per_step(self, num_processes: int) -> int:
        """Rows of an optimizer step, of all processes together."""
        rows = self.per_device_train_batch_size * self.gradient_accumulation_steps * num_processes
        return self.effective_batch_size or rows

    @property
    def known_learning_rate(self) -> float:
        """The learning rate as a number.

        Raises:
            ValueError: the run has not chosen it yet.
        """
        if isinstance(self.learning_rate, str):
            raise ValueError("the learning rate has not been chosen yet")
        return self.learning_rate


class DocumentMetric(StrEnum):
    """A metric of answers against the ground truth, from 0 to 1; higher is better (docs/metrics.md)."""

    field_accuracy = "field_accuracy"
    """Share of the fields that match exactly."""
    field_f1 = "field_f1"
    """F1 of (field, value) pairs."""
    nted = "nted"
    """One minus the normalised tree edit distance of the whole answer."""
    anls_star = "anls_star"
    """ANLS*: text similarity, with lists matched optimally."""
    teds_score = "teds_score"
    """TEDS of the line-item table: structure and content."""
    teds_structure_score = "teds_structure_score"
    """TEDS of the line-item table: structure only."""
    numeric_accuracy = "numeric_accuracy"
    """Share of the numbers that are correct."""
    validation_pass_rate = "validation_pass_rate"  # noqa: S105 - no password
    """Share of the documents whose answer is valid JSON, matches the schema, and adds up."""
    parse_rate = "parse_rate"
    """Share of the answers that are strict JSON."""


class SelectionMetric(StrEnum):
    """Metric that checkpoints are compared by: the validation loss, or a document metric."""

    eval_loss = "eval_loss"
    eval_field_accuracy = "eval_field_accuracy"
    eval_field_f1 = "eval_field_f1"
    eval_nted = "eval_nted"
    eval_anls_star = "eval_anls_star"
    eval_teds_score = "eval_teds_score"
    eval_teds_structure_score = "eval_teds_structure_score"
    eval_numeric_accuracy = "eval_numeric_accuracy"
    eval_validation_pass_rate = "eval_validation_pass_rate"  # noqa: S105 - no password
    eval_parse_rate = "eval_parse_rate"

    @property
    def greater_is_better(self) -> bool:
        """True for all metrics but the loss."""
        return self is not SelectionMetric.eval_loss


class PatienceUnit(StrEnum):
    """Unit of `patience`."""

    evaluations = "evaluations"
    """Evaluations, of which an epoch may have several."""
    epochs = "epochs"
    """Epochs: passes over the training rows."""


class MetricMode(StrEnum):
    """Direction in which a metric improves."""

    min = "min"
    max = "max"


class EarlyStoppingSpec(KubeModel):
    """Early stopping, and the choice of the best checkpoint."""

    enabled: Bool = True
    """False trains to the end; the best checkpoint is restored in any case."""
    patience: Int = Field(3, ge=1, le=10000)
    """Evaluations (or epochs, see `patience_unit`) without improvement after which training stops."""
    patience_unit: PatienceUnit = PatienceUnit.evaluations
    """Unit of `patience`."""
    min_delta: Float = Field(0.001, ge=0)
    """Smallest change of the metric that counts as an improvement."""
    metric: SelectionMetric = SelectionMetric.eval_loss
    """Metric for early stopping and for the best checkpoint: `eval_loss`, or a document metric of the
    evaluation, such as `eval_field_accuracy`."""
    mode: MetricMode | None = None
    """Direction in which the metric improves; derived when unset. Only `min` for the loss and `max` for all
    other metrics is accepted."""

    rules = (
        Rule(
            cel="!has(self.mode) || (self.mode == 'min') == "
            f"({cel_value('metric', 'eval_loss')} == 'eval_loss')",
            check=lambda e: e.mode is None or (e.mode is MetricMode.max) == e.metric.greater_is_better,
            message="earlyStopping.mode must be min for eval_loss and max for any other metric; or remove it",
        ),
    )


class LossSpec(KubeModel):
    """The training loss per answer token. The validation loss stays the plain cross-entropy, so that runs
    with different losses can be compared.
    """

    also_known_keys: ClassVar[Mapping[str, str]] = {
        "weighted": "False sets all token weights to 1.",
        "weights": "`loss.weights.table_cell_token` is another name of `loss.table_cell_weight`; "
        "`regular_token` is accepted, too, and must be 1.",
    }

    use_focal: Bool = False
    """Focal loss: reduces the loss of tokens that are predicted with high probability (Lin et al. 2017)."""
    focal_alpha: Float = Field(1.0, gt=0, le=100)
    """Alpha of the focal loss: a constant factor."""
    focal_gamma: Float = Field(2.0, ge=0, le=10)
    """Gamma of the focal loss: 0 is the plain cross-entropy; higher values focus on difficult tokens."""
    use_label_smoothing: Bool = False
    """Label smoothing: part of the target probability is spread over all tokens (Szegedy et al. 2016)."""
    label_smoothing: Float = Field(0.1, ge=0, lt=1)
    """Probability that label smoothing spreads over all tokens."""
    number_weight: Float = Field(1.0, gt=0, le=100)
    """Loss weight of tokens of numbers; that of other tokens is 1."""
    table_cell_weight: Float = Field(1.0, gt=0, le=100)
    """Loss weight of tokens of values in line items (or transactions); in other answers of table cells."""
    field_weights: Annotated[
        dict[Annotated[str, Field(min_length=1)], Annotated[Float, Field(gt=0, le=100)]],
        Field(max_length=64),
    ] = {}
    """Loss weights of tokens of a field's value, by the field's path or a part of it: `grand_total`,
    `vendor`, `line_items.quantity`; or by a region: `vendor_block`, `client_invoice_info`, `line_item_table`,
    `tax_section`, `financial_summary`. A token gets the greatest weight that applies to it."""

    rules = (
        Rule(
            cel=f"!({cel_value('useFocal', False)} && {cel_value('useLabelSmoothing', False)})",
            check=lambda s: not (s.use_focal and s.use_label_smoothing),
            message="set loss.useFocal or loss.useLabelSmoothing, not both: remove useLabelSmoothing to keep "
            "the focal loss, or useFocal to keep label smoothing",
        ),
        key_length_rule("field_weights", 256, "loss.fieldWeights"),
    )

    @model_validator(mode="before")
    @classmethod
    def _read_weighted(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not data.keys() & {"weighted", "weights"}:
            return data
        rest = {name: value for name, value in data.items() if name not in ("weighted", "weights")}
        weighted, weights = data.get("weighted", True), data.get("weights", {})
        if not isinstance(weighted, bool):
            raise ValueError(f"loss.weighted must be true or false, not {weighted!r}")
        if not isinstance(weights, dict):
            raise ValueError("loss.weights must be a mapping of keys to values")
        if unknown := sorted(
            str(name) for name in weights if name not in ("table_cell_token", "regular_token")
        ):
            raise ValueError(f"loss.weights accepts table_cell_token and regular_token, but not {unknown[0]}")
        if weights.get("regular_token", 1) != 1:
            raise ValueError("loss.weights.regular_token must be 1; the other weights are relative to it")
        if not weighted:
            every_weight = {"number_weight", "table_cell_weight", "field_weights"}
            every_weight |= {to_camel(name) for name in every_weight}
            return {name: value for name, value in rest.items() if name not in every_weight}
        if "table_cell_token" in weights:
            rest = {"table_cell_weight": weights["table_cell_token"], **rest}
        return rest

    @property
    def weighted(self) -> bool:
        """Whether any token weight differs from 1."""
        return bool(self.field_weights) or self.number_weight != 1 or self.table_cell_weight != 1


Range = Annotated[list[Float], Field(min_length=2, max_length=2)]
"""Minimum and maximum."""


def _range_rule(name: str, least: float, most: float) -> Rule:
    """The rule that a range is within limits and its first value is not greater than its second."""
    camel = to_camel(name)

    def check(spec: Any) -> bool:
        low, high = getattr(spec, name)
        return bool(least <= low <= high <= most)

    return Rule(
        cel=f"!has(self.{camel}) || ({least} <= self.{camel}[0] && "
        f"self.{camel}[0] <= self.{camel}[1] && self.{camel}[1] <= {most})",
        check=check,
        message=f"augmentation.{camel} must be two numbers from {least:g} to {most:g}, the lesser first",
    )


class AugmentationSpec(KubeModel):
    """Random changes of training images, like those of scanners and cameras.

    The change of a page depends only on seed, epoch and row.
    """

    enabled: Bool = False
    """Augment training images; validation and test images are never changed."""
    rotation_range: Range = [-5.0, 5.0]
    """Rotation in degrees, counter-clockwise."""
    brightness_range: Range = [0.8, 1.2]
    """Brightness factor."""
    contrast_range: Range = [0.8, 1.2]
    """Contrast factor."""
    noise_std: Range = [0.01, 0.05]
    """Standard deviation of Gaussian noise, with pixel values from 0 to 1."""
    blur_probability: Float = Field(0.1, ge=0, le=1)
    """Probability that a page is blurred."""
    jpeg_probability: Float = Field(0.3, ge=0, le=1)
    """Probability that a page is compressed as JPEG."""
    jpeg_quality_range: Range = [60.0, 100.0]
    """JPEG quality."""
    perspective_probability: Float = Field(0.0, ge=0, le=1)
    """Probability of a perspective transform."""
    scale_range: Range = [1.0, 1.0]
    """Scale factor of width and height."""
    num_views: Int | None = Field(None, ge=1, le=64)
    """Number of different augmented versions per page, used in turn, so that their vision features can be
    cached; a new one in every epoch when unset."""

    rules = (
        _range_rule("rotation_range", -180.0, 180.0),
        _range_rule("brightness_range", 0.0, 10.0),
        _range_rule("contrast_range", 0.0, 10.0),
        _range_rule("noise_std", 0.0, 1.0),
        _range_rule("jpeg_quality_range", 1.0, 100.0),
        _range_rule("scale_range", 0.1, 4.0),
    )


class DifficultySchedule(StrEnum):
    """Order of rows by difficulty."""

    easy_to_hard = "easy_to_hard"
    """Easy rows first; harder ones are added until all are used."""
    hard_to_easy = "hard_to_easy"
    """Difficult rows first."""
    random = "random"
    """As many rows as with easy_to_hard, chosen at random: the baseline for a curriculum."""


class Pacing(StrEnum):
    """How the share of rows in use grows over training."""

    linear = "linear"
    """Linearly."""
    root = "root"
    """Fast at first (Platanios et al. 2019)."""
    step = "step"
    """In three equal steps."""


class CurriculumSpec(KubeModel):
    """Curriculum learning: train on easy rows first. An epoch keeps its number of rows, by repeating them."""

    enabled: Bool = False
    """Order rows by difficulty."""
    difficulty_schedule: DifficultySchedule = DifficultySchedule.easy_to_hard
    """Order of rows by difficulty."""
    pacing: Pacing = Pacing.linear
    """How the share of rows in use grows over training."""
    initial_threshold: Float = Field(0.3, gt=0, le=1)
    """Share of the rows in use at the start."""
    pacing_share: Float = Field(0.8, gt=0, le=1)
    """Share of the training after which all rows are in use."""


class FeatureCacheSpec(KubeModel):
    """Cache of the frozen vision tower's output per page, for later epochs and runs."""

    enabled: Bool | None = None
    """Use the cache. When unset, used if it is valid: the vision tower is frozen, and images do not change in
    every epoch. True fails if it is not valid."""
    max_size: Quantity = "20Gi"
    """Maximum size of the cache on disk. Once it is full, features of further pages are not cached."""


DOWNLOAD_CACHE_SIZE = "100Gi"
"""Maximum size of a cache of downloads, unless it is set."""


class GateMetric(StrEnum):
    """A metric that a run can be required to reach: a document metric, or the straight-through rate."""

    field_accuracy = "field_accuracy"
    field_f1 = "field_f1"
    nted = "nted"
    anls_star = "anls_star"
    teds_score = "teds_score"
    teds_structure_score = "teds_structure_score"
    numeric_accuracy = "numeric_accuracy"
    validation_pass_rate = "validation_pass_rate"  # noqa: S105 - no password
    parse_rate = "parse_rate"
    straight_through_rate = "straight_through_rate"
    """Share of the documents that need no human, of which 95 % are promised to be right in every value."""


class GateReference(StrEnum):
    """The model that the tuned one is compared with."""

    Base = "Base"
    """The base model."""
    Promoted = "Promoted"
    """The adapter of the run that `latest.json` names; the base model until it names one."""


class FieldGateSpec(KubeModel):
    """Requirement on each field of the ground truth."""

    margin: Float = Field(0.05, gt=0, lt=1)
    """Fall of a field's accuracy that has to be excluded with 95 % confidence: 0.05 is five percentage
    points."""


class GateSpec(KubeModel):
    """Requirement on the tuned model for `latest.json` to be moved to its run."""

    metric: GateMetric = GateMetric.field_accuracy
    """Metric that is compared."""
    minimum: Float | None = Field(None, ge=0, le=1)
    """Lowest accepted value of the tuned model."""
    minimum_improvement: Float | None = Field(None, ge=-1, le=1)
    """Lowest accepted improvement of the tuned model over the one that `against` names."""
    against: GateReference = GateReference.Base
    """Model that `minimum_improvement` and `per_field` compare with."""
    per_field: FieldGateSpec | None = None
    """Requirement that no field is read worse than by that model; none when unset."""

    rules = (
        Rule(
            cel="has(self.minimum) || has(self.minimumImprovement) || has(self.perField)",
            check=lambda g: g.minimum is not None or g.compares,
            message="evaluation.gate needs minimum, minimumImprovement or perField",
        ),
        Rule(
            cel=f"{cel_value('metric', 'field_accuracy')} != 'straight_through_rate' || "
            "!has(self.minimumImprovement)",
            check=lambda g: g.metric is not GateMetric.straight_through_rate or g.minimum_improvement is None,
            message="evaluation.gate.minimumImprovement can't be used with the metric straight_through_rate",
        ),
        Rule(
            cel=f"{cel_value('against', 'Base')} == 'Base' || has(self.minimumImprovement) || "
            "has(self.perField)",
            check=lambda g: g.against is GateReference.Base or g.compares,
            message="evaluation.gate.against needs minimumImprovement or perField, which use that model",
        ),
    )

    @property
    def compares(self) -> bool:
        """Whether the gate compares the tuned model with another one."""
        return self.minimum_improvement is not None or self.per_field is not None


class EvaluationSpec(KubeModel):
    """Evaluation on documents: base and tuned model answer the same documents and are compared."""

    enabled: Bool = True
    """Compare base and tuned model on documents after training."""
    max_documents: Int = Field(200, ge=1, le=100000)
    """Maximum number of documents in that comparison; of a larger set, a fixed sample is used."""
    training_documents: Int = Field(8, ge=0, le=10000)
    """Validation documents whose answers are generated at each evaluation during training; 0 computes the
    loss only."""
    max_new_tokens: Int | None = Field(None, ge=1, le=131072)
    """Maximum number of tokens of an answer; when unset, 1.5 times the longest ground truth."""
    calibration_documents: Int | None = Field(None, ge=0, le=100000)
    """Validation documents on which the tuned model's confidence is calibrated after training, if there are
    test documents; without test documents, those of the comparison are used. 200 when unset; 0 calibrates
    nothing. A promise of 99 % needs at least 459."""
    gate: GateSpec | None = None
    """Requirement for `latest.json` to be moved to the run; none when unset."""

    rules = (
        Rule(
            cel=f"!has(self.gate) || {cel_value('enabled', True)}",
            check=lambda e: e.gate is None or e.enabled,
            message="evaluation.gate needs evaluation.enabled to be true",
        ),
        Rule(
            cel=f"{cel_value('gate.metric', 'field_accuracy')} != 'straight_through_rate' || "
            "!has(self.calibrationDocuments) || self.calibrationDocuments > 0",
            check=lambda e: (
                e.gate is None
                or e.gate.metric is not GateMetric.straight_through_rate
                or e.calibration_documents != 0
            ),
            message="evaluation.gate.metric straight_through_rate needs calibrationDocuments above 0",
        ),
    )


class StorageEndpoint(KubeModel):
    """Server of s3:// URIs; credentials come from the environment only."""

    endpoint: (
        Annotated[
            str,
            Field(
                pattern=pattern(
                    r"^https?://[^\x00-\x20/@]+(/[^\x00-\x20@]*)?$",
                    "a URL such as https://s3.example.org, without user and password",
                ),
                max_length=1024,
            ),
        ]
        | None
    ) = None
    """URL of an S3-compatible server, without user and password; AWS (or AWS_ENDPOINT_URL of the credentials)
    when unset."""
    region: Annotated[str, Field(max_length=64)] | None = None
    """Region of the buckets; AWS_REGION, else us-east-1, when unset."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!(has(self.endpoint) && self.endpoint.matches('[@?#]'))",
            check=lambda s: s.endpoint is None or not set(s.endpoint) & set("@?#"),
            message="storage.endpoint must be a URL without user, password and query: logs and the job show "
            "it; put credentials in the Secret or in the environment",
        ),
    )


METRIC_NEEDS_DOCUMENTS = Rule(
    cel=f"{cel_value('earlyStopping.metric', 'eval_loss')} == 'eval_loss' || "
    f"{cel_value('evaluation.trainingDocuments', 8)} > 0",
    check=lambda c: (
        c.early_stopping.metric is SelectionMetric.eval_loss or c.evaluation.training_documents > 0
    ),
    message="earlyStopping.metric needs evaluation.trainingDocuments above 0 for any metric but eval_loss",
)
QLORA_WITHOUT_FSDP = Rule(
    cel=f"!({cel_value('method', 'LoRA')} == 'QLoRA' && {cel_value('training.fsdp', False)})",
    check=lambda c: not (c.method is Method.QLoRA and c.training.fsdp),
    message="training.fsdp can't shard the 4-bit weights of method QLoRA; keep one",
)


def _expand_home(path: str) -> str:
    """A path with `~` at its start replaced by the home folder; URIs and hub ids have none."""
    return os.path.expanduser(path)  # noqa: PTH111 - a Path would change URIs


PathText = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_expand_home)]
"""A local path, in which `~` is the home folder; where a setting allows it, an s3:// URI or a hub id."""


class PreflightSpec(KubeModel):
    """Checks before the first step that the model sees the pages. They take seconds, and change no weight."""

    enabled: Bool = True
    """Whether a training that would not learn to read its pages is stopped."""


class TrainerConfig(KubeModel):
    """The file that `finscribe train --config` reads; for a pod the operator writes it."""

    model_name_or_path: PathText = "PaddlePaddle/PaddleOCR-VL"
    """A hub id, a local folder, an s3:// prefix of a model, or `finscribe/tiny-ocr-vl`, the small model in
    the trainer's package."""
    model_revision: str | None = None
    """Commit, tag or branch of a hub model."""
    adapter_name_or_path: PathText | None = None
    """Adapter whose weights the training starts from: a folder, an s3:// prefix, or the s3:// URI of a
    latest.json, which names one. A new adapter when unset."""
    adapter_policy: AdapterPolicy | None = None
    """What happens when that adapter does not exist; `Required` when unset."""
    model_name: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Name of the model in results and messages, if `model_name_or_path` is only where it is mounted."""
    dataset_path: PathText
    """Training rows: a .jsonl, .jsonl.gz or .parquet file, or a folder of such files; local, or an s3:// URI
    (a prefix ends in '/')."""
    validation_path: PathText | None = None
    """Validation rows, in the same form; when unset, `validation_split` of the training rows."""
    validation_split: Float | None = Field(None, gt=0, lt=1)
    """Share of the training rows held out for validation; 0.05 when this and `validation_path` are unset."""
    test_path: PathText | None = None
    """Test rows, in the same form: base and tuned model are compared on them; the validation rows when
    unset."""
    image_root: PathText | None = None
    """Another folder that images may be in: local, or an s3:// prefix. Without it, images are read below the
    folder of their rows only. A relative path that is not there is looked up in it."""
    max_image_pixels: Int = Field(50_000_000, ge=784)
    """Largest image in pixels; a larger one is an error, as a protection against decompression bombs."""
    max_pages: Int | None = Field(None, ge=1)
    """Most images of a training or validation row, such as the pages of a document; a row with more is left
    out and reported, and never shortened. Null for no limit besides `max_sequence_length`."""
    require_images: Bool = True
    """Refuse to train a model that reads images if no training row has one; set false for a data set of texts
    only. No effect on text models."""
    method: Method = Method.LoRA
    """LoRA or QLoRA."""
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
    feature_cache: FeatureCacheSpec = FeatureCacheSpec()
    """Cache of the vision tower's output."""
    feature_cache_dir: PathText | None = None
    """Folder of the feature cache, which several runs may share; `output_dir`/features when unset."""
    cache_dir: PathText | None = None
    """Folder of downloaded models and data sets, which several runs may share; every run downloads its own
    when unset."""
    cache_max_size: Quantity | None = None
    """Maximum size of `cache_dir` on disk, 100Gi when unset; the files that were not used for the longest
    time make room for others."""
    preflight: PreflightSpec = PreflightSpec()
    """Checks before the first step."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """Evaluation on documents, during training and at its end."""
    output_dir: Annotated[str, Field(min_length=1), AfterValidator(_expand_home)] = "./finetuned_model"
    """Local folder for checkpoints, logs and exports."""
    output_uri: (
        Annotated[
            str,
            Field(
                pattern=pattern(r"^s3://[^/\s]+", "an s3:// URI such as s3://team-models/invoices"),
                max_length=1024,
            ),
        ]
        | None
    ) = None
    """s3:// prefix below which the result is uploaded; nothing is uploaded when unset."""
    output_formats: Annotated[list[OutputFormat], Field(min_length=1, max_length=2)] = [OutputFormat.Adapter]
    """Formats to export."""
    keep_checkpoints: KeepCheckpoints | None = None
    """Which checkpoints stay in the bucket once the run has succeeded; all that are there when unset. After a
    failure they stay."""
    keep_runs: Int | None = Field(None, ge=1)
    """How many runs of the same job to keep below `output_uri`; all when unset."""
    storage: StorageEndpoint = StorageEndpoint()
    """Server of s3:// URIs."""

    rules = (
        Rule(
            cel="!(has(self.validationPath) && has(self.validationSplit))",
            check=lambda c: c.validation_path is None or c.validation_split is None,
            message="validation_path and validation_split are mutually exclusive",
        ),
        Rule(
            cel="!has(self.adapterPolicy) || has(self.adapterNameOrPath)",
            check=lambda c: c.adapter_policy is None or c.adapter_name_or_path is not None,
            message="adapter_policy needs adapter_name_or_path",
        ),
        Rule(
            cel="!has(self.cacheMaxSize) || has(self.cacheDir)",
            check=lambda c: c.cache_max_size is None or c.cache_dir is not None,
            message="cache_max_size needs cache_dir",
        ),
        Rule(
            cel="has(self.outputUri) || !(has(self.keepCheckpoints) || has(self.keepRuns))",
            check=lambda c: c.output_uri is not None or (c.keep_checkpoints is None and c.keep_runs is None),
            message="keep_checkpoints and keep_runs need output_uri",
        ),
        METRIC_NEEDS_DOCUMENTS,
        QLORA_WITHOUT_FSDP,
    )
    same_settings: ClassVar[tuple[tuple[str, str], ...]] = (
        ("training.metric_for_best_model", "early_stopping.metric"),
        ("loss.weights.table_cell_token", "loss.table_cell_weight"),
    )
    """Settings that can be set in two places, by dotted path."""

    @model_validator(mode="before")
    @classmethod
    def _read_metric_for_best_model(cls, data: Any) -> Any:
        """Move Hugging Face's `training.metric_for_best_model` to `early_stopping.metric`."""
        training = data.get("training") if isinstance(data, dict) else None
        if not isinstance(training, dict) or "metric_for_best_model" not in training:
            return data
        rest = {name: value for name, value in training.items() if name != "metric_for_best_model"}
        name = next((name for name in ("early_stopping", "earlyStopping") if name in data), "early_stopping")
        stopping = data.get(name, {})
        if isinstance(stopping, dict):
            stopping = {"metric": training["metric_for_best_model"], **stopping}
        return {**data, "training": rest, name: stopping}

    @property
    def effective_validation_split(self) -> float | None:
        """The share of training rows to hold out; None when there is a validation file."""
        if self.validation_path is not None:
            return None
        return 0.05 if self.validation_split is None else self.validation_split
