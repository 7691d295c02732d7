"""Measures how fast the operator starts a burst of jobs: `python -m benchmarks.operator` prints a table.

The operator of this checkout is compared with that of another commit, in turns, each time on a new API server
with its Job controller: everything else is the same. Kubernetes' programs, the operator and the client that
creates the jobs share the machine.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from kubernetes import config

from benchmarks.operator.burst import Burst, measure_burst
from tests.apiserver.installation import CRDS, install_account
from tools.kube.apiserver import running_api_server

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("RESULTS.md")
FEATURES = {
    "retrain": {
        "schedule": {"cron": "0 2 * * *"},
        "onDataChange": {"checkEvery": "1h"},
        "onSpecChange": "Wait",
    }
}
"""Sections of the spec that make the operator look at a job by itself."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="make bench-operator",
        description="Start bursts of jobs with the operator of this checkout and of another commit.",
    )
    parser.add_argument("--jobs", type=int, default=300, help="jobs of a burst (default: 300)")
    parser.add_argument("--repeat", type=int, default=3, help="bursts of each operator (default: 3)")
    parser.add_argument("--baseline", metavar="COMMIT", help="the other commit; none: only this checkout")
    parser.add_argument("--write", action="store_true", help="also write RESULTS.md")
    options = parser.parse_args()
    with _checkout(options.baseline) as other:
        text = _table(_measure(options.jobs, options.repeat, other), options.baseline)
    print(text)
    if options.write:
        RESULTS.write_text(f"# Results of `make bench-operator`\n\n{text}\n", encoding="utf-8")


def _measure(jobs: int, repeat: int, other: Path | None) -> dict[str, list[Burst]]:
    """The bursts by what was measured, in turns."""
    cases: dict[str, tuple[Path, dict[str, Any]]] = {"this checkout": (ROOT, {})}
    if other is not None:
        cases = {"baseline": (other, {}), **cases}
    cases["this checkout, jobs that retrain"] = (ROOT, FEATURES)
    found: dict[str, list[Burst]] = {name: [] for name in cases}
    for turn in range(repeat):
        order = list(cases.items())
        for name, (checkout, spec) in order if turn % 2 == 0 else reversed(order):
            # An API server of its own: the jobs of earlier bursts would be work for the next operator.
            with running_api_server(CRDS) as server:
                api = config.new_client_from_config(str(server.kubeconfig))  # type: ignore[no-untyped-call]
                account = install_account(server)
                found[name].append(measure_burst(server, api, account, checkout, spec, jobs))
            print(f"{name}: {found[name][-1]}", file=sys.stderr, flush=True)
    return found


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


def _table(found: dict[str, list[Burst]], baseline: str | None) -> str:
    rows = [
        "| Operator | Jobs/s | To the Job, p50 | p95 | CPU s | Peak memory, MiB | Requests per job |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, bursts in found.items():
        cells = (
            [burst.jobs_per_second for burst in bursts],
            [burst.p50 for burst in bursts],
            [burst.p95 for burst in bursts],
            [burst.cpu_seconds for burst in bursts],
            [burst.memory_mib for burst in bursts],
            [burst.requests_per_job for burst in bursts],
        )
        rows.append(f"| {name} | {' | '.join(map(_spread, cells))} |")
    rows += ["", f"Median (lowest to highest) of {len(next(iter(found.values())))} bursts, taken in turns."]
    if baseline:
        own, retraining = (
            _ratio(found, name) for name in ("this checkout", "this checkout, jobs that retrain")
        )
        text = f"Jobs/s, divided by those of {baseline[:12]}: {own:.2f}; jobs that retrain: {retraining:.2f}."
        rows.append(text)
    return "\n".join(rows)


def _ratio(found: dict[str, list[Burst]], name: str) -> float:
    medians = {case: median(burst.jobs_per_second for burst in bursts) for case, bursts in found.items()}
    return medians[name] / medians["baseline"]


def _spread(values: list[float]) -> str:
    return f"{median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
