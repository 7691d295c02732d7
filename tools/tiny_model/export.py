"""Writes the model in the layout of a hub repository, with a model card, also into the trainer's package."""

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import GenerationConfig, PaddleOCRVLForConditionalGeneration

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_trainer.data_tools.small_pages.glyphs import FACES
from finscribe_trainer.model.built_in import CHECKSUMS, FOLDER, sha256
from finscribe_trainer.runtime.files import follow_umask
from tools.tiny_model.batches import Batches
from tools.tiny_model.checkpoint import Progress
from tools.tiny_model.curve import write_curve
from tools.tiny_model.measure import ErrorRates, error_rates
from tools.tiny_model.model import build_model, build_processor
from tools.tiny_model.pages import PageSize
from tools.tiny_model.stages import ADAM_RATE, MUON_RATE, Part, Stage
from tools.tiny_model.train import Training

FINAL_ERRORS = "final_errors.csv"
"""Error rates of the exported weights; errors.csv has those during the training."""


@dataclass(frozen=True)
class Measured:
    """Error rates of the exported weights on pages of a size."""

    size: PageSize
    rates: ErrorRates


def export(training: Training, folder: Path, pages: int) -> list[Measured]:
    """Write model, tokenizer, processor, card and curve to `folder`.

    Args:
        training: With the weights.
        folder: Created if missing.
        pages: Test pages of each size.

    Returns:
        The error rates of the files as written (bfloat16).
    """
    tokenizer = training.batches.tokenizer
    model = build_model(tokenizer, seed=0).bfloat16()
    model.load_state_dict(training.losses.model.state_dict())
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
    )
    model.save_pretrained(folder)
    follow_umask(folder)
    build_processor(tokenizer).save_pretrained(folder)
    write_curve(folder, training.progress)
    measured = _measure(folder, training.batches, training.stages, pages)
    (folder / FINAL_ERRORS).write_text(_errors_csv(measured, pages), encoding="utf-8")
    (folder / "README.md").write_text(
        _card(training.progress, training.stages, measured, pages), encoding="utf-8"
    )
    return measured


def ship(exported: Path, folder: Path = FOLDER) -> None:
    """Replace the model in the trainer's package by an exported one, and record the files' checksums.

    Args:
        exported: The folder that `export` wrote.
        folder: The model's folder in the package.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = []
    for file in sorted(exported.iterdir()):
        shutil.copyfile(file, folder / file.name)
        lines.append(f"{sha256(file)}  {file.name}\n")
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _errors_csv(measured: list[Measured], pages: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("size", "pages", "transcription", "lookup", "exact"))
    for found in measured:
        rates = (found.rates.transcription, found.rates.lookup, found.rates.exact)
        writer.writerow((found.size, pages, *(f"{rate:.4f}" for rate in rates)))
    return text.getvalue()


def _measure(folder: Path, batches: Batches, stages: tuple[Stage, ...], pages: int) -> list[Measured]:
    model = PaddleOCRVLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    sizes = dict.fromkeys(part.size for stage in stages for part in stage.parts)
    return [Measured(size, error_rates(model, batches, size, pages)) for size in sizes]


def _card(progress: Progress, stages: tuple[Stage, ...], measured: list[Measured], pages: int) -> str:
    rows = "\n".join(
        f"| {found.size} | {found.rates.transcription:.2%} | {found.rates.lookup:.2%} | "
        f"{found.rates.exact:.1%} |"
        for found in measured
    )
    course = "\n".join(
        f"| {stage.name} | {', '.join(map(_part, stage.parts))} | {stage.steps} | "
        f"{'falls to 0' if stage.decay else 'constant'} |"
        for stage in stages
    )
    done = "All stages are complete." if progress.stage == len(stages) else "**Not all stages are complete.**"
    faces = ", ".join(sorted({family for family, _, _ in FACES}))
    return f"""\
---
license: apache-2.0
pipeline_tag: image-text-to-text
library_name: transformers
---

# {BUILT_IN_MODEL}: a PaddleOCR-VL that reads small pages

4 million parameters in the classes of PaddleOCR-VL, trained from random weights on generated pages only.
It transcribes small pages (`OCR:`), and continues a line after a word of it (`After: Total`). It knows no
JSON and no field names. It is for demonstrations and tests, not for real documents.

A character fills a cell of 14 x 28 pixels; sides of a page are multiples of 28 pixels.

## Held-out error

Edit distance per character of the expected text, greedy generation, on pages whose words, amounts, dates and
numbers do not occur in the training, {pages} for each size. Exact: answers to `After:` without any error.

| Columns x rows | `OCR:` | `After:` | `After:`, exact |
|---|---|---|---|
{rows}

![Training loss and held-out error](curve.png)

## Training

Seed {progress.seed}, {progress.total:,} steps, {progress.pages:,} pages,
{progress.seconds / 60:.0f} minutes on {progress.threads} thread(s). {done} Made by `make tiny-model`.

| Stage | Page sizes (pages in a batch, share of the steps) | Steps | Learning rate |
|---|---|---|---|
{course}

Muon (learning rate {MUON_RATE}) for matrices, AdamW ({ADAM_RATE}) for all other weights; 1 to 6 questions of
the second kind for each page; bfloat16 arithmetic, float32 weights. Type faces: {faces}.

## Licence

Apache 2.0. The training data are generated by the same repository; no published weights were used.
"""


def _part(part: Part) -> str:
    return f"{part.size} ({part.pages} pages, {part.share:g})"
