"""Trains a model on a few values of synthetic receipts, and answers others with it."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.ablations.cells import DEFAULT
from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.evaluation.evaluate import evaluate_to_file
from finscribe_trainer.evaluation.test_set import load_test_set
from finscribe_trainer.pipeline.config import load_config
from finscribe_trainer.pipeline.session import run_session
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR

TRAINING, LOSS, DOCUMENTS = 800, 16, 1100
"""Numbers of receipts: to train on, for the loss, and to answer."""
NUMBER, SUMMARY, TOTAL = "invoice_number", "financial_summary", "grand_total"
"""What is read of each receipt: little, so that a short training suffices and answers are short."""
STEPS, BATCH_SIZE, NEW_TOKENS = 320, 32, 128


def results_file(seed: int, folder: Path) -> Path:
    """The answers of the model that was trained with a seed."""
    return folder / f"seed-{seed}" / "results.json"


def measure(seed: int, folder: Path) -> None:
    """Train with a seed, on receipts that no other seed has, and write the answers to other receipts."""
    results = results_file(seed, folder)
    work = results.parent
    shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
    work.mkdir(parents=True)
    _write_rows(work, seed)
    _train(work, seed)
    test_set = load_test_set(str(work / "documents.jsonl"), None, results)
    evaluate_to_file(results, str(work / "run" / ADAPTER_DIR), None, test_set, BATCH_SIZE, NEW_TOKENS)


def _write_rows(work: Path, seed: int) -> None:
    write_dataset(work, TRAINING, LOSS + DOCUMENTS, seed)
    for name in ("train", "val"):
        file = work / f"{name}.jsonl"
        rows = [_with_few_values(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    lines = (work / "val.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for name, part in (("loss", lines[:LOSS]), ("documents", lines[LOSS:])):
        (work / f"{name}.jsonl").write_text("".join(part), encoding="utf-8")


def _with_few_values(row: dict[str, Any]) -> dict[str, Any]:
    answer = json.loads(row["output"])
    values = {NUMBER: answer[NUMBER], SUMMARY: {TOTAL: answer[SUMMARY][TOTAL]}}
    return row | {"output": json.dumps(values, separators=(",", ":"))}


def _train(work: Path, seed: int) -> None:
    paths = {
        "model_name_or_path": BUILT_IN_MODEL,
        "dataset_path": str(work / "train.jsonl"),
        "validation_path": str(work / "loss.jsonl"),
        "output_dir": str(work / "run"),
        "training.seed": seed,
        "training.max_steps": STEPS,
        "training.eval_steps": STEPS,
    }
    file = work / "config.yaml"
    settings = apply_overrides(TrainerConfig, DEFAULT, paths, "the benchmark's")
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    if code := run_session(lambda: load_config(file, {"strict": True}), None):
        sys.exit(code)


if __name__ == "__main__":
    measure(int(sys.argv[1]), Path(sys.argv[2]))
