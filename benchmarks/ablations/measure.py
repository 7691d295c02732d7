"""Trains the model of a cell as `finscribe train` does, and evaluates it on the test documents."""

import json
import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import yaml

from benchmarks.ablations.cells import DEFAULT, Cell
from benchmarks.ablations.inputs import RANDOM_BASE, TEST_DOCUMENTS, test_file, train_file, validation_file
from benchmarks.ablations.results import Result, log_file, write_result
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import DocumentMetric, StorageEndpoint, TrainerConfig
from finscribe_trainer.evaluation.evaluate import evaluate, inference_settings
from finscribe_trainer.evaluation.loading import load_model
from finscribe_trainer.evaluation.test_set import load_test_set
from finscribe_trainer.model.batch import IGNORE_INDEX, Encoded
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.families.paddleocr_vl import PaddleOCRVL
from finscribe_trainer.pipeline.config import load_config
from finscribe_trainer.pipeline.session import run_session
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR, METRICS_FILE
from finscribe_trainer.storage import Storage


def measure(cell: Cell, folder: Path, base: str) -> None:
    """Train, evaluate and write the result; ends the process with the trainer's exit code if it fails.

    Args:
        cell: What to measure.
        folder: Of the benchmark, with its inputs.
        base: Name or folder of the pretrained base model.
    """
    log = log_file(folder, cell)
    work = log.with_suffix("")
    shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
    work.mkdir(parents=True)
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    model = str(folder / RANDOM_BASE) if cell.setting.random_base else base
    trained = _train(cell, config(cell, folder, work, model), work) if cell.setting.trained else _NOTHING
    accuracies = _evaluate(folder, str(work / "run" / ADAPTER_DIR) if cell.setting.trained else model, work)
    key, seed = cell.id
    write_result(folder, cell, Result(key=key, seed=seed, **accuracies, **trained))
    shutil.rmtree(work)
    log.unlink()


_NOTHING: dict[str, Any] = {"train_loss": None, "eval_loss": None, "cpu_seconds": 0.0, "wall_seconds": 0.0}


def config(cell: Cell, folder: Path, work: Path, model: str) -> dict[str, Any]:
    """The trainer's config of a cell, as in a file."""
    paths = {
        "model_name_or_path": model,
        "dataset_path": str(train_file(folder, cell.setting.documents)),
        "validation_path": str(validation_file(folder)),
        "output_dir": str(work / "run"),
        "training.seed": cell.seed,
    }
    return apply_overrides(TrainerConfig, DEFAULT, {**cell.setting.overrides, **paths}, "the cell's")


def _train(cell: Cell, settings: dict[str, Any], work: Path) -> dict[str, Any]:
    file = work / "config.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    cpu, wall = time.process_time(), time.monotonic()
    with ExitStack() as changes:
        if cell.setting.prompt_labels:
            changes.enter_context(patch.object(PaddleOCRVL, "encode", _labels_everywhere(PaddleOCRVL.encode)))
        code = run_session(lambda: load_config(file, {"strict": True}), None)
    if code:
        sys.exit(code)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    metrics = json.loads((work / "run" / METRICS_FILE).read_text(encoding="utf-8"))
    eval_loss = None if cell.setting.prompt_labels else metrics["eval_history"][-1]["eval_loss"]
    choice = metrics["learning_rate_choice"]
    return {
        "train_loss": metrics["train_history"][-1]["loss"],
        "eval_loss": eval_loss,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "chosen_rate": float(choice["chosen"]) if choice else None,
    }


def _labels_everywhere(encode: Any) -> Any:
    """An `encode` whose labels include the text of the prompt, but not the image's placeholders."""

    def encode_with_prompt(self: Family, *arguments: Any, **options: Any) -> Encoded:
        encoded: Encoded = encode(self, *arguments, **options)
        ids, image = encoded["input_ids"], encoded["mm_token_type_ids"] > 0
        encoded["labels"] = torch.where(image, torch.full_like(ids, IGNORE_INDEX), ids)
        return encoded

    return encode_with_prompt


def _evaluate(folder: Path, model: str, work: Path) -> dict[str, float]:
    tests = load_test_set(str(test_file(folder)), None, work / "answers.json")
    loaded = load_model(model, None, work, Storage.from_config(StorageEndpoint()))
    answers = evaluate(loaded, tests, inference_settings(loaded, tests), TEST_DOCUMENTS)
    metrics = answers.summary.metrics
    names = {
        "field_accuracy": DocumentMetric.field_accuracy,
        "numeric_accuracy": DocumentMetric.numeric_accuracy,
        "teds": DocumentMetric.teds_score,
    }
    return {name: metrics[metric].value for name, metric in names.items()}
