"""`python -m tests.sweeps`: disturbs a real operator on a real API server, and counts what it loses."""

import argparse
import sys
import time
from dataclasses import replace
from random import Random
from textwrap import fill

from tests.sweeps import page
from tests.sweeps.catalogue import SWEEPS, Sweep
from tests.sweeps.counts import Counts
from tests.sweeps.environment import LONG, Environment, running_environment
from tests.sweeps.page import Row

DESCRIPTION = """\
Disturb a real operator on a real API server (etcd, kube-apiserver, kube-controller-manager), in
namespaces full of jobs, and count the jobs that are lost, doubled, stuck, or that lose their result or
their Event. A fake kubelet runs the pods. It, the user's changes and the counting connect to the API
server directly; only the operator is disturbed. All counts but that of survivors should be zero.

sweeps:
"""
EPILOG = """\
A job is
  lost       if no Job was ever created for it, or its pod has ended and its run never does;
  doubled    if more Jobs were created than its spec asked for, by the API server's audit log;
  stuck      if it is not in the expected state 3 minutes after the end of the disturbance.
A result is lost if the status of a complete job lacks the metrics or outputs that its pod reported;
an Event, if the job has ended without the one that says so. Writes at rest are status writes while
nothing happens. Each problem is printed with its evidence. Of six jobs of a burst one is only trained;
the others fail once, fail, are suspended, or get other training settings or more memory.

examples:
  python -m tests.sweeps                                        all sweeps: 20 minutes on 2 idle cores
  python -m tests.sweeps --only requests --seed 7 8 --jobs 20   one sweep, with other seeds
  python -m tests.sweeps --only kills --only hands              two sweeps
  python -m tests.sweeps --write                                also write docs/reliability.md

exit codes: 0 nothing was lost; 1 something was; 2 wrong usage
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the sweeps, print a table, and optionally write it."""
    options = _parser().parse_args(arguments)
    scale = replace(LONG, jobs=options.jobs)
    chosen = [sweep for sweep in SWEEPS if not options.only or sweep.name in options.only]
    rows = []
    with running_environment(scale) as environment:
        for number, sweep in enumerate(chosen, start=1):
            seeds = tuple(options.seed or range(1, sweep.num_seeds + 1))
            made = _run(environment, sweep, seeds, f"[{number}/{len(chosen)}]")
            if options.write:  # an interrupted run leaves what it has measured
                page.write(made)
            rows += made
    print("\n".join(["", *page.heading(), *(row.line for row in rows)]))
    if not all(row.counts.is_clean for row in rows):
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    width = max(len(sweep.name) for sweep in SWEEPS)
    indent = " " * (width + 4)
    listed = "\n".join(
        fill(f"  {sweep.name:<{width}}  {sweep.what}", 100, subsequent_indent=indent) for sweep in SWEEPS
    )
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweeps",
        description=DESCRIPTION + listed,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=_positive, default=LONG.jobs, metavar="N", help="jobs in a burst (50)")
    parser.add_argument(
        "--seed",
        type=int,
        nargs="+",
        metavar="N",
        help="run every sweep once with each of these (1; requests: 1 2 3)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[sweep.name for sweep in SWEEPS],
        metavar="NAME",
        help="only this sweep; may be repeated",
    )
    parser.add_argument(
        "--write", action="store_true", help="write the rows of these sweeps to docs/reliability.md"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _run(environment: Environment, sweep: Sweep, seeds: tuple[int, ...], progress: str) -> list[Row]:
    """Run all cases of a sweep with each seed, and print a line for each."""
    rows = []
    for case, run in sweep.cases.items():
        counts, began = Counts(), time.monotonic()
        for seed in seeds:
            environment.rng = Random(f"{sweep.name} {case} {seed}")
            since = time.monotonic()
            print(f"{progress} {sweep.name}, {case}, seed {seed} ...", end=" ", flush=True)
            found = run(environment)
            print(f"{found.survived} of {found.tried} survived, {time.monotonic() - since:.0f} s", flush=True)
            for line in found.evidence:
                print(f"    {line}", flush=True)
            counts.add(found)
        rows.append(Row(sweep.name, case, seeds, counts, time.monotonic() - began))
    return rows


if __name__ == "__main__":
    main()
