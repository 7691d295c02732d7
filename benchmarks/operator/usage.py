"""Reads what processes and the machine have used: CPU time and memory, from /proc."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
CLIENT = "client"
"""This process: it creates the jobs, watches for their Jobs and plays the kubelet."""


@dataclass(frozen=True)
class Usage:
    """CPU time in seconds."""

    processes: Mapping[str, float]
    """By name of the process; those of peers together are `operator`."""
    machine: float
    """All processes of the machine, other programs included."""

    @classmethod
    def read(cls, pids: Mapping[str, list[int]]) -> Self:
        """What these processes, this one and the machine have used so far.

        Args:
            pids: process ids by name.
        """
        used = {name: sum(map(cpu_seconds, each)) for name, each in pids.items()}
        return cls({**used, CLIENT: cpu_seconds(os.getpid())}, _machine_seconds())

    def since(self, before: Self) -> "Usage":
        """What was used in between."""
        used = {name: value - before.processes.get(name, 0.0) for name, value in self.processes.items()}
        return Usage(used, self.machine - before.machine)

    @property
    def total(self) -> float:
        """All processes of the benchmark."""
        return sum(self.processes.values())


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its ended threads included; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Memory of a process in MiB.

    Args:
        pid: process id.
        field: of `/proc/PID/status`; `VmHWM` is the peak.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def _machine_seconds() -> float:
    """Time that all cores have worked: all fields but idle and iowait; guests are part of user and nice."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS
