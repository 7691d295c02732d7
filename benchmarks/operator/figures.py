"""What is measured: names, units, and how figures are computed from times and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.operator.bench import OPERATOR, PARTS, Bench
from benchmarks.operator.usage import CLIENT, Usage, memory_mib

Figures = dict[str, float]
"""Values by name, all of which are in `TITLES`."""


@dataclass(frozen=True)
class Title:
    """How a figure is called in tables."""

    text: str
    unit: str = ""


TITLES = {
    "jobs_per_second": Title("Jobs/s"),
    "times_trainer": Title("Jobs/s, divided by Kubeflow Trainer's"),
    "p50_seconds": Title("To the Job, p50", "s"),
    "p95_seconds": Title("p95", "s"),
    "p99_seconds": Title("p99", "s"),
    "cpu_ms_operator": Title("Operator", "ms"),
    "cpu_ms_api_server": Title("API server", "ms"),
    "cpu_ms_etcd": Title("etcd", "ms"),
    "cpu_ms_controller_manager": Title("Controller manager", "ms"),
    "cpu_ms_client": Title("Client", "ms"),
    "cpu_ms_all": Title("All of them", "ms"),
    "cpu_ms_machine": Title("Machine, other programs included", "ms"),
    "memory_mib": Title("Operator's memory", "MiB"),
    "peak_memory_mib": Title("Peak", "MiB"),
    "requests_per_job": Title("Requests of the operator"),
    "writes_per_job": Title("Writes of the operator"),
    "api_requests_per_job": Title("Requests of all"),
    "api_writes_per_job": Title("Writes of all"),
    "writes_per_retry": Title("Writes more for a retry"),
    "restart_cpu_seconds": Title("CPU of a restart", "s"),
    "restart_seconds": Title("Until all is looked at", "s"),
    "status_writes_per_second": Title("Status writes", "/s"),
    "core_percent": Title("Operator", "% of a core"),
    "core_percent_api_server": Title("API server", "% of a core"),
    "get_ms": Title("GET", "ms"),
    "create_ms": Title("Create", "ms"),
    "status_write_ms": Title("Status write", "ms"),
    "object_bytes": Title("Object", "bytes"),
    "empty_get_ms": Title("GET of an empty object without schema", "ms"),
    "empty_create_ms": Title("Create one", "ms"),
    "empty_status_write_ms": Title("Its status write", "ms"),
}


def delays(seconds: Sequence[float]) -> Figures:
    """Percentiles of delays."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50_seconds": cuts[49], "p95_seconds": cuts[94], "p99_seconds": cuts[98]}


def cpu_per_job(used: Usage, jobs: int) -> Figures:
    """CPU time in ms for each job."""
    names = (OPERATOR, *PARTS.values(), CLIENT)
    values = {f"cpu_ms_{name}": used.processes[name] for name in names if name in used.processes}
    values |= {"cpu_ms_all": used.total, "cpu_ms_machine": used.machine}
    return {name: 1000 * value / jobs for name, value in values.items()}


def memory(bench: Bench) -> Figures:
    """Memory of the operator, or of a peer's controllers together."""
    pids = bench.running.pids()
    return {
        "memory_mib": sum(memory_mib(pid) for pid in pids),
        "peak_memory_mib": sum(memory_mib(pid, "VmHWM") for pid in pids),
    }
