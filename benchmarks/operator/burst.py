"""One burst of FineTuneJobs: created by twenty threads, timed until a watch shows the Job of each."""

import os
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

from kubernetes import client, watch
from prometheus_client.parser import text_string_to_metric_families

from finscribe_core.constants import GROUP, LABEL_JOB, PLURAL, VERSION
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import build_job, open_workspace
from tools.kube.apiserver import ApiServer

AT_ONCE = 20
"""Requests that create jobs at the same time."""
TIMEOUT_SECONDS = 300
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Burst:
    """What a burst took."""

    jobs_per_second: float
    """Jobs, divided by the time from the first request to the last Job."""
    p50: float
    """Seconds from the acknowledged creation of a FineTuneJob to its Job, median."""
    p95: float
    """The same, 95th percentile."""
    cpu_seconds: float
    """CPU time of the operator, from before the burst until all statuses are written."""
    memory_mib: float
    """Peak memory of the operator, its start included."""
    requests_per_job: float
    """Requests of the operator to the API server."""


def measure_burst(
    server: ApiServer, api: client.ApiClient, account: Path, checkout: Path, spec: dict[str, Any], jobs: int
) -> Burst:
    """Start the operator of a checkout, create jobs, and wait for their Jobs and statuses.

    Args:
        server: the API server.
        api: a connection of its administrator.
        account: kubeconfig of the operator.
        checkout: the work tree whose operator is started.
        spec: sections of the spec of every job.
        jobs: number of jobs.
    """
    folder = Path(tempfile.mkdtemp(dir=server.folder))
    paths = os.pathsep.join(map(str, (checkout, checkout / "operator/src")))
    operator = OperatorProcess(folder, account, {"log_format": "json"}, env={"PYTHONPATH": paths})
    with open_workspace(server, api) as workspace:
        operator.start()
        try:
            before = _cpu_seconds(operator.pid)
            created, seen = _create(workspace.namespace, api, spec, jobs)
            eventually(lambda: {row[0] for row in workspace.table()} == {"Pending"}, within=TIMEOUT_SECONDS)
            delays = sorted(seen[name] - created[name][1] for name in created)
            cuts = quantiles(delays, n=20)
            return Burst(
                jobs_per_second=jobs / (max(seen.values()) - min(start for start, _ in created.values())),
                p50=cuts[9],
                p95=cuts[18],
                cpu_seconds=_cpu_seconds(operator.pid) - before,
                memory_mib=_peak_memory_mib(operator.pid),
                requests_per_job=_count_requests(operator) / jobs,
            )
        finally:
            operator.stop()


def _create(
    namespace: str, api: client.ApiClient, spec: dict[str, Any], jobs: int
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """When each job was requested and acknowledged, and when its Job was seen, on the monotonic clock."""
    names = [f"job-{number}" for number in range(jobs)]
    seen: dict[str, float] = {}
    watching = threading.Thread(target=_watch_jobs, args=(namespace, api, seen, jobs), daemon=True)
    watching.start()
    custom = client.CustomObjectsApi(api)

    def create(name: str, **options: Any) -> tuple[float, float]:
        job = build_job(name, output={"uri": f"s3://team-models/{name}"}, **spec)
        start = time.monotonic()
        custom.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, job, **options)
        return start, time.monotonic()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The first requests to a new API server take two seconds at times, whatever the operator does.
        list(pool.map(partial(create, dry_run="All"), names[:AT_ONCE]))
        created = dict(zip(names, pool.map(create, names), strict=True))
    watching.join(TIMEOUT_SECONDS)
    assert len(seen) == jobs, f"{len(seen)} of {jobs} Jobs were created in {TIMEOUT_SECONDS} s"
    return created, seen


def _watch_jobs(namespace: str, api: client.ApiClient, seen: dict[str, float], jobs: int) -> None:
    listing = client.BatchV1Api(api).list_namespaced_job
    stream = watch.Watch().stream(  # type: ignore[no-untyped-call]
        listing, namespace, timeout_seconds=TIMEOUT_SECONDS
    )
    for event in stream:
        seen.setdefault(event["object"].metadata.labels[LABEL_JOB], time.monotonic())
        if len(seen) == jobs:
            return


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _count_requests(operator: OperatorProcess) -> float:
    url = f"http://127.0.0.1:{operator.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "finscribe_operator_api_requests_total"
    )
