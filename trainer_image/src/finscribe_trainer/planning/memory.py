"""Estimates the peak memory of a training by part: weights, adapter, optimizer, activations and more."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from finscribe_core.trainer_config import Method, Optimizer, TrainerConfig
from finscribe_trainer.loss.token_losses import summed_loss
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.planning.allocations import Allocations
from finscribe_trainer.planning.batches import Batch, Tokens
from finscribe_trainer.planning.weightless import WeightlessModel, build

_FLOAT32 = 4
_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a weight in 4 bits: a scale of one byte for 64 weights, a scale of these for 256 of them."""
_PIXEL_BYTES = 3 * 14 * 14 * _FLOAT32
"""Of a patch, as the vision tower takes it."""
_PATCHES = 4
"""Of an image token."""
_MAX_PENDING = 16
"""Pages whose features wait to be written to the cache."""


@dataclass(frozen=True)
class Target:
    """What a training is planned for."""

    on_cpu: bool
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Of a number."""
        return self.dtype.itemsize


@dataclass(frozen=True)
class Phase:
    """What a training needs at some time, besides what it always has; bytes."""

    name: str
    activations: int
    logits: int = 0
    cache: int = 0
    """Features of pages, or keys and values of answers."""

    @property
    def total(self) -> int:
        """All of these together."""
        return self.activations + self.logits + self.cache


@dataclass(frozen=True)
class Memory:
    """Bytes of one process at its peak."""

    weights: int
    adapter: int
    optimizer: int
    """With the gradients."""
    phases: tuple[Phase, ...]
    parameters: int
    """Of the base model."""

    @property
    def peak(self) -> Phase:
        """The phase that needs most."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def fixed(self) -> int:
        """What is there all the time."""
        return self.weights + self.adapter + self.optimizer

    @property
    def total(self) -> int:
        """The peak."""
        return self.fixed + self.peak.total


@dataclass(frozen=True)
class Work:
    """The batches of a training."""

    train: Sequence[Batch]
    evaluation: Sequence[Batch]
    pages: int
    """Image tokens of the largest page."""
    prompt: int
    """Tokens of the longest prompt that is answered; 0 if none is."""
    answer: int
    """Most tokens of such an answer."""
    answered_together: int


def work_of(
    train: Sequence[Batch],
    rows: Sequence[Tokens],
    config: TrainerConfig,
    evaluated: Sequence[Tokens],
    evaluation: Sequence[Batch],
) -> Work:
    """The work of a training.

    Args:
        train: its largest batches.
        rows: of the training.
        config: of the training.
        evaluated: the rows of validation and test.
        evaluation: batches of the validation loss.
    """
    spec, answers = config.training, config.evaluation
    together = spec.per_device_eval_batch_size or spec.per_device_train_batch_size
    is_answered = answers.enabled or answers.training_documents
    longest = max((row.answer for row in evaluated), default=0)
    return Work(
        train,
        evaluation,
        max((row.largest_image for row in (*rows, *evaluated)), default=0),
        max((row.prompt for row in evaluated), default=0) if is_answered else 0,
        answers.max_new_tokens or int(1.5 * longest),
        together,
    )


def estimate(config: TrainerConfig, family: Family, work: Work, target: Target) -> Memory:
    """The memory of one process.

    The largest batches are computed with tensors without data, by the code of the training: what is alive at
    the same time is counted, not modelled. The vision tower and the keys and values of answers are
    calculated. What kernels need within an operation, and what allocators lose, is not part of it.

    Raises:
        UserError: LoraTargetsNotFound.
    """
    model = build(config, family, target.dtype, on_cpu=target.on_cpu)
    quantized = config.method is Method.QLoRA
    trace = partial(_trace, config, family, model, target)
    steps = [trace("a training step", batch) for batch in work.train]
    losses = [trace("the validation loss", batch, trains=False) for batch in _extremes(work.evaluation)]
    phases = [*steps, *losses]
    if family.reads_images and work.pages:
        phases.append(_page(family, work, target))
    if work.prompt:
        rows = min(work.answered_together, 8)
        prompts = Batch((work.prompt,) * rows, rows, 0)
        read = trace("answering documents", prompts, trains=False)
        cache = read.cache + _keys_and_values(family, rows * (work.prompt + work.answer), target)
        phases.append(Phase(read.name, read.activations, read.logits, cache))
    if quantized:  # a layer's weights in the computation's precision
        largest = model.largest_quantizable * target.bytes
        phases = [Phase(p.name, p.activations + largest, p.logits, p.cache) for p in phases]
    in_4_bits = model.quantizable if quantized else 0
    return Memory(
        int(in_4_bits * _NF4) + (model.weights - in_4_bits) * target.bytes,
        model.trained * _FLOAT32 * (2 if target.on_cpu else 1),  # the best adapter so far is on the CPU
        model.trained * (_FLOAT32 + _state_bytes(config.training.optim)),
        tuple(phases),
        model.weights,
    )


def _state_bytes(optimizer: Optimizer) -> int:
    """Of the two moments of a parameter."""
    return 2 if "8bit" in optimizer else 2 * _FLOAT32


def _extremes(batches: Sequence[Batch]) -> list[Batch]:
    """Those with most tokens, and with most answer tokens."""
    if not batches:
        return []
    most = max(batches, key=lambda batch: batch.num_padded), max(batches, key=lambda batch: batch.answers)
    return list(dict.fromkeys(most))


def _trace(  # noqa: PLR0913 - the first four are the training
    config: TrainerConfig,
    family: Family,
    model: WeightlessModel,
    target: Target,
    name: str,
    batch: Batch,
    *,
    trains: bool = True,
) -> Phase:
    """Compute a batch without data, and count what is alive at the peak."""
    text = getattr(family.config, "text_config", family.config)
    vocabulary = int(text.vocab_size)

    def kind_of(tensor: torch.Tensor) -> str:
        wide = tensor.dim() > 1 and tensor.shape[-1] == vocabulary and tensor.shape[-2] > 1
        return "logits" if wide else "activations"

    allocations = Allocations(kind_of)
    packed = config.training.packing is not False
    precision = target.dtype is not torch.float32
    model.model.train(trains)
    with (
        model.mode,
        nullcontext() if trains else torch.no_grad(),
        allocations,
    ):
        inputs = _inputs(family, batch, int(text.hidden_size), target.dtype, packed=packed)
        with torch.autocast("cpu", dtype=target.dtype) if precision else nullcontext():
            logits = model.model(**inputs, use_cache=False).logits
        logits = logits.reshape(-1, vocabulary)
        targets = torch.empty(len(logits), dtype=torch.long)
        loss = summed_loss(logits, targets, None, config.loss if trains else None)
        del logits, targets, inputs
        if trains:
            loss.backward()
        del loss
    features = batch.images * int(text.hidden_size) * target.bytes
    return Phase(name, allocations.peak["activations"], allocations.peak["logits"], features)


def _inputs(
    family: Family, batch: Batch, hidden_size: int, dtype: torch.dtype, *, packed: bool
) -> dict[str, Any]:
    """The arguments of the forward pass, from the embeddings on."""
    rows, tokens = (1, sum(batch.lengths)) if packed else (len(batch.lengths), max(batch.lengths))
    coordinates = (3, rows, tokens) if family.reads_images else (rows, tokens)
    inputs: dict[str, Any] = {
        "inputs_embeds": torch.empty(rows, tokens, hidden_size, dtype=dtype),
        "position_ids": torch.zeros(coordinates, dtype=torch.long),
        "logits_to_keep": -(-batch.answers // rows),
    }
    if packed:
        inputs["row_lengths"] = batch.lengths
    elif rows > 1:
        inputs["attention_mask"] = torch.ones(rows, 1, tokens, tokens, dtype=torch.bool)
    return inputs


def _page(family: Family, work: Work, target: Target) -> Phase:
    """The vision tower computes a page: the widest layer's input, its normalized copy, and the MLP's two."""
    vision = family.config.vision_config
    patches = work.pages * _PATCHES
    width = 2 * int(vision.hidden_size) + 2 * int(vision.intermediate_size)
    pixels = _PIXEL_BYTES * _PATCHES * max(batch.images for batch in work.train)
    hidden_size = int(family.config.text_config.hidden_size)
    pending = _MAX_PENDING * work.pages * hidden_size * target.bytes
    return Phase("reading pages", patches * width * target.bytes + pixels, 0, pending)


def _keys_and_values(family: Family, tokens: int, target: Target) -> int:
    text = getattr(family.config, "text_config", family.config)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * head_dim * tokens * target.bytes)
