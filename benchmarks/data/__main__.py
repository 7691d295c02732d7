"""Measures how fast data is generated, validated and scored: `python -m benchmarks.data` prints a table.

Each measurement is a fresh process on one core. The cases are interleaved, so that a slow minute affects all
of them. Rates are per second of CPU time, which other programs on the machine disturb least.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from statistics import median

import psutil

from benchmarks.data.cases import CASES, Case
from finscribe_trainer.runtime.progress import progress

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("RESULTS.md")
TOLERANCE = 1e-9
"""Allowed difference between scores of the same tables: floating-point sums in different order."""


@dataclass(frozen=True)
class Run:
    """One measurement."""

    rate: float
    """Units of work per second of CPU time."""
    peak_mib: float
    scores: list[float]


def main() -> None:
    """Measure all cases, compare the scores, print the table."""
    parser = argparse.ArgumentParser(
        prog="make bench-data",
        description="Measure how fast data is generated, validated and scored, and print a table.",
    )
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="measurements of each case (5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only groups with this text in their name")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS.relative_to(ROOT)}")
    options = parser.parse_args()
    numbered = [(number, case) for number, case in enumerate(CASES) if options.only in case.group]
    if not numbered:
        parser.error(f"no group has {options.only!r} in its name")
    runs: dict[Case, list[Run]] = defaultdict(list)
    turns = [pair for _ in range(options.repeat) for pair in numbered]
    for number, case in progress(turns, "Benchmark", unit="runs"):
        runs[case].append(_measure(number, case))
    _assert_equal_scores(runs)
    table = "\n".join(_table(runs, options.repeat))
    print(table)
    if options.write:
        RESULTS.write_text(f"# Results of `make bench-data`\n\n{table}\n", encoding="utf-8")


def _measure(number: int, case: Case) -> Run:
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.data.one", str(number)],
        cwd=ROOT,
        env=os.environ | one_thread,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{case.group}, {case.name} ended with exit code {done.returncode}:\n{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    return Run(case.items / result["seconds"], result["peak_mib"], result["scores"])


def _assert_equal_scores(runs: dict[Case, list[Run]]) -> None:
    for group, cases in groupby(runs, key=lambda case: case.group):
        first, *others = [run.scores for case in cases for run in runs[case]]
        for scores in others:
            if any(abs(a - b) > TOLERANCE for a, b in zip(first, scores, strict=True)):
                sys.exit(f"{group}: the scores differ")


def _table(runs: dict[Case, list[Run]], repeat: int) -> list[str]:
    lines = [
        f"{os.cpu_count()} CPU cores of {platform.machine()}, one of them used; "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB; Python {platform.python_version()}; "
        f"{datetime.now(UTC):%Y-%m-%d}; {_versions()}. "
        f"Fresh processes per line: {repeat}, interleaved; median (minimum - maximum). "
        "The scores of the same tables are equal.",
        "",
        "| Work | By | Per second of CPU | Faster than the next by | Peak memory |",
        "|---|---|---|---|---|",
    ]
    rates = {case: median(run.rate for run in done) for case, done in runs.items()}
    for case, done in runs.items():
        others = [rates[other] for other in runs if other.group == case.group and other != case]
        ratio = f"{rates[case] / max(others):.1f} x" if others and rates[case] > max(others) else ""
        spread = f"{_short(min(run.rate for run in done))} - {_short(max(run.rate for run in done))}"
        peak = max(run.peak_mib for run in done)
        rate = f"{_short(rates[case])} {case.unit} ({spread})"
        lines.append(f"| {case.group} | {case.name} | {rate} | {ratio} | {peak:.0f} MiB |")
    return lines


def _versions() -> str:
    return ", ".join(
        f"{name} {version(name)}" for name in ("docling-metrics-table", "table-recognition-metric")
    )


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


if __name__ == "__main__":
    main()
