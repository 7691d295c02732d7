"""Runs one FineTuneJob to its end: the operator's controller on a `LocalCluster`, and signals."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from finscribe_core.api.conditions import ConditionType, find_typed
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobStatus, State
from finscribe_core.constants import KIND
from finscribe_core.errors import is_disk_full
from finscribe_operator.attempts import read_result
from finscribe_operator.cluster import ClusterError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.local.cluster import LocalCluster
from finscribe_operator.local.container import Machine, log_file, scratch_directory
from finscribe_operator.local.earlier_runs import delete_runs, reset_failure, with_uid
from finscribe_operator.local.lock import state_directory_full
from finscribe_operator.local.manifest_file import Manifest
from finscribe_operator.local.view import View
from finscribe_operator.objects import Object, run_of
from finscribe_operator.store import Store

PROGRESS_INTERVAL_SECONDS = 1.0
SAME_REQUEST_SECONDS = 1.0
"""Signals within this time count as one: `timeout` and some shells signal a process and then its group."""


@dataclass(frozen=True)
class LocalRun:
    """The job to run, and its directories and environment."""

    manifest: Manifest
    state_dir: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """Environment variables that the trainer inherits."""
    rerun: bool = False
    """Delete earlier runs of this job and train from the start."""


@dataclass(frozen=True)
class LocalResult:
    """How the run ended."""

    status: FineTuneJobStatus
    log: Path | None
    """The last attempt's log."""
    exit_code: int | None
    """The last attempt's exit code; None when there was no attempt or it did not end by itself."""
    trainer_message: str
    """The message of the trainer's last result, such as when it was stopped."""

    @property
    def state(self) -> State:
        """The job's state in one word; one that is not final means that the command was stopped."""
        return self.status.summary.state


class Session:
    """The objects of one run. Use from one event loop only."""

    def __init__(self, run: LocalRun, view: View) -> None:
        self._run = run
        self._view = view
        self._finished = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped_at = 0.0
        self._announced: set[str] = set()
        self._trainer_message = ""
        machine = Machine(run.state_dir.resolve(), run.environment, run.manifest.secrets)
        self._state_dir = machine.state_dir
        self._cluster = LocalCluster(machine, self._on_event)
        config = OperatorConfig(progress_interval_seconds=PROGRESS_INTERVAL_SECONDS)
        self._controller = Controller(self._cluster, Store(), config)

    async def run(self) -> LocalResult:
        """Run to the end, or until a signal; no process is left running.

        Raises:
            RetryableError: DiskFull when the state directory can't be written.
            UserError: a file of the state directory is damaged.
        """
        try:
            job = self._prepare_job()
            with _on_signals(self._stop):
                try:
                    await self._cluster.start()
                    await self._controller.start()
                    self._controller.lead()
                    await self._cluster.apply(self._build_manifest(job))
                    await self._wait()
                finally:
                    try:
                        await self._cluster.shut_down()
                    finally:
                        await self._controller.stop()
        except (ClusterError, OSError) as error:
            if isinstance(error, OSError) and not is_disk_full(error):
                raise
            raise state_directory_full(str(error)) from error
        live = self._cluster.objects.get(KIND, job.metadata.namespace, job.metadata.name)
        assert live is not None
        return self._build_result(FineTuneJobStatus.model_validate(live.get("status", {})))

    async def _wait(self) -> None:
        """Wait until the run has ended or a signal stops it.

        Raises:
            ClusterError: the state directory can't be written.
        """
        waits = [self._finished.wait(), self._stopped.wait(), self._cluster.wait_for_failure()]
        tasks = [asyncio.create_task(wait) for wait in waits]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()

    def _stop(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._stopped.is_set():
            self._stopped_at = now
            self._stopped.set()
            self._view.print_line(
                "Stopping: the trainer saves a checkpoint. Press Ctrl+C again to kill it instead."
            )
        elif now - self._stopped_at > SAME_REQUEST_SECONDS:
            self._view.print_line("[red]Killing the trainer.[/red] Steps after its last checkpoint are lost.")
            self._cluster.kill()

    def _on_event(self, obj: Object, *, deleted: bool = False) -> None:
        self._controller.on_event(obj, deleted=deleted)
        if obj["kind"] == "Pod" and not deleted:
            self._on_pod(obj)
        if obj["kind"] == KIND and not deleted and not self._stopped.is_set():
            self._on_job(obj)

    def _on_pod(self, pod: Object) -> None:
        if result := read_result(pod):
            self._trainer_message = result.message
        name = pod["metadata"]["name"]
        if name not in self._announced:
            self._announced.add(name)
            self._view.print_line(f"Run {run_of(pod)}; the trainer's log: {log_file(self._state_dir, pod)}")

    def _on_job(self, job: Object) -> None:
        status = FineTuneJobStatus.model_validate(job.get("status", {}))
        if status.observed_generation == job["metadata"]["generation"]:
            self._view.update(status)
            if _is_finished(status):
                self._finished.set()

    def _build_manifest(self, job: FineTuneJob) -> Object:
        """The FineTuneJob as the API server would store it: as it was written, without what deletes runs."""
        spec = {name: value for name, value in job.spec.as_written().items() if not name.startswith("ttl")}
        manifest = {**job.to_kubernetes(), "spec": spec}
        del manifest["status"]
        return manifest

    def _prepare_job(self) -> FineTuneJob:
        """The job with its uid; earlier runs are deleted with --rerun, and a failed one is retried."""
        objects, job = self._cluster.objects, self._run.manifest.job
        if self._run.rerun:
            return delete_runs(objects, self._state_dir, job)
        job = with_uid(objects, job)
        if reason := reset_failure(objects, job):
            self._view.print_line(f"The last run failed ({reason}); trying again.")
        return job

    def _build_result(self, status: FineTuneJobStatus) -> LocalResult:
        name = status.run.name if status.run else ""
        if status.summary.state == State.Complete:
            shutil.rmtree(scratch_directory(self._state_dir, name), ignore_errors=True)
        pods = [pod for pod in self._cluster.objects.list("Pod") if run_of(pod) == name]
        if not pods:
            return LocalResult(status, None, None, self._trainer_message)
        statuses = pods[-1]["status"].get("containerStatuses", [])
        code = statuses[0]["state"].get("terminated", {}).get("exitCode") if statuses else None
        return LocalResult(status, log_file(self._state_dir, pods[-1]), code, self._trainer_message)


def _is_finished(status: FineTuneJobStatus) -> bool:
    """Whether the job has reached a state that only a changed spec changes."""
    reconciling = find_typed(status.conditions, ConditionType.Reconciling)
    return reconciling is not None and reconciling.status == "False"


@contextmanager
def _on_signals(handler: Callable[[], None]) -> Iterator[None]:
    """Call the handler on SIGINT, SIGTERM and SIGHUP instead of exiting."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
