"""Measures whether promised precisions hold: `python -m benchmarks.calibration`.

Without options the small model that ships answers questions about new pages. With `--results` the answers
are those of a results.json, such as of a tuned adapter on many documents. One model's answers are divided at
random, once for each seed: thresholds are chosen on some, and the precision is counted on all others. With
`--trained` a model is trained for each seed, on documents of its own; what is in the folder is not repeated.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw, to_image
from finscribe_trainer.evaluation.calibration import StraightThrough, calibrate, is_right, straight_through
from finscribe_trainer.evaluation.evaluate import evaluate_to_file
from finscribe_trainer.evaluation.results import DocumentResult, Results, read_results
from finscribe_trainer.evaluation.test_set import load_test_set
from finscribe_trainer.metrics.straight_through import PRECISIONS
from tools.tiny_model.pages import PageSize, make_page
from tools.tiny_model.tasks import after

SIZES = (PageSize(16, 8), PageSize(24, 14), PageSize(28, 17), PageSize(32, 20))
"""From pages that the model reads well to such that it was hardly trained on."""


def main() -> None:
    """Measure, and print a table."""
    options = _parser().parse_args()
    if options.trained:
        _print_trained(options)
    else:
        _print_divided(options)


def _print_divided(options: argparse.Namespace) -> None:
    results = (
        read_results(options.results) if options.results else _answers(options.folder, options.documents)
    )
    right = sum(map(is_right, results.documents))
    print(
        f"{len(results.documents)} documents, {right} right, {options.seeds} times "
        f"{options.validation} of them to calibrate on. {describe_machine()}\n"
    )
    _print_table([_of_seed(results, options.validation, seed) for seed in range(options.seeds)])


def _print_trained(options: argparse.Namespace) -> None:
    from benchmarks.calibration import trained  # noqa: PLC0415 - imports torch

    seeds = range(options.seeds)
    with ThreadPoolExecutor(options.workers) as pool:
        missing = [seed for seed in seeds if not trained.results_file(seed, options.folder).exists()]
        list(pool.map(partial(_train, folder=options.folder), missing))
    answers = [read_results(trained.results_file(seed, options.folder)) for seed in seeds]
    shares = [sum(map(is_right, one.documents)) / len(one.documents) for one in answers]
    print(
        f"{options.seeds} trainings, each calibrated on {options.validation} of {trained.DOCUMENTS} "
        f"documents, of which it answers {_spread(shares)} right in every value. {describe_machine(1)}\n"
    )
    _print_table([_of_seed(one, options.validation, seed) for seed, one in zip(seeds, answers, strict=True)])


def _train(seed: int, folder: Path) -> None:
    """Train the model of a seed in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.calibration.trained", str(seed), str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"seed-{seed}.log").open("ab") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, stdout=log, stderr=log, env=environment, check=True)


def _print_table(tables: Sequence[tuple[StraightThrough, ...]]) -> None:
    print("| Promised | Promise given | Kept | Without a human | Right among these |")
    print("|---:|---:|---:|---:|---:|")
    for precision, found in zip(PRECISIONS, zip(*tables, strict=True), strict=True):
        print(_row(precision, found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-calibration",
        description="Count how often a promised precision holds on documents that it was not chosen on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--results", type=Path, metavar="FILE", help="a results.json in place of the small model's answers")
    add("--documents", type=int, default=1200, metavar="N", help="pages for the small model")
    add("--validation", type=int, default=600, metavar="N", help="documents that thresholds are chosen on")
    add("--seeds", type=int, default=20, metavar="N", help="random divisions of the documents, or trainings")
    add("--trained", action="store_true", help="train a model for each seed")
    add("--workers", type=int, default=1, metavar="N", help="trainings at a time")
    add("--folder", type=Path, default=Path("bench-calibration"), help="pages and answers so far")
    return parser


def _answers(folder: Path, documents: int) -> Results:
    """The small model's answers to a question about each page; what is in the folder is not repeated."""
    rows, output = folder / "rows.jsonl", folder / "results.json"
    if not rows.exists():
        _write_pages(folder, rows, documents)
    test_set = load_test_set(str(rows), None, output)
    return evaluate_to_file(output, BUILT_IN_MODEL, None, test_set, 16, 32)


def _write_pages(folder: Path, rows: Path, documents: int) -> None:
    """Pages with values that the model was not trained on, and a question about each."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng, noise = random.Random(0), np.random.default_rng(0)  # noqa: S311 - documents, not secrets
    lines: list[str] = []
    while len(lines) < documents:
        page = make_page(rng.choice(SIZES), rng, test=True)
        for question in after(page, rng, 1):
            name = f"images/{len(lines):05}.png"
            to_image(draw(character_indices([page]), noise)[0]).save(folder / name)
            row = {"image": name, "instruction": question.prompt, "output": question.answer}
            lines.append(json.dumps(row))
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _of_seed(results: Results, validation: int, seed: int) -> tuple[StraightThrough, ...]:
    """What the thresholds of some documents, drawn at random, do on all others."""
    order = np.random.default_rng(seed).permutation(len(results.documents))
    known, new = (_part(results, part) for part in (order[:validation], order[validation:]))
    return straight_through(calibrate(known), new)


def _part(results: Results, indices: npt.NDArray[np.int64]) -> Results:
    documents: tuple[DocumentResult, ...] = tuple(results.documents[index] for index in indices)
    return replace(results, documents=documents)


def _row(precision: float, found: Sequence[StraightThrough]) -> str:
    given = [one for one in found if one.accepted.count]
    kept = sum(one.right.value >= precision for one in given)
    cells = [f"{precision:.0%}", f"{len(given)} of {len(found)}", f"{kept} of {len(given)}"]
    for shares in ([one.accepted.value for one in given], [one.right.value for one in given]):
        cells.append(_spread(shares) if shares else "")
    return f"| {' | '.join(cells)} |"


def _spread(shares: Sequence[float]) -> str:
    """Mean, lowest and highest."""
    return f"{np.mean(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})"


if __name__ == "__main__":
    main()
