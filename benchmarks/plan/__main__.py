"""Prints planned and measured memory of ten trainings on a CPU: `python -m benchmarks.plan [--write]`."""

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe_machine
from benchmarks.plan.measure import Result, measure, write_rows
from benchmarks.trainer.shapes import SHAPES, write_model
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.built_in import find_built_in_model

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("RESULTS.md")
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NUM_ROWS, NUM_VALIDATION_ROWS = 8, 2
SETTINGS: dict[str, dict[str, Any]] = {
    "batches of 4, gradient checkpointing": {},
    "no checkpointing": {"training": {"gradient_checkpointing": False}},
    "no checkpointing, batches of 2, all linear layers, rank 64": {
        "training": {"gradient_checkpointing": False, "per_device_train_batch_size": 2},
        "lora": {"r": 64, "target_modules": ALL_LINEAR},
    },
    "no checkpointing, bfloat16": {"training": {"gradient_checkpointing": False, "bf16": True}},
    "no checkpointing, padded": {"training": {"gradient_checkpointing": False, "packing": False}},
}


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-plan", description=__doc__)
    parser.add_argument("--only", help="a part of the name of model or setting")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS.relative_to(ROOT)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = _measure_all(Path(name), options.only or "")
    report = "\n".join([describe_machine(), "", *_table(results)])
    print(report)
    if options.write:
        RESULTS.write_text(f"# Results of `make bench-plan`\n\n{report}\n", encoding="utf-8")


def _measure_all(folder: Path, only: str) -> dict[tuple[str, str], Result]:
    results = {}
    for model, inputs in _models(folder).items():
        for number, (name, changes) in enumerate(SETTINGS.items()):
            if only in f"{model}, {name}":
                output = folder / f"{model.replace('/', '-')}-{number}"
                results[model, name] = _in_a_process(inputs | _config(changes, output))
                print(f"{model}, {name}: {results[model, name].error:+.1%}", flush=True)
    return results


def _in_a_process(settings: dict[str, Any]) -> Result:
    """Measure in a new process: memory of an earlier training that is freed meanwhile would be subtracted."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(measure, settings).result()


def _config(changes: dict[str, Any], output: Path) -> dict[str, Any]:
    training = {
        "learning_rate": 1e-4,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "dataloader_num_workers": 0,
        "report_to": [],
    }
    return {
        "evaluation": {"enabled": False, "training_documents": 0},
        "output_dir": str(output),
        **changes,
        "training": training | changes.get("training", {}),
    }


def _models(folder: Path) -> dict[str, dict[str, Any]]:
    """The small model on receipts, and one of 37 million random parameters on documents."""
    receipts, documents = folder / "receipts", folder / "documents"
    texts = write_dataset(receipts, NUM_ROWS, NUM_VALIDATION_ROWS, seed=1)
    documents.mkdir()
    write_rows(ROOT / "data/train.jsonl", documents / "train.jsonl", range(NUM_ROWS))
    write_rows(ROOT / "data/val.jsonl", documents / "val.jsonl", range(NUM_VALIDATION_ROWS))
    write_model(folder / "random", SHAPES["small"], texts, seed=1, dtype=torch.float32)
    return {
        "finscribe/tiny-ocr-vl": {
            "model_name_or_path": str(find_built_in_model()),
            "dataset_path": str(receipts / "train.jsonl"),
            "validation_path": str(receipts / "val.jsonl"),
        },
        "37 M, random": {
            "model_name_or_path": str(folder / "random"),
            "dataset_path": str(documents / "train.jsonl"),
            "validation_path": str(documents / "val.jsonl"),
            "image_root": str(ROOT / "data"),
        },
    }


def _table(results: dict[tuple[str, str], Result]) -> list[str]:
    names = (
        "Weights",
        "Adapter, optimizer",
        "Activations",
        "Logits",
        "Cache",
        "Planned",
        "Measured",
        "Error",
    )
    lines = [f"| Model | Settings | {' | '.join(names)} |", f"|---|---|{'---:|' * len(names)}"]
    for (model, name), result in results.items():
        planned, peak = result.planned, result.planned.peak
        sizes = (
            planned.weights,
            planned.adapter + planned.optimizer,
            peak.activations,
            peak.logits,
            peak.cache,
            planned.total,
            result.measured,
        )
        cells = [f"{size / 2**20:.1f}" for size in sizes]
        lines.append(f"| {model} | {name} | {' | '.join(cells)} | {result.error:+.1%} |")
    return [
        *lines,
        "",
        "MiB. Planned is at the phase that needs most; measured are PyTorch's own allocations.",
    ]


if __name__ == "__main__":
    main()
