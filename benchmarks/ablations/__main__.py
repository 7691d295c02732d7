"""Measures what each feature of the trainer is worth on a small model: `python -m benchmarks.ablations`.

Each cell is a short training and an evaluation, in a process of its own with one thread. Cells whose results
are in the folder or in the repository are not measured again.
"""

import argparse
import multiprocessing
import os
import sys
from functools import partial
from pathlib import Path

from benchmarks.ablations.cells import Cell, cells
from benchmarks.ablations.page import NUM_SEEDS, block, write_page
from benchmarks.ablations.plot import write_plot
from benchmarks.ablations.results import (
    known_results,
    log_file,
    read_results,
    write_recorded,
)
from benchmarks.ablations.run import IMPORTS, measure, prepare, run_cells
from benchmarks.machine import describe_machine
from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_trainer.runtime.environment import set_library_variables
from finscribe_trainer.runtime.progress import progress

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main(arguments: list[str] | None = None) -> None:
    """Measure the missing cells, print the tables, and optionally write the page."""
    parser = _parser()
    options = parser.parse_args(arguments)
    planned = cells(options.seeds, options.only)
    if len(planned) == options.seeds:
        parser.error(f"no row has {options.only!r} in its name")
    folder = options.folder.resolve()
    if options.list:
        known = known_results(folder, describe_machine())
        for cell in planned:
            print(f"{'measured' if cell.id in known.results else 'missing ':8} {cell}")
        return
    failed = _measure(planned, folder, options)
    known = known_results(folder, describe_machine())
    print(block(known))
    if options.write:
        write_recorded(known, cells(NUM_SEEDS))
        write_page(known)
        write_plot(known)
    if failed:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make ablations",
        description="Measure what each feature of the trainer is worth. Run it again to go on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--only", default="", metavar="ROW", help="only rows with this text in their name, and the default")
    add("--seeds", type=int, choices=range(1, NUM_SEEDS + 1), default=NUM_SEEDS, help="seeds of each cell")
    add(
        "--minutes", type=float, default=float("inf"), metavar="N", help="start no cell after so many minutes"
    )
    add("--workers", type=int, default=1, metavar="N", help="cells at a time, each with one thread")
    add("--list", action="store_true", help="list the cells and whether they are measured; measure nothing")
    add("--write", action="store_true", help="also write results.json, docs/ablations.md and its plot")
    add("--folder", type=Path, default=Path("ablations"), help="results so far; logs of failed cells")
    add("--base", default=BUILT_IN_MODEL, help="pretrained base model")
    return parser


def _measure(planned: list[Cell], folder: Path, options: argparse.Namespace) -> int:
    """Measure the missing cells; returns the number of failed ones."""
    os.environ |= ONE_THREAD
    set_library_variables()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([IMPORTS])  # imported once for all cells
    process = context.Process(target=prepare, args=(folder, options.base))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)
    known = known_results(folder, describe_machine())
    missing = [cell for cell in planned if cell.id not in known.results]
    one = partial(measure, folder=folder, base=options.base)
    ended = run_cells(missing, one, context, options.workers, 60 * options.minutes)
    failed = 0
    for cell, code in progress(
        ended, "Ablations", total=len(planned), completed=len(planned) - len(missing), unit="cells"
    ):
        if code:
            failed += 1
            print(f"{cell}: failed with exit code {code}; see {log_file(folder, cell)}", flush=True)
        else:
            result = read_results(folder)[cell.id]
            print(
                f"{cell}: {result.field_accuracy:.1%} of the fields, {result.cpu_seconds:.0f} s", flush=True
            )
    return failed


if __name__ == "__main__":
    main()
