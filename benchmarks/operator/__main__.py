"""Measures how fast the operator is and what it costs: `python -m benchmarks.operator` prints tables.

Each scenario has an API server of its own, with its Job controller. Kubernetes' programs, the operator and
this client share the machine. Exits with 1 if a figure is outside its range (`ranges.yaml`).
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.operator.candidates import OURS, Candidate, finscribe, jobset, kubeflow_trainer
from benchmarks.operator.results import Result, read_results, tables, verdicts, write_results
from benchmarks.operator.scenarios.catalogue import SCENARIOS, Scenario
from tools.kube.catalogue import KUBERNETES_VERSION, TOOLS

ROOT = Path(__file__).parents[2]
PEERS = {"trainer": kubeflow_trainer, "jobset": jobset}


def main() -> None:
    """Measure, print the tables, and compare with the ranges."""
    options = _parser().parse_args()
    names = [name for name in SCENARIOS if name in options.only] if options.only else list(SCENARIOS)
    peers = [PEERS[name]() for name in PEERS if name in options.peers]
    results = read_results() if options.write else {}
    measured = {}
    with _checkout(options.baseline) as other:
        baseline = [] if other is None else [finscribe("baseline", other)]
        for name in names:
            scenario = SCENARIOS[name]
            candidates = [finscribe(), *(baseline + peers if scenario.with_peers else [])]
            jobs = min(scenario.jobs, options.jobs or scenario.jobs)
            measured[name] = results[name] = _measure(scenario, candidates, jobs, options.rounds)
            if options.write:
                write_results(results)
    print("\n".join(tables(measured)))
    outside = [each for each in verdicts(measured) if each.is_outside]
    for each in outside:
        print(
            f"outside: {each.range.scenario} {each.range.figure} is {each.value:.3g}, {each.range.text}",
            file=sys.stderr,
        )
    sys.exit(1 if outside else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-operator",
        description="Measure how fast the operator is and what it costs, and compare it with others.",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=list(SCENARIOS),
        metavar="SCENARIO",
        help="only these scenarios",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="at most this many jobs in each scenario")
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="of scenarios with peers (default: 3)"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        default=[],
        choices=list(PEERS),
        help="also measure these, in turns; they are built once, which takes minutes",
    )
    parser.add_argument(
        "--baseline", metavar="COMMIT", help="also measure the operator of this commit, in turns"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep each scenario's result as it ends, and write the pages"
    )
    return parser


def _measure(scenario: Scenario, candidates: Sequence[Candidate], jobs: int, rounds: int) -> Result:
    """The scenario with each candidate, in turns; those that fail are left out, and named."""
    result = Result(jobs, _describe_machine())
    for turn in range(rounds if scenario.with_peers else 1):
        for candidate in candidates if turn % 2 == 0 else reversed(candidates):
            try:
                figures = asyncio.run(scenario.measure(candidate, jobs))
            except (TimeoutError, AssertionError) as error:
                if candidate.name == OURS:
                    raise
                result.note = f"{candidate.name} failed: {error!r}."
                continue
            result.figures.setdefault(candidate.name, []).append(figures)
            shown = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
            print(f"{scenario.name}, {candidate.name}: {shown}", file=sys.stderr, flush=True)
    _compare(result)
    return result


def _compare(result: Result) -> None:
    """Add how many times Kubeflow Trainer's jobs per second these are."""
    theirs = result.value("Kubeflow Trainer", "jobs_per_second")
    if theirs:
        for figures in result.figures[OURS]:
            figures["times_trainer"] = figures["jobs_per_second"] / theirs


def _describe_machine() -> str:
    peers = ", ".join(f"{name} {TOOLS[tool].version}" for name, tool in _PEER_TOOLS.items())
    return (
        f"{os.cpu_count()} CPU cores of {platform.machine()}, Kubernetes {KUBERNETES_VERSION}, {peers}, "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}; "
        f"load at the start: {os.getloadavg()[0]:.1f}."
    )


_PEER_TOOLS = {"Kubeflow Trainer": "trainer-controller-manager", "JobSet": "jobset"}


@contextmanager
def _checkout(commit: str | None) -> Iterator[Path | None]:
    """A work tree of the commit."""
    if commit is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="finscribe-bench-") as folder:
        path = Path(folder) / "baseline"
        _git("worktree", "add", "--detach", str(path), commit)
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)  # noqa: S607 - the one on the PATH


if __name__ == "__main__":
    main()
