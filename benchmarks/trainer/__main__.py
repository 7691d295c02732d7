"""Compares FinScribe with other training programs on the same rows: `python -m benchmarks.trainer`.

Each training is a fresh process, measured from outside. The programs are interleaved, so that a slow minute
affects all of them. Prints tables of time, memory and losses.
"""

import argparse
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.trainer.candidates import CANDIDATES, OURS, PLAIN, Candidate
from benchmarks.trainer.environments import ROOT, cache_folder, python_of
from benchmarks.trainer.facts import read_facts
from benchmarks.trainer.machine import describe_candidates, describe_machine, gpu_name
from benchmarks.trainer.measure import SETTINGS_FILE, measure, run_program
from benchmarks.trainer.settings import Settings
from benchmarks.trainer.table import Runs, loss_table, ratio_table, time_table
from finscribe_trainer.runtime.progress import progress

RESULTS = Path(__file__).with_name("RESULTS.md")
SHAPES = ("tiny", "small", "0.9b")


def main() -> None:
    """Prepare the input, measure all trainings, print the report."""
    parser = _parser()
    options = parser.parse_args()
    if options.num_rows % options.batch_size:
        parser.error("--num-rows must be a multiple of --batch-size")
    if options.epochs < 2:
        parser.error("--epochs must be at least 2, because the first epoch differs from the later ones")
    candidates = [
        candidate
        for candidate in CANDIDATES
        if candidate.name in (OURS, PLAIN) or options.peer in (candidate.name, "all")
    ]
    for candidate in candidates:
        if candidate.peer:
            python_of(candidate.peer)  # installed before anything is timed
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="run-") as name:
        settings = _settings(options, Path(name))
        settings.write(settings.folder / SETTINGS_FILE)
        shape = "" if options.model else options.shape
        rows = str(options.rows.resolve()) if options.rows else ""
        run_program("prepare", [shape, rows], settings, options.threads)
        runs = _measure_all(candidates, settings, options)
        report = "\n".join(_report(runs, candidates, settings, options))
    print(report)
    if options.write:
        RESULTS.write_text(f"# Results of `make bench-trainer`\n\n{report}\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-trainer",
        description="Train on the same rows with FinScribe and other programs; print times, memory, losses.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    peers = [candidate.name for candidate in CANDIDATES if candidate.peer]
    add = parser.add_argument
    add("--repeat", type=int, default=3, metavar="N", help="trainings with each program")
    add(
        "--peer",
        choices=["all", "none", *peers],
        default="all",
        help="programs besides FinScribe and the plain Trainer",
    )
    add("--shape", choices=SHAPES, default="small", help="size of a model with random weights")
    add("--model", type=Path, help="folder of an existing model, instead of random weights")
    add("--rows", type=Path, help="JSON lines with images, instead of generated documents")
    add("--num-rows", type=int, default=16, metavar="N", help="training rows")
    add("--epochs", type=int, default=3, metavar="N", help="epochs, at least 2")
    add("--batch-size", type=int, default=8, metavar="N", help="rows per batch")
    add("--learning-rate", type=float, default=2e-3, metavar="LR", help="learning rate, constant")
    add(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="recompute activations in the backward pass",
    )
    add("--bf16", action="store_true", help="train in bfloat16 instead of float32")
    add("--workers", type=int, default=0, metavar="N", help="data workers of each program")
    add("--threads", type=int, default=1, metavar="N", help="PyTorch threads of each program")
    add("--write", action="store_true", help=f"also write {RESULTS.relative_to(ROOT)}")
    return parser


def _settings(options: argparse.Namespace, folder: Path) -> Settings:
    return Settings(
        folder=folder,
        model=str(options.model.resolve() if options.model else folder / "model"),
        num_rows=options.num_rows,
        num_epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        bf16=options.bf16,
        num_workers=options.workers,
        gradient_checkpointing=options.gradient_checkpointing,
    )


def _measure_all(candidates: list[Candidate], settings: Settings, options: argparse.Namespace) -> Runs:
    runs: Runs = defaultdict(list)
    turns = [(candidate, number) for number in range(options.repeat) for candidate in candidates]
    for candidate, number in progress(turns, "Benchmark", unit="trainings"):
        folder = settings.folder / f"{candidate.program}-{number}"
        folder.mkdir()
        runs[candidate.name].append(measure(candidate, settings, folder, options.threads))
        shutil.rmtree(folder)  # otherwise FinScribe would reuse its feature cache
    return runs


def _report(
    runs: Runs, candidates: list[Candidate], settings: Settings, options: argparse.Namespace
) -> list[str]:
    facts = read_facts(settings.folder)
    lines = [*describe_machine(options), "", *facts.describe(settings), *describe_candidates(candidates), ""]
    clocks = {"wall": "Wall time"} if gpu_name() else {"cpu": "CPU time", "wall": "Wall time"}
    for clock, title in clocks.items():
        lines += [
            f"## {title}",
            "",
            *time_table(runs, clock, facts.tokens),
            "",
            *ratio_table(runs, clock),
            "",
        ]
    return [*lines, "## Memory and losses", "", *loss_table(runs)]


if __name__ == "__main__":
    main()
