"""Writes what all cells share: documents, and a base model with random weights."""

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import PaddleOCRVLConfig, PaddleOCRVLForConditionalGeneration

from benchmarks.ablations.cells import DOCUMENTS
from benchmarks.ablations.results import INPUTS, Inputs, read_inputs
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import find_local_or_hub_model
from finscribe_trainer.runtime.outputs import replace_together

RANDOM_BASE = "random-base"
VALIDATION_DOCUMENTS = 32
TEST_DOCUMENTS = 32
_SEED = 1


def prepare(folder: Path, base: str) -> None:
    """Write documents, the random base and `inputs.json`, unless they are there.

    Ends the process with a message if the folder has results of another base model.
    """
    source = find_local_or_hub_model(base, None)
    weights = _sha256(Path(source.location) / "model.safetensors")
    if written := read_inputs(folder):
        if written.base != weights:
            sys.exit(f"{folder} has results of another base model. Remove it, or name another --folder.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    with replace_together(folder, last=INPUTS) as part:
        _write_documents(part)
        family = load_family(source)
        torch.manual_seed(_SEED)
        config = family.config
        assert isinstance(config, PaddleOCRVLConfig)
        PaddleOCRVLForConditionalGeneration(config).save_pretrained(part / RANDOM_BASE)
        family.processing.save_pretrained(part / RANDOM_BASE)
        inputs = Inputs(weights, _sha256(*sorted(part.glob("*.jsonl"))))
        (part / INPUTS).write_text(json.dumps(asdict(inputs)), encoding="utf-8")


def train_file(folder: Path, documents: int) -> Path:
    """The rows of the first `documents` training documents."""
    return folder / f"train-{documents}.jsonl"


def validation_file(folder: Path) -> Path:
    """The rows of the validation loss."""
    return folder / "val.jsonl"


def test_file(folder: Path) -> Path:
    """The rows on which all models are evaluated."""
    return folder / "test.jsonl"


def _write_documents(folder: Path) -> None:
    write_dataset(folder, max(DOCUMENTS), VALIDATION_DOCUMENTS, _SEED, num_test_rows=TEST_DOCUMENTS)
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for number in DOCUMENTS:
        train_file(folder, number).write_text("".join(lines[:number]), encoding="utf-8")


def _sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
