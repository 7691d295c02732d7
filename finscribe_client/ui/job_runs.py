"""Reads the runs of jobs: of a cluster with the user's own rights, or of `finscribe run` on this machine."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.figures import figures
from finscribe_client.history import losses_of_log
from finscribe_client.jobs import Job, Run
from finscribe_client.pods import Pod
from finscribe_client.reader import Reader
from finscribe_client.ui.run_view import AnswerFiles, Attempt, OtherRun, RunRow, RunView
from finscribe_core.api.v1alpha1 import State
from finscribe_core.errors import FinscribeError
from finscribe_core.settings import flat_settings

if TYPE_CHECKING:
    from finscribe_client.bucket import Result
    from finscribe_client.client import Client

T = TypeVar("T")

_ACTIONS = {
    State.Pending: ("suspend",),
    State.Running: ("suspend",),
    State.Retrying: ("suspend",),
    State.Suspended: ("resume",),
    State.Failed: ("retry", "retrain"),
    State.Complete: ("retrain",),
}
_DONE = "Succeeded"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ON_ANOTHER_MACHINE = (
    "The documents of this run, the settings that it used, and its curves once its pods are gone are in the "
    "bucket, for which this server has no credentials. Your own machine shows them with yours: "
    "finscribe ui --namespace {}"
)


class JobRuns:
    """The jobs of one place.

    Args:
        reader: reads them.
        address: first part of the keys.
        endpoint: URL of the object storage, if it has another one here than the jobs name.
        all_namespaces: whether to show those of all namespaces.
        client: may change them; None to show them only.
        reads_bucket: whether to read results, where the jobs say that they are.
    """

    def __init__(
        self,
        reader: Reader,
        address: str,
        endpoint: str | None = None,
        *,
        all_namespaces: bool = False,
        client: "Client | None" = None,
        reads_bucket: bool = True,
    ) -> None:
        self._reader = reader
        self._endpoint = endpoint
        self._all = all_namespaces
        self._client = client
        self._reads_bucket = reads_bucket
        self._folder = tempfile.TemporaryDirectory(prefix="finscribe-ui-")
        self._read: dict[str, Any] = {}
        self.title = "All namespaces" if all_namespaces else reader.place[:1].upper() + reader.place[1:]
        self.address = address

    def rows(self) -> Sequence[RunRow]:
        """The jobs, by name."""
        return [self._row(job) for job in self._reader.list(all_namespaces=self._all)]

    def view(self, path: str) -> RunView:
        """A run, by namespace, job and, if it is not the current one, its own name.

        Raises:
            ClientError: NotFound, or the cluster can't be read.
        """
        job, run = self._find(path)
        row = self._row(job)
        problems: list[str] = []
        key = self._key(job, None if run and run.is_current else run)
        history: Mapping[str, Any] = {}
        settings: Mapping[str, str] | None = None
        attempts: Sequence[Attempt] = ()
        if run is not None:
            with _noting("The curves", problems):
                history = self._history(job, run)
            with _noting("The settings", problems):
                settings = self._settings(job, run)
            with _noting("The attempts", problems):
                attempts = [_attempt(pod) for pod in self._reader.pods(job, run.name)]
        events: Sequence[Any] = ()
        with _noting("The events", problems):
            events = self._reader.events(job)
        runs = job.runs
        place = next((i for i, one in enumerate(runs) if run and one.name == run.name), len(runs))
        is_current = run is None or run.is_current
        progress = job.status.progress
        has_result = run is not None and run.outputs.uri is not None
        seconds = progress.phase_seconds.model_dump(exclude_none=True) if progress.phase_seconds else {}
        return RunView(
            key=key,
            name=run.name if run else job.name,
            place=f"{job.namespace}/{job.name}",
            state=row.state if is_current else run.outcome if run else row.state,
            explanation=row.explanation if is_current else "",
            is_live=is_current and not job.has_ended,
            percent=row.percent if is_current else None,
            facts=_facts(job, run),
            figures=figures(job, run) if run else {},
            history=history,
            settings=settings,
            before=self._key(job, runs[place + 1]) if place + 1 < len(runs) else None,
            phases=seconds if is_current else {},
            events=events,
            attempts=attempts,
            others=[self._other(job, one, run) for one in runs] if len(runs) > 1 else (),
            answers=self._answers(job, run)
            if run and run.outputs.evaluation and self._reads_bucket
            else None,
            actions=_ACTIONS.get(job.state, ()) if self._client and is_current else (),
            problems=problems,
            note=_ON_ANOTHER_MACHINE.format(job.namespace) if has_result and not self._reads_bucket else "",
        )

    def settings(self, path: str) -> Mapping[str, str] | None:
        """The settings of a run; None where they can't be read."""
        job, run = self._find(path)
        try:
            return self._settings(job, run) if run else None
        except FinscribeError:
            return None

    def change(self, path: str, action: str) -> None:
        """Suspend, resume, retry or retrain the job of a run.

        Raises:
            ClientError: WrongState, AccessDenied, or the change is not possible.
        """
        job, _ = self._find(path)
        if self._client is None or action not in _ACTIONS.get(job.state, ()):
            message = f"{job.name} is {job.state}: {action} is not possible here."
            raise ClientError(ClientReason.WrongState, message)
        getattr(self._client.in_namespace(job.namespace), action)(job.name)

    def _find(self, path: str) -> tuple[Job, Run | None]:
        namespace, name, run_name = (*path.split("/"), "", "")[:3]
        if _NAME.fullmatch(namespace) and _NAME.fullmatch(name):
            job = self._reader.in_namespace(namespace).get(name)
            runs = job.runs
            if not run_name:
                return job, runs[0] if runs else None
            if found := job.find_run(run_name):
                return job, found
        raise ClientError(ClientReason.NotFound, f"There is no job or run {path}.")

    def _key(self, job: Job, run: Run | None) -> str:
        return f"{self.address}/{job.namespace}/{job.name}" + (f"/{run.name}" if run else "")

    def _row(self, job: Job) -> RunRow:
        summary, (reason, message) = job.status.summary, job.explanation
        evaluated = job.status.evaluation
        percent = summary.progress.rstrip("%")
        return RunRow(
            key=self._key(job, None),
            name=job.name,
            state=str(job.state),
            percent=int(percent) if percent.isdecimal() else None,
            loss="" if summary.loss == "-" else summary.loss,
            accuracy=(evaluated.tuned.field_accuracy or "") if evaluated else "",
            started=job.created,
            explanation=": ".join(filter(None, (reason, message))),
            namespace=job.namespace,
        )

    def _other(self, job: Job, one: Run, shown: Run | None) -> OtherRun:
        loss = f", loss {one.metrics.eval_loss}" if one.metrics.eval_loss else ""
        key = self._key(job, None if one.is_current else one)
        return OtherRun(
            key, one.name, one.outcome, f"{one.cause}{loss}", bool(shown and one.name == shown.name)
        )

    def _history(self, job: Job, run: Run) -> Mapping[str, Any]:
        """The losses of the logs; of a run whose pods are gone, those of its result."""
        points = losses_of_log(self._reader, job, run.name)
        if not points and run.outputs.uri and self._reads_bucket:
            return self._once(f"metrics {run.name}", lambda: self._result(job, run).metrics())
        best = job.status.progress.best if run.is_current else None
        base = run.metrics.base_eval_loss
        return {
            "train_history": [{"step": p.step, "loss": p.loss} for p in points],
            "eval_history": [{"step": p.step, "eval_loss": p.eval_loss} for p in points],
            "best_step": best.step if best else None,
            "base_eval_loss": float(base) if base else None,
        }

    def _settings(self, job: Job, run: Run) -> Mapping[str, str] | None:
        """Those that the trainer used, if the result holds them; else those of the current run's spec."""
        if run.outputs.uri and run.outcome == _DONE and self._reads_bucket:
            try:
                folder = Path(self._folder.name)
                read = self._once(f"settings {run.name}", lambda: self._result(job, run).settings(folder))
                return {name: str(value) for name, value in read.items()}
            except FinscribeError:
                if not run.is_current:
                    raise
        return flat_settings(job.raw["spec"]) if run.is_current else None

    def _answers(self, job: Job, run: Run) -> Callable[[], AnswerFiles]:
        def fetch() -> AnswerFiles:
            from finscribe_client.ui.evaluations import fetch_answers  # noqa: PLC0415 - imports numpy

            folder = Path(self._folder.name) / run.name
            result = self._result(job, run)
            return self._once(f"answers {run.name}", lambda: fetch_answers(result, folder))

        return fetch

    def _result(self, job: Job, run: Run) -> "Result":
        from finscribe_client.bucket import Result  # noqa: PLC0415 - imports boto3

        return Result.of(job, run, self._endpoint)

    def _once(self, name: str, read: Callable[[], T]) -> T:
        """What was read before: a result does not change."""
        if name not in self._read:
            self._read[name] = read()
        found: T = self._read[name]
        return found


@contextmanager
def _noting(what: str, problems: list[str]) -> Iterator[None]:
    """Note an error instead of showing no page at all."""
    try:
        yield
    except FinscribeError as error:
        problems.append(f"{what} can't be read: {error}")


def _attempt(pod: Pod) -> Attempt:
    status = pod.raw.get("status", {})
    ended = [one.get("state", {}).get("terminated") or {} for one in status.get("containerStatuses") or []]
    details = [f"{one.get('reason', '')}, exit code {one.get('exitCode')}" for one in ended if one]
    detail = pod.waits_for or "; ".join(details) or str(status.get("reason") or "")
    node = pod.raw.get("spec", {}).get("nodeName")
    return Attempt(
        pod.name, str(status.get("phase", "")), pod.created, ", ".join(filter(None, (detail, node)))
    )


def _facts(job: Job, run: Run | None) -> dict[str, str]:
    spec = job.raw["spec"]
    known: dict[str, str | None] = {
        "Model": str(spec.get("model", {}).get("source", "")),
        "Training data": str(spec.get("dataset", {}).get("train", "")),
    }
    if run is not None:
        known |= {
            "Started": run.start_time,
            "Ended": run.completion_time,
            "Cause": str(run.cause),
            "Result": run.outputs.uri,
        }
        if run.evaluation and run.evaluation.gate:
            known["Gate"] = run.evaluation.gate.message
    if run is not None and run.is_current and (status := job.status.run):
        known |= {"Resumed from": status.resumed_from, "Note": status.under_training}
    return {name: value for name, value in known.items() if value}
