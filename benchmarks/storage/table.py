"""Writes the measurements as Markdown tables."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.storage.faults import READ_TIMEOUT, SIZE, Outcome
from benchmarks.storage.processes import AWSCRT, Measured
from tools.kube.catalogue import TOOLS

_NAMES = {"finscribe": "FinScribe", "boto3": "boto3", "crt": "boto3, CRT"}


def heading() -> list[str]:
    """The measured packages and the machine."""
    server = TOOLS["versitygw"]
    return [
        "# S3 transfers",
        "",
        "Written by `make bench-storage`; how it is measured: "
        "[docs/benchmarks.md](../../docs/benchmarks.md#storage).",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Machine: {_cpu()}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}",
        f"- Python {platform.python_version()}",
        f"- Server: {server.name} {server.version} on the same machine, without TLS",
        f"- Libraries: boto3 {version('boto3')}, s3transfer {version('s3transfer')}, {AWSCRT}",
    ]


def speed_table(speeds: Mapping[tuple[str, str], Mapping[str, Sequence[Measured]]]) -> list[str]:
    """Undisturbed transfers: median (minimum to maximum)."""
    lines = [
        "## Undisturbed",
        "",
        "Median (least to most) of the rounds. CPU and memory are the client's; memory is the peak of the",
        "resident set less its size before the transfer.",
        "",
        "| Transfer | Client | Rounds | Wall, s | CPU, s | Memory, MiB | CPU beside FinScribe |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for (direction, case), by_client in speeds.items():
        ours = by_client["finscribe"]
        for client, runs in by_client.items():
            cells = [
                f"{direction}, {case}",
                _NAMES[client],
                str(len(runs)),
                _spread(runs, lambda run: run.seconds),
                _spread(runs, lambda run: run.cpu_seconds),
                _spread(runs, lambda run: run.peak_mib, digits=0),
                f"{median(a.cpu_seconds / b.cpu_seconds for a, b in zip(runs, ours, strict=True)):.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def fault_table(faults: Mapping[str, Mapping[str, Sequence[Outcome]]]) -> list[str]:
    """Disturbed transfers: median seconds and MiB, and every result that occurred."""
    lines = [
        "## Disturbed",
        "",
        f"One file of {SIZE >> 20} MiB through a proxy that fails on command. The read timeout is "
        f"{READ_TIMEOUT:.0f} s (30 s in a run), and a",
        "request is attempted 6 times at most. Seconds include the start of Python, about 1 s;",
        "for SIGTERM they count from the signal to the end of the process. *MiB again* is what was moved",
        "beyond the file's size, by all processes together. Medians.",
        "",
        "| Case | Client | Seconds | MiB again | Result |",
        "|---|---|--:|--:|---|",
    ]
    for case, by_client in faults.items():
        for client, outcomes in by_client.items():
            again = [outcome.mib_again for outcome in outcomes if outcome.mib_again is not None]
            results = list(dict.fromkeys(outcome.result for outcome in outcomes))
            cells = [
                case,
                _NAMES[client],
                f"{median(outcome.seconds for outcome in outcomes):.1f}",
                f"{median(again):.1f}" if again else "",
                " / ".join(results).replace("|", "\\|"),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _spread(runs: Sequence[Measured], field: Callable[[Measured], float], digits: int = 1) -> str:
    values = [field(run) for run in runs]
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
