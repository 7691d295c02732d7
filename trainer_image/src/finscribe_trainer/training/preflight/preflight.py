"""Stops a training that would not learn to read its pages, before its first step."""

import logging
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from accelerate.utils import send_to_device

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.families.base import Family, ImageInput
from finscribe_trainer.training.preflight.encoding import encoding_findings
from finscribe_trainer.training.preflight.findings import REMEDIES, Defect, Finding
from finscribe_trainer.training.preflight.pages import NUM_ROWS, measure_pages, page_finding

log = logging.getLogger(__name__)

_MIN_CHARACTERS = 40


def preflight(model: Any, family: Family, examples: Sequence[Example]) -> None:
    """Check a few rows of the training; changes neither weights nor the random state.

    Args:
        model: the model to train; it is moved to the GPU, if there is one.
        family: the model's.
        examples: all training rows.

    Raises:
        UserError: PreflightFailed, naming the defect.
    """
    with_pages = [example for example in examples if example.images]
    rows = sample_evenly(with_pages or examples, NUM_ROWS)
    finding = _same_answers(with_pages) or _find(model, family, rows)
    if finding is not None:
        raise UserError(
            FailureReason.PreflightFailed,
            f"{finding.defect}: {finding.message}.",
            f"{REMEDIES[finding.defect]} To train nevertheless, set preflight.enabled to false.",
        )


def _same_answers(examples: Sequence[Example]) -> Finding | None:
    """Whether nothing in the answers comes from the pages."""
    if len({example.image_hashes for example in examples}) < NUM_ROWS:
        return None
    if len({example.row.completion for example in examples}) == 1:
        return Finding(
            Defect.text_only_answers, f"all {len(examples)} rows with an image have the same answer"
        )
    if all(_is_in_prompt(example) for example in examples):
        return Finding(Defect.text_only_answers, "the answer of every row is a part of its prompt")
    return None


def _is_in_prompt(example: Example) -> bool:
    """Whether the whole answer is in the prompt, and is longer than the name of a class to choose from."""
    answer = example.row.completion
    return len(answer) >= _MIN_CHARACTERS and answer in example.row.turns[-1].text


def _find(model: Any, family: Family, rows: Sequence[Example]) -> Finding | None:
    for example in rows:
        for finding in encoding_findings(example, family.encode(example), family):
            return finding
    if torch.cuda.is_available():
        model.to("cuda")
    was_training = model.training
    model.eval()
    try:
        return _positions(model, family, rows[0]) or _pages(model, family, rows)
    finally:
        model.train(was_training)


def _positions(model: Any, family: Family, example: Example) -> Finding | None:
    inputs = _inputs(model, family, example)
    if "position_ids" not in inputs:
        return None  # the model computes them
    own = family.own_positions(model, inputs)
    if own is None or torch.equal(own, inputs["position_ids"]):
        return None
    return Finding(Defect.lost_positions, f"{example.where}: the position ids are not those of the model")


def _pages(model: Any, family: Family, rows: Sequence[Example]) -> Finding | None:
    if not family.reads_images:
        return None

    def loss(example: Example, images: list[ImageInput] | None) -> tuple[float, int]:
        with torch.no_grad():
            total, tokens = answer_loss(model, _inputs(model, family, example, images))
        return float(total) / int(tokens), int(tokens)

    pairs = measure_pages([example for example in rows if example.images], loss)
    if pairs:
        own, other = fmean(pair.own for pair in pairs), fmean(pair.other for pair in pairs)
        log.info("preflight: loss %.3f with the right page, %.3f with that of another row", own, other)
    return page_finding(pairs)


def _inputs(
    model: Any, family: Family, example: Example, images: list[ImageInput] | None = None
) -> dict[str, Any]:
    device = next(model.parameters()).device
    batch = send_to_device(family.collate([family.encode(example, images)]), device)
    return family.model_inputs(batch)
