"""Runs one side once, in a process of its own, and measures it from outside."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.trainer.environments import ROOT, python_of
from benchmarks.trainer.settings import Settings
from benchmarks.trainer.sides import Side, adapter_of

SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class Seconds:
    """Of the clock, and of the processor, of all threads and data workers together."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Run:
    """One training, from the start of the process to its end."""

    whole: Seconds
    """Imports, loading and saving included."""
    epochs: list[Seconds]
    peak: int
    """Bytes: the most that PyTorch held on the GPU; without one, the most memory of the process."""
    losses: list[float]
    """Of each step."""
    eval_loss: float
    """Of the adapter, in float32, by one program for all."""


def measure(side: Side, settings: Settings, folder: Path, num_threads: int) -> Run:
    """Train; the adapter is evaluated afterwards, which is not timed.

    Args:
        side: who trains.
        settings: on what, and how.
        folder: an empty folder to work in.
        num_threads: threads of PyTorch.
    """
    python = str(python_of(side.peer)) if side.peer else sys.executable
    started = time.time()
    usage = run_program(f"programs.{side.program}", [str(folder)], settings, num_threads, python)
    ended = time.time()
    told = json.loads((folder / "marks.json").read_text(encoding="utf-8"))
    return Run(
        whole=Seconds(ended - started, usage.ru_utime + usage.ru_stime),
        epochs=_epochs(told["times"], settings),
        peak=told["gpu_peak"] or usage.ru_maxrss * 1024,
        losses=told["losses"],
        eval_loss=_eval_loss(settings, adapter_of(side, settings, folder), folder, num_threads),
    )


def run_program(
    module: str, arguments: list[str], settings: Settings, num_threads: int, python: str = sys.executable
) -> resource.struct_rusage:
    """Run `python -m benchmarks.trainer.MODULE SETTINGS ARGUMENTS...`; its output goes to a log.

    Returns:
        what the process and those it has started have used.
    """
    log = settings.folder / f"{module.rsplit('.', 1)[-1]}.log"
    command = [python, "-m", f"benchmarks.trainer.{module}", str(settings.folder / SETTINGS_FILE), *arguments]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | _environment(num_threads), stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
        sys.exit(f"{module} ended with exit code {process.returncode}; the end of {log}:\n{end}")
    return usage


def _environment(num_threads: int) -> dict[str, str]:
    """Threads, and nothing from the network: all is on the disk."""
    threads = {
        name: str(num_threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }
    offline = dict.fromkeys(
        ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "USE_HF"), "1"
    )
    return {**threads, **offline, "TOKENIZERS_PARALLELISM": "false", "WANDB_MODE": "disabled"}


def _epochs(times: list[list[float]], settings: Settings) -> list[Seconds]:
    ends = [times[epoch * settings.steps_per_epoch] for epoch in range(settings.num_epochs + 1)]
    return [Seconds(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(ends)]


def _eval_loss(settings: Settings, adapter: Path, folder: Path, num_threads: int) -> float:
    told = folder / "evaluated.json"
    run_program("evaluate", [str(adapter), str(told)], settings, num_threads)
    return float(json.loads(told.read_text(encoding="utf-8"))["eval_loss"])
