"""Trains and calibrates a model on a few values of receipts, and applies its thresholds to new ones."""

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
from finscribe_trainer.evaluation.calibration import StraightThrough, calibrate, is_right, straight_through
from finscribe_trainer.evaluation.evaluate import evaluate_to_file
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.evaluation.test_set import load_test_set
from finscribe_trainer.pipeline.config import load_config
from finscribe_trainer.pipeline.session import run_session
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR

TRAINING, LOSS, VALIDATION, NEW = 800, 16, 500, 600
"""Numbers of documents: to train on, for the loss, to choose thresholds on, and to apply them to."""
NUMBER, SUMMARY, TOTAL = "invoice_number", "financial_summary", "grand_total"
"""What is read of each receipt: little, so that a short training suffices and answers are short."""
STEPS, BATCH_SIZE, NEW_TOKENS = 320, 32, 128


def measure(seed: int, folder: Path) -> tuple[Results, Results]:
    """Train with documents and a seed of their own.

    Returns:
        the answers to validation documents, and those to new documents of the same kind.
    """
    work = folder / f"seed-{seed}"
    parts = [work / f"results-{name}.json" for name in ("validation", "new")]
    if not all(part.exists() for part in parts):
        shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
        work.mkdir(parents=True)
        _write_rows(work, seed)
        _train(work, seed)
    validation, new = (_answer(work, part) for part in parts)
    return validation, new


def share_of_right(seed: int, folder: Path) -> float:
    """Of the new documents, those that are answered right in every value."""
    _, new = measure(seed, folder)
    return sum(map(is_right, new.documents)) / len(new.documents)


def promises(seed: int, folder: Path) -> tuple[StraightThrough, ...]:
    """What the thresholds of a training's validation documents do on new ones."""
    validation, new = measure(seed, folder)
    return straight_through(calibrate(validation), new)


def _write_rows(work: Path, seed: int) -> None:
    write_dataset(work, TRAINING, LOSS + VALIDATION + NEW, seed)
    for name in ("train", "val"):
        file = work / f"{name}.jsonl"
        rows = [_with_few_values(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    lines = (work / "val.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    borders = (0, LOSS, LOSS + VALIDATION, LOSS + VALIDATION + NEW)
    for name, start, end in zip(("loss", "validation", "new"), borders, borders[1:], strict=False):
        (work / f"{name}.jsonl").write_text("".join(lines[start:end]), encoding="utf-8")


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


def _answer(work: Path, output: Path) -> Results:
    rows = work / f"{output.stem.removeprefix('results-')}.jsonl"
    test_set = load_test_set(str(rows), None, output)
    return evaluate_to_file(output, str(work / "run" / ADAPTER_DIR), None, test_set, BATCH_SIZE, NEW_TOKENS)


if __name__ == "__main__":
    measure(int(sys.argv[1]), Path(sys.argv[2]))
