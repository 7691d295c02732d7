"""`python -m benchmarks.trainer`: trains the same rows with FinScribe and with others, and prints tables.

Each training is a fresh process, measured from outside; the trainers take turns, so that a slow minute of the
machine is everyone's.
"""

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from benchmarks.trainer.environments import ROOT, cache_folder, python_of
from benchmarks.trainer.facts import read_facts
from benchmarks.trainer.machine import describe_machine, describe_sides, gpu_name
from benchmarks.trainer.measure import SETTINGS_FILE, measure, run_program
from benchmarks.trainer.settings import Settings
from benchmarks.trainer.sides import OURS, PLAIN, SIDES, Side
from benchmarks.trainer.table import Runs, loss_table, ratio_table, time_table

RESULTS = Path(__file__).with_name("RESULTS.md")
SHAPES = ("tiny", "small", "0.9b")


def main() -> None:
    """Prepare, measure, print."""
    parser = _parser()
    options = parser.parse_args()
    if options.num_rows % options.batch_size:
        parser.error("--num-rows must be a multiple of --batch-size")
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the first epoch is not like the later ones")
    sides = [side for side in SIDES if side.name in (OURS, PLAIN) or options.peer in (side.name, "all")]
    for side in sides:
        if side.peer:
            python_of(side.peer)  # what is missing is installed before anything is timed
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="run-") as name:
        settings = _settings(options, Path(name))
        settings.write(settings.folder / SETTINGS_FILE)
        shape = "" if options.model else options.shape
        rows = str(options.rows.resolve()) if options.rows else ""
        run_program("prepare", [shape, rows], settings, options.threads)
        runs = _measure_all(sides, settings, options)
        report = "\n".join(_report(runs, sides, settings, options))
    print(report)
    if options.write:
        RESULTS.write_text(f"# Results of `make bench-trainer`\n\n{report}\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-trainer",
        description="Train the same rows with FinScribe and with others, and print times, memory and losses.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    peers = [side.name for side in SIDES if side.peer]
    add = parser.add_argument
    add("--repeat", type=int, default=3, metavar="N", help="trainings by each")
    add(
        "--peer",
        choices=["all", "none", *peers],
        default="all",
        help="beside FinScribe and the plain trainer",
    )
    add("--shape", choices=SHAPES, default="small", help="size of a model with random weights")
    add("--model", type=Path, help="folder of a model, instead of one with random weights")
    add("--rows", type=Path, help="JSON lines with images, instead of made-up documents")
    add("--num-rows", type=int, default=16, metavar="N", help="training rows")
    add("--epochs", type=int, default=3, metavar="N", help="passes over the rows, at least 2")
    add("--batch-size", type=int, default=8, metavar="N", help="rows at once")
    add("--learning-rate", type=float, default=2e-3, metavar="LR", help="constant")
    add(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compute activations again in the backward pass",
    )
    add("--bf16", action="store_true", help="train in bfloat16 instead of float32")
    add("--workers", type=int, default=0, metavar="N", help="processes that decode images, of each trainer")
    add("--threads", type=int, default=1, metavar="N", help="threads of PyTorch, of each trainer")
    add("--write", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}, too")
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


def _measure_all(sides: list[Side], settings: Settings, options: argparse.Namespace) -> Runs:
    runs: Runs = defaultdict(list)
    turns = [(side, number) for number in range(options.repeat) for side in sides]
    for side, number in tqdm(turns, unit="training", disable=not sys.stderr.isatty()):
        folder = settings.folder / f"{side.program}-{number}"
        folder.mkdir()
        runs[side.name].append(measure(side, settings, folder, options.threads))
        shutil.rmtree(folder)  # a feature cache of ours would be found again
    return runs


def _report(runs: Runs, sides: list[Side], settings: Settings, options: argparse.Namespace) -> list[str]:
    facts = read_facts(settings.folder)
    lines = [*describe_machine(options), "", *facts.describe(settings), *describe_sides(sides), ""]
    clocks = (
        {"wall": "Seconds of the clock"}
        if gpu_name()
        else {"cpu": "Seconds of CPU", "wall": "Seconds of the clock"}
    )
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
