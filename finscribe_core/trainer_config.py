"""The trainer's configuration.

One set of models serves the trainer's YAML file (snake_case, as in the training guide) and the sections
of a FineTuneJob's spec (camelCase); `TrainerConfig` is the file as a whole.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, Field, model_validator

from finscribe_core.api.base import Bool, Float, Int, KubeModel, Rule


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
    constant = "constant"
    constant_with_warmup = "constant_with_warmup"
    polynomial = "polynomial"


class OutputFormat(StrEnum):
    """What a run uploads."""

    Adapter = "Adapter"
    """The LoRA adapter alone; small, needs the base model to be used."""
    Merged = "Merged"
    """The base model with the adapter merged in; stands alone."""


class LoraSpec(KubeModel):
    """LoRA's own hyperparameters."""

    also_known_keys: ClassVar[tuple[str, ...]] = ("enabled",)  # see TrainerConfig._read_lora_enabled

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


class TrainingSpec(KubeModel):
    """Hyperparameters, by Hugging Face's argument names."""

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
    """Batches added up before an optimizer step: effective batch = batch size x accumulation."""
    warmup_ratio: Float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: Float = Field(0.01, ge=0, le=1)
    """AdamW's decoupled weight decay."""
    max_grad_norm: Float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    lr_scheduler_type: LrScheduler = LrScheduler.cosine
    """The learning rate's course after the warm-up."""
    gradient_checkpointing: Bool = True
    """Recompute activations in the backward pass: less memory, about a third more time."""
    bf16: Bool | None = None
    """Train in bfloat16; where the GPU supports it, when unset."""
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

    rules = (
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


class EarlyStoppingSpec(KubeModel):
    """Stop when the evaluations no longer improve."""

    enabled: Bool = True
    """False trains to the end; the best checkpoint is restored all the same."""
    patience: Int = Field(3, ge=1, le=10000)
    """Evaluations without improvement after which training stops."""
    min_delta: Float = Field(0.001, ge=0)
    """A smaller change of the metric does not count as improvement."""
    metric: SelectionMetric = SelectionMetric.eval_loss
    """What is watched, and what the best checkpoint is chosen by: `eval_loss`, or a figure of the documents
    read at each evaluation, such as `eval_field_accuracy`."""


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
    )

    @model_validator(mode="before")
    @classmethod
    def _read_lora_enabled(cls, data: Any) -> Any:
        """The guide's `lora.enabled`: LoRA is all there is, so true says nothing and false can't be kept."""
        lora = data.get("lora") if isinstance(data, dict) else None
        if not isinstance(lora, dict) or "enabled" not in lora:
            return data
        if lora["enabled"] is not True:
            raise ValueError(
                "lora.enabled must be true: training without LoRA is not supported; remove the key"
            )
        return {**data, "lora": {k: v for k, v in lora.items() if k != "enabled"}}

    @property
    def effective_validation_split(self) -> float | None:
        """The share of training rows to hold out, or None when there is a validation file."""
        if self.validation_path is not None:
            return None
        return 0.05 if self.validation_split is None else self.validation_split
