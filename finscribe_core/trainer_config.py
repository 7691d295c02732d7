"""The trainer's configuration.

One set of models serves the trainer's YAML file (snake_case, as in the training guide) and the sections
of a FineTuneJob's spec (camelCase); `TrainerConfig` is the file as a whole.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, Field, model_validator
from pydantic.alias_generators import to_camel

from finscribe_core.api.base import Bool, Float, Int, KubeModel, Quantity, Rule


class Method(StrEnum):
    """How the base model is fine-tuned."""

    LoRA = "LoRA"
    """Low-rank adapters on the frozen base model."""
    QLoRA = "QLoRA"
    """The same, with the language model's weights held in 4 bits (nf4)."""


class LoraScope(StrEnum):
    """Which part of the model the LoRA target modules are looked for in."""

    LanguageModel = "LanguageModel"
    """Only the language model; the vision tower stays frozen."""
    All = "All"
    """Everywhere, so that `q_proj` also matches the vision tower's attention."""


class LrScheduler(StrEnum):
    """The learning rate's course over the training, by Hugging Face's names."""

    linear = "linear"
    cosine = "cosine"
    cosine_with_restarts = "cosine_with_restarts"
    constant = "constant"
    constant_with_warmup = "constant_with_warmup"
    polynomial = "polynomial"


class Optimizer(StrEnum):
    """What takes the steps, by Hugging Face's names."""

    adamw_torch = "adamw_torch"
    """AdamW, in the parameters' precision."""
    adamw_torch_fused = "adamw_torch_fused"
    """The same in one kernel: a little faster on a GPU."""
    adamw_bnb_8bit = "adamw_bnb_8bit"
    """AdamW with its moments in 8 bits (bitsandbytes)."""
    paged_adamw_8bit = "paged_adamw_8bit"
    """The same, its moments moved to the CPU when the GPU's memory runs out."""
    paged_adamw_32bit = "paged_adamw_32bit"
    """AdamW in full precision, moved likewise."""


class Attention(StrEnum):
    """How attention is computed, by the transformers library's names."""

    flash_attention_2 = "flash_attention_2"
    """The flash-attn package, on a GPU, in bfloat16 or float16."""
    sdpa = "sdpa"
    """PyTorch's own scaled dot product attention."""
    eager = "eager"
    """Plain matrix products: slow, for comparison."""


class ReportTo(StrEnum):
    """Where training curves are written to, beside the console and /metrics."""

    tensorboard = "tensorboard"
    """TensorBoard's files below `output_dir`/logs."""
    wandb = "wandb"
    """Weights & Biases, as WANDB_* in the environment say; files below `output_dir`/runs."""


class OutputFormat(StrEnum):
    """What a run uploads."""

    Adapter = "Adapter"
    """The LoRA adapter alone; small, needs the base model to be used."""
    Merged = "Merged"
    """The base model with the adapter merged in; stands alone."""


class LoraSpec(KubeModel):
    """LoRA's own hyperparameters."""

    also_known_keys: ClassVar[Mapping[str, str]] = {
        "enabled": "Must be true, and says nothing: LoRA is all there is.",
    }

    r: Int = Field(16, ge=1, le=1024)
    """Rank of the adapter matrices; higher means more capacity. 8 to 32 is usual."""
    alpha: Int = Field(32, ge=1, le=4096, validation_alias=AliasChoices("alpha", "lora_alpha"))
    """The adapter's output is scaled by alpha / r."""
    dropout: Float = Field(0.05, ge=0, lt=1, validation_alias=AliasChoices("dropout", "lora_dropout"))
    """Dropout on the adapter's input."""
    target_modules: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]],
        Field(min_length=1, max_length=64),
    ] = Field(["q_proj", "k_proj", "v_proj", "o_proj"])
    """Names (the last part of a module's path) of the layers that get an adapter."""
    scope: LoraScope = LoraScope.LanguageModel
    """Where target modules are looked for. `LanguageModel` leaves the vision tower alone."""

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


class TrainingSpec(KubeModel):
    """Hyperparameters, by Hugging Face's argument names."""

    also_known_keys: ClassVar[Mapping[str, str]] = {
        "metric_for_best_model": "Hugging Face's name of `early_stopping.metric`.",
    }  # TrainerConfig._read_metric_for_best_model

    learning_rate: Float = Field(2.0e-5, gt=0, le=1)
    """Peak learning rate. The most critical parameter; start conservative."""
    num_train_epochs: Int = Field(5, ge=1, le=10000)
    """How often the training set is seen; early stopping may end it before."""
    max_steps: Int | None = Field(None, ge=1)
    """Optimizer steps after which training ends, whatever the epochs."""
    per_device_train_batch_size: Int = Field(8, ge=1, le=4096)
    """Rows a device takes at once."""
    per_device_eval_batch_size: Int | None = Field(None, ge=1, le=4096)
    """Rows a device takes at once in evaluation; the training batch size when unset."""
    gradient_accumulation_steps: Int = Field(2, ge=1, le=4096)
    """Batches added up before an optimizer step: effective batch = batch size x accumulation x processes."""
    warmup_ratio: Float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""
    warmup_steps: Int | None = Field(None, ge=0)
    """Steps over which it rises, instead of the share that `warmup_ratio` says."""
    weight_decay: Float = Field(0.01, ge=0, le=1)
    """AdamW's decoupled weight decay."""
    max_grad_norm: Float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    lr_scheduler_type: LrScheduler = LrScheduler.cosine
    """The learning rate's course after the warm-up."""
    lr_scheduler_num_cycles: Int = Field(2, ge=1, le=1000)
    """How often the rate falls with cosine_with_restarts, back at its peak each time."""
    gradient_checkpointing: Bool = True
    """Recompute activations in the backward pass: less memory, about a third more time."""
    bf16: Bool | None = None
    """Train in bfloat16; where the GPU supports it, when unset."""
    fp16: Bool = False
    """Train in float16 with loss scaling, on a GPU without bfloat16."""
    optim: Optimizer = Optimizer.adamw_torch
    """What takes the steps."""
    attn_implementation: Attention | None = None
    """How attention is computed; the fastest that is installed and fits, when unset."""
    torch_compile: Bool = False
    """Compile the language model: minutes at the start, faster steps afterwards."""
    packing: Bool | None = None
    """Put the rows of a batch one after another instead of padding them to the longest. The loss is the
    same. Wherever the model allows it, when unset; true fails where it does not."""
    group_by_length: Bool = False
    """Put rows of similar length into one batch, so that little is padded."""
    fsdp: Bool = False
    """With several processes: share the frozen language model out over them, instead of each holding all of
    it. For models that do not fit into one GPU's memory; PaddleOCR-VL does."""
    max_sequence_length: Int = Field(
        4096,
        ge=16,
        le=131072,
        validation_alias=AliasChoices("max_sequence_length", "maxSequenceLength", "max_seq_length"),
    )
    """Tokens of prompt (image tokens included) and answer together. A longer row is left out and
    reported, never cut."""
    logging_steps: Int = Field(10, ge=1)
    """Optimizer steps between two log lines."""
    eval_steps: Int | None = Field(None, ge=1)
    """Optimizer steps between two evaluations; once an epoch when unset."""
    save_steps: Int | None = Field(None, ge=1)
    """Optimizer steps between two checkpoints, a multiple of the evaluation's; as `evalSteps` when unset."""
    save_total_limit: Int = Field(2, ge=1, le=100)
    """Checkpoints kept, the best one always among them."""
    seed: Int = Field(42, ge=0, le=4294967295)
    """Seed of everything random: adapter weights, data order, dropout, validation split."""
    dataloader_num_workers: Int = Field(2, ge=0, le=64)
    """Processes that decode and resize images."""
    step_timeout_seconds: Int = Field(1800, ge=1)
    """A step (or a batch of an evaluation) that takes longer is hung: /healthz fails, so that Kubernetes
    starts the run again from its last checkpoint."""
    report_to: Annotated[list[ReportTo], Field(max_length=2)] = [ReportTo.tensorboard]
    """Where training curves are written to."""

    rules = (
        Rule(
            cel="!(has(self.bf16) && self.bf16 && self.fp16)",
            check=lambda s: not (s.bf16 and s.fp16),
            message="bf16 and fp16 are mutually exclusive; keep one",
        ),
        Rule(
            cel="!(has(self.fsdp) && self.fsdp && self.torchCompile)",
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


class DocumentMetric(StrEnum):
    """A figure of how well documents are read, from 0 to 1; more is better (docs/metrics.md)."""

    field_accuracy = "field_accuracy"
    """Share of the fields read exactly."""
    field_f1 = "field_f1"
    """F1 of (field, value) pairs."""
    nted = "nted"
    """One minus the normalised tree edit distance of the whole answer."""
    anls_star = "anls_star"
    """ANLS*: similarity of texts, with lists matched at their best."""
    teds_score = "teds_score"
    """TEDS of the line-item table: structure and content."""
    teds_structure_score = "teds_structure_score"
    """TEDS of its structure alone."""
    numeric_accuracy = "numeric_accuracy"
    """Share of the numbers read right."""
    validation_pass_rate = "validation_pass_rate"  # noqa: S105 - no password
    """Share of the documents that are valid JSON, keep the schema, and add up."""
    parse_rate = "parse_rate"
    """Share of the answers that are strict JSON."""


class SelectionMetric(StrEnum):
    """What checkpoints are judged by: the validation loss, or a figure of documents read."""

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
        """True of all but the loss."""
        return self is not SelectionMetric.eval_loss


class PatienceUnit(StrEnum):
    """What patience is counted in."""

    evaluations = "evaluations"
    """Evaluations, however many there are in an epoch."""
    epochs = "epochs"
    """Passes over the training rows."""


class MetricMode(StrEnum):
    """Which way a metric improves."""

    min = "min"
    max = "max"


class EarlyStoppingSpec(KubeModel):
    """Stop when the evaluations no longer improve."""

    enabled: Bool = True
    """False trains to the end; the best checkpoint is restored all the same."""
    patience: Int = Field(3, ge=1, le=10000)
    """Evaluations (or epochs, as `patience_unit` says) without improvement after which training stops."""
    patience_unit: PatienceUnit = PatienceUnit.evaluations
    """What `patience` is counted in."""
    min_delta: Float = Field(0.001, ge=0)
    """A smaller change of the metric does not count as improvement."""
    metric: SelectionMetric = SelectionMetric.eval_loss
    """What is watched, and what the best checkpoint is chosen by: `eval_loss`, or a figure of the documents
    read at each evaluation, such as `eval_field_accuracy`."""
    mode: MetricMode | None = None
    """Which way the metric improves. It follows from the metric: `min` for the loss, `max` for all others;
    anything else is refused."""

    rules = (
        Rule(
            cel="!has(self.mode) || (self.mode == 'min') == (self.metric == 'eval_loss')",
            check=lambda e: e.mode is None or (e.mode is MetricMode.max) == e.metric.greater_is_better,
            message="earlyStopping.mode must be min for eval_loss and max for any other metric; or remove it",
        ),
    )


class LossSpec(KubeModel):
    """What a token of the answer costs in training. The validation loss stays the plain cross-entropy, so
    that runs with different losses can be compared.
    """

    also_known_keys: ClassVar[Mapping[str, str]] = {
        "weighted": "False leaves every token at 1, whatever the weights say.",
        "weights": "`loss.weights.table_cell_token` is another name of `loss.table_cell_weight`; beside it "
        "there may be `regular_token`, which must be 1.",
    }

    use_focal: Bool = False
    """Focal loss: tokens that the model already predicts well count less (Lin et al. 2017)."""
    focal_alpha: Float = Field(1.0, gt=0, le=100)
    """Its factor."""
    focal_gamma: Float = Field(2.0, ge=0, le=10)
    """Its exponent: 0 is the plain cross-entropy, more looks harder at difficult tokens."""
    use_label_smoothing: Bool = False
    """Label smoothing: a share of the probability is asked of all tokens alike (Szegedy et al. 2016)."""
    label_smoothing: Float = Field(0.1, ge=0, lt=1)
    """That share."""
    number_weight: Float = Field(1.0, gt=0, le=100)
    """What tokens of numbers count, against 1 for any other."""
    table_cell_weight: Float = Field(1.0, gt=0, le=100)
    """What tokens of the line items' (or transactions') values count; of other answers, those of table
    cells."""
    field_weights: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=256)], Annotated[Float, Field(gt=0, le=100)]],
        Field(max_length=64),
    ] = {}
    """What tokens of a field's value count, by the field's path or a part of it: `grand_total`, `vendor`,
    `line_items.quantity`; or by a region: `vendor_block`, `client_invoice_info`, `line_item_table`,
    `tax_section`, `financial_summary`. The greatest weight that applies to a token is taken."""

    rules = (
        Rule(
            cel="!(has(self.useFocal) && self.useFocal && self.useLabelSmoothing)",
            check=lambda s: not (s.use_focal and s.use_label_smoothing),
            message="loss.useFocal and loss.useLabelSmoothing are mutually exclusive; keep one",
        ),
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
            raise ValueError(f"loss.weights knows table_cell_token and regular_token, but not {unknown[0]}")
        if weights.get("regular_token", 1) != 1:
            raise ValueError("loss.weights.regular_token must be 1, against which the other weights are")
        if not weighted:
            every_weight = {"number_weight", "table_cell_weight", "field_weights"}
            every_weight |= {to_camel(name) for name in every_weight}
            return {name: value for name, value in rest.items() if name not in every_weight}
        if "table_cell_token" in weights:
            rest = {"table_cell_weight": weights["table_cell_token"], **rest}
        return rest

    @property
    def weighted(self) -> bool:
        """Whether tokens differ in weight."""
        return bool(self.field_weights) or self.number_weight != 1 or self.table_cell_weight != 1


Range = Annotated[list[Float], Field(min_length=2, max_length=2)]
"""Least and greatest value."""


def _rising(name: str, least: float, most: float) -> Rule:
    """The rule that a range lies within limits, its first value no greater than its second."""
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
    """Training images are changed a little each time they are seen, as scanners and cameras would.

    Which change a page gets depends on the seed, the epoch and the row alone.
    """

    enabled: Bool = False
    """Change images while training; validation and test images are never changed."""
    rotation_range: Range = [-5.0, 5.0]
    """Degrees, counter-clockwise."""
    brightness_range: Range = [0.8, 1.2]
    """Factors."""
    contrast_range: Range = [0.8, 1.2]
    """Factors."""
    noise_std: Range = [0.01, 0.05]
    """Standard deviation of Gaussian noise, as a share of white."""
    blur_probability: Float = Field(0.1, ge=0, le=1)
    """Share of the pages that are blurred."""
    jpeg_probability: Float = Field(0.3, ge=0, le=1)
    """Share of the pages that are compressed as JPEG."""
    jpeg_quality_range: Range = [60.0, 100.0]
    """JPEG quality."""
    perspective_probability: Float = Field(0.0, ge=0, le=1)
    """Share of the pages that are seen from an angle."""
    scale_range: Range = [1.0, 1.0]
    """Factors of width and height."""
    num_views: Int | None = Field(None, ge=1, le=64)
    """Change each page in so many ways and no more, taking turns: then its vision features can be cached.
    Anew in every epoch when unset."""

    rules = (
        _rising("rotation_range", -180.0, 180.0),
        _rising("brightness_range", 0.0, 10.0),
        _rising("contrast_range", 0.0, 10.0),
        _rising("noise_std", 0.0, 1.0),
        _rising("jpeg_quality_range", 1.0, 100.0),
        _rising("scale_range", 0.1, 4.0),
    )


class DifficultySchedule(StrEnum):
    """In which order difficulties are met."""

    easy_to_hard = "easy_to_hard"
    """The easy rows first; harder ones join until all take part."""
    hard_to_easy = "hard_to_easy"
    """The other way round."""
    random = "random"
    """As many rows as easy_to_hard would have, chosen at random: what to compare a curriculum with."""


class Pacing(StrEnum):
    """How the share of the rows that take part grows."""

    linear = "linear"
    """Evenly."""
    root = "root"
    """Fast at first (Platanios et al. 2019)."""
    step = "step"
    """In three equal jumps."""


class CurriculumSpec(KubeModel):
    """Start with easy rows. An epoch has as many rows as ever: while few take part, they come more often."""

    enabled: Bool = False
    """Order rows by their difficulty."""
    difficulty_schedule: DifficultySchedule = DifficultySchedule.easy_to_hard
    """In which order difficulties are met."""
    pacing: Pacing = Pacing.linear
    """How the share of the rows that take part grows."""
    initial_threshold: Float = Field(0.3, gt=0, le=1)
    """Share of the rows that take part at the start."""
    pacing_share: Float = Field(0.8, gt=0, le=1)
    """Share of the training after which all rows take part."""


class FeatureCacheSpec(KubeModel):
    """The frozen vision tower sees a page once; its output is kept for later epochs and runs."""

    enabled: Bool | None = None
    """Wherever it is valid, when unset: the vision tower is frozen, and images are not changed anew in every
    epoch. True fails where it is not."""
    max_size: Quantity = "20Gi"
    """What the cache may take of the disk. Once it is full, pages that are not in it are computed as if
    there were none."""


class GateSpec(KubeModel):
    """What a run must reach for `latest.json` to name it."""

    metric: DocumentMetric = DocumentMetric.field_accuracy
    """The figure that is judged."""
    minimum: Float | None = Field(None, ge=0, le=1)
    """The tuned model's figure must be at least this."""
    minimum_improvement: Float | None = Field(None, ge=-1, le=1)
    """The tuned model's figure must exceed the base model's by at least this."""

    rules = (
        Rule(
            cel="has(self.minimum) || has(self.minimumImprovement)",
            check=lambda g: g.minimum is not None or g.minimum_improvement is not None,
            message="evaluation.gate needs minimum, minimumImprovement or both",
        ),
    )


class EvaluationSpec(KubeModel):
    """How well documents are read: base and tuned model answer the same documents, and are compared."""

    enabled: Bool = True
    """Read documents with the base and the tuned model once training has ended."""
    max_documents: Int = Field(200, ge=1, le=100000)
    """Documents read then: a sample when there are more, always the same one."""
    training_documents: Int = Field(8, ge=0, le=10000)
    """Validation documents read at each evaluation while training; 0 leaves it at the loss."""
    max_new_tokens: Int | None = Field(None, ge=1, le=131072)
    """Tokens after which an answer is cut off; when unset, half as many again as the longest right answer."""
    gate: GateSpec | None = None
    """What the run must reach for `latest.json` to name it; any run may when unset."""

    rules = (
        Rule(
            cel="!has(self.gate) || self.enabled",
            check=lambda e: e.gate is None or e.enabled,
            message="evaluation.gate needs evaluation.enabled to be true",
        ),
    )


class StorageEndpoint(KubeModel):
    """Where s3:// URIs point to; credentials come from the environment alone."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/]+", max_length=1024)] | None = None
    """URL of an S3-compatible server; AWS (or AWS_ENDPOINT_URL of the credentials) when unset."""
    region: Annotated[str, Field(max_length=64)] | None = None
    """Region of the buckets; AWS_REGION, else us-east-1, when unset."""


NO_SHARDS_OF_4_BITS = Rule(
    cel="!(self.method == 'QLoRA' && self.training.fsdp)",
    check=lambda c: not (c.method is Method.QLoRA and c.training.fsdp),
    message="training.fsdp can't share out the 4-bit weights of method QLoRA; keep one",
)


class TrainerConfig(KubeModel):
    """The file `finscribe train --config` reads, and the operator writes for a pod."""

    model_name_or_path: Annotated[str, Field(min_length=1, max_length=1024)] = "PaddlePaddle/PaddleOCR-VL"
    """A hub id, a local folder, or an s3:// prefix that holds a model."""
    model_revision: str | None = None
    """Commit, tag or branch of a hub model."""
    dataset_path: Annotated[str, Field(min_length=1, max_length=1024)]
    """Training rows: a .jsonl, .jsonl.gz or .parquet file, or a folder of them; local, or s3:// (where a
    prefix ends in '/')."""
    validation_path: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Validation rows, likewise; when unset, `validation_split` of the training rows."""
    validation_split: Float | None = Field(None, gt=0, lt=1)
    """Share of the training rows held out for validation (0.05 when there is no `validation_path`)."""
    test_path: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Documents that base and tuned model are compared on, never seen in training; the validation rows when
    unset."""
    max_image_pixels: Int = Field(50_000_000, ge=784)
    """An image with more pixels is refused: it is more likely a decompression bomb than a page."""
    method: Method = Method.LoRA
    """LoRA or QLoRA."""
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
    feature_cache: FeatureCacheSpec = FeatureCacheSpec()
    """What is kept of the vision tower's work."""
    feature_cache_dir: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Folder of the feature cache, which several runs may share; `output_dir`/features when unset."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """How well documents are read, while training and at its end."""
    output_dir: Annotated[str, Field(min_length=1)] = "./finetuned_model"
    """Local folder for checkpoints, logs and exports."""
    output_uri: Annotated[str, Field(pattern=r"^s3://[^/\s]+", max_length=1024)] | None = None
    """s3:// prefix the result is uploaded below; nothing is uploaded when unset."""
    output_formats: Annotated[list[OutputFormat], Field(min_length=1, max_length=2)] = [OutputFormat.Adapter]
    """What to export."""
    storage: StorageEndpoint = StorageEndpoint()
    """Where s3:// URIs point to."""

    rules = (
        Rule(
            cel="!(has(self.validationPath) && has(self.validationSplit))",
            check=lambda c: c.validation_path is None or c.validation_split is None,
            message="validation_path and validation_split are mutually exclusive",
        ),
        Rule(
            cel="self.earlyStopping.metric == 'eval_loss' || self.evaluation.trainingDocuments > 0",
            check=lambda c: (
                c.early_stopping.metric is SelectionMetric.eval_loss or c.evaluation.training_documents > 0
            ),
            message="early_stopping.metric needs evaluation.training_documents above 0 for any figure but "
            "eval_loss",
        ),
        NO_SHARDS_OF_4_BITS,
    )
    same_settings: ClassVar[tuple[tuple[str, str], ...]] = (
        ("training.metric_for_best_model", "early_stopping.metric"),
        ("loss.weights.table_cell_token", "loss.table_cell_weight"),
    )
    """Settings that have two places, by dotted path."""

    @model_validator(mode="before")
    @classmethod
    def _read_metric_for_best_model(cls, data: Any) -> Any:
        """Hugging Face's `training.metric_for_best_model` is `early_stopping.metric` here."""
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
        """The share of training rows to hold out, or None when there is a validation file."""
        if self.validation_path is not None:
            return None
        return 0.05 if self.validation_split is None else self.validation_split
