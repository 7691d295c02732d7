"""Runs one training program in a fresh process and measures time and memory from outside."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.trainer.candidates import Candidate, adapter_of
from benchmarks.trainer.environments import ROOT, python_of
from benchmarks.trainer.settings import Settings

SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class Seconds:
    """Wall time, and CPU time of all threads and data workers together."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Run:
    """One training, from the start of the process to its end."""

    whole: Seconds
    """Including imports, loading and saving."""
    epochs: list[Seconds]
    peak: int
    """Bytes: peak allocated by PyTorch on the GPU; without a GPU, peak resident memory of the process."""
    losses: list[float]
    """Training loss of each step."""
    eval_loss: float
    """Validation loss of the adapter, computed by `evaluate`."""


def measure(candidate: Candidate, settings: Settings, folder: Path, num_threads: int) -> Run:
    """Train once, then evaluate the adapter, which is not timed.

    Args:
        candidate: The training program.
        settings: Model, rows and hyperparameters.
        folder: Empty output folder.
        num_threads: Threads of PyTorch.
    """
    python = str(python_of(candidate.peer)) if candidate.peer else sys.executable
    started = time.time()
    usage = run_program(f"programs.{candidate.program}", [str(folder)], settings, num_threads, python)
    ended = time.time()
    recorded = json.loads((folder / "steps.json").read_text(encoding="utf-8"))
    return Run(
        whole=Seconds(ended - started, usage.ru_utime + usage.ru_stime),
        epochs=_epochs(recorded["times"], settings),
        peak=recorded["gpu_peak"] or usage.ru_maxrss * 1024,
        losses=recorded["losses"],
        eval_loss=_eval_loss(settings, adapter_of(candidate, settings, folder), folder, num_threads),
    )


def run_program(
    module: str, arguments: list[str], settings: Settings, num_threads: int, python: str = sys.executable
) -> resource.struct_rusage:
    """Run `python -m benchmarks.trainer.MODULE SETTINGS ARGUMENTS...`; its output goes to a log.

    Returns:
        Resource usage of the process and its child processes.
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
    """Environment variables: number of threads, and no network access."""
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
    result = folder / "evaluated.json"
    run_program("evaluate", [str(adapter), str(result)], settings, num_threads)
    return float(json.loads(result.read_text(encoding="utf-8"))["eval_loss"])
