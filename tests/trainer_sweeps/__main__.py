"""`python -m tests.trainer_sweeps`: disturbs real trainings, and counts what they lose."""

import argparse
import sys
import time
from textwrap import fill

from tests.trainer_sweeps import page
from tests.trainer_sweeps.cases import SWEEPS, Sweep
from tests.trainer_sweeps.counts import Counts
from tests.trainer_sweeps.life import Case, Laboratory, laboratory
from tests.trainer_sweeps.page import Row

DESCRIPTION = """\
Disturb a training of nine steps, with rows, model and results in the bucket of a real S3 server, and start
it again until it ends, as its Job would. Afterwards the bucket must have what an undisturbed training
leaves, with an adapter of the same bytes. All counts but that of survivors should be zero.

sweeps:
"""
EPILOG = """\
examples:
  python -m tests.trainer_sweeps                                    all sweeps
  python -m tests.trainer_sweeps --only storage --seed 7            one sweep, with another seed
  python -m tests.trainer_sweeps --only kills --case checkpoint     cases with this text in their name
  python -m tests.trainer_sweeps --write                            also write docs/reliability.md

exit codes: 0 nothing was lost; 1 something was; 2 wrong usage
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the sweeps, print a table, and optionally write it."""
    options = _parser().parse_args(arguments)
    rows = []
    with laboratory(options.seed) as place:
        for sweep in SWEEPS:
            if not options.only or sweep.name in options.only:
                cases = [case for case in sweep.cases if options.case in case.name]
                made = _run(place, sweep, cases)
                if options.write:  # an interrupted run leaves what it has measured
                    page.write(made)
                rows += made
    print("\n".join(["", *page.heading(), *(row.line for row in rows)]))
    if not all(row.counts.survived == row.counts.tried for row in rows):
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    width = max(len(sweep.name) for sweep in SWEEPS)
    indent = " " * (width + 4)
    listed = "\n".join(
        fill(f"  {sweep.name:<{width}}  {sweep.what}", 100, subsequent_indent=indent) for sweep in SWEEPS
    )
    parser = argparse.ArgumentParser(
        prog="python -m tests.trainer_sweeps",
        description=DESCRIPTION + listed,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [sweep.name for sweep in SWEEPS]
    parser.add_argument("--only", action="append", choices=names, help="only this sweep; may be repeated")
    parser.add_argument("--case", default="", metavar="TEXT", help="only cases with this text in their name")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which requests fail (1)")
    parser.add_argument(
        "--write", action="store_true", help="write the rows of these sweeps to docs/reliability.md"
    )
    return parser


def _run(place: Laboratory, sweep: Sweep, cases: list[Case]) -> list[Row]:
    """Run the cases, and print a line for each; a row for each number of processes."""
    rows = []
    for shape in dict.fromkeys(case.shape for case in cases):
        place.undisturbed(shape)
        counts, began = Counts(), time.monotonic()
        chosen = [case for case in cases if case.shape == shape]
        for case in chosen:
            since = time.monotonic()
            print(f"{sweep.name}, {case.name}, {shape} ...", end=" ", flush=True)
            found = place.try_case(case)
            state = "survived" if found.survived else "did not survive"
            seconds = time.monotonic() - since
            print(f"{state}, {found.faults} faults, {found.attempts} attempts, {seconds:.0f} s", flush=True)
            for line in found.evidence:
                print(f"    {line}", flush=True)
            counts.add(found)
        rows.append(Row(sweep.name, str(shape), len(chosen), counts, time.monotonic() - began))
    return rows


if __name__ == "__main__":
    main()
