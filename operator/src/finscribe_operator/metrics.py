"""Defines the operator's Prometheus metrics."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import ValidationError

from finscribe_core.api.conditions import ConditionType, Reason, find_true
from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunStatus, State
from finscribe_core.errors import FailureReason
from finscribe_core.report import EvaluationReport, Phase
from finscribe_operator.clock import seconds_between
from finscribe_operator.leadership import Leadership
from finscribe_operator.objects import JobKey, Object, find_condition
from finscribe_operator.store import Store
from finscribe_operator.watches import Watches

_JOB = ("namespace", "finetunejob")
_ENDED = (State.Complete, State.Failed)
_WAITING = (
    *(Reason.Pending, Reason.Queued, Reason.QuotaReserved, Reason.Requeued, Reason.Deactivated),
    *(Reason.GpuLimitReached, Reason.PolicyUnknown, Reason.PodCreationFailed, Reason.Unschedulable),
    *(Reason.ContainerCreating, Reason.ContainerCannotStart, Reason.Retrying, Reason.Stopping),
)
"""What a run can wait for: reasons of a condition Running that is False."""
_OTHER = "Other"
_START_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(
        self, store: Store, watches: Watches | None = None, leadership: Leadership | None = None
    ) -> None:
        leadership = leadership or Leadership.permanent()
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "finscribe_operator_reconcile",
            "Reconciliations, by result: success, retry (a transient error) or error (a defect).",
            ["result"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "finscribe_operator_reconcile_duration_seconds",
            "Duration of a reconciliation, API requests included.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "finscribe_operator_queue_depth", "FineTuneJobs waiting to be reconciled.", registry=self.registry
        )
        self.api_requests = Counter(
            "finscribe_operator_api_requests",
            "Requests to the API server, by verb, kind and HTTP status (0: no response).",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self.runs_started = Counter(
            "finscribe_runs_started",
            "Jobs created for runs, by the cause of the run.",
            ["cause"],
            registry=self.registry,
        )
        for cause in RunCause:
            self.runs_started.labels(cause)
        self.runs_finished = Counter(
            "finscribe_runs_finished",
            "Runs that ended, by outcome and, when failed, by reason (Other: one of another version).",
            ["outcome", "reason"],
            registry=self.registry,
        )
        # From 0 on, so that `increase` counts the first one, too.
        for outcome, reason in [("Succeeded", ""), *(("Failed", reason) for reason in FailureReason)]:
            self.runs_finished.labels(outcome, reason)
        self.start_seconds = Histogram(
            "finscribe_run_start_duration_seconds",
            "Time from the start of a run's Job to that of its trainer, in its first attempt.",
            buckets=_START_SECONDS,
            registry=self.registry,
        )
        self.namespace_unavailable = Gauge(
            "finscribe_operator_namespace_unavailable",
            "1 for a namespace of the operator's configuration that could not be listed the last time.",
            ["namespace"],
            registry=self.registry,
        )
        self.last_resync = Gauge(
            "finscribe_operator_last_resync_timestamp_seconds",
            "Unix time of the last listing of everything that succeeded; 0 before the first one.",
            registry=self.registry,
        )
        self.rebuilds = Counter(
            "finscribe_operator_cache_rebuilds",
            "Times that the API server's state was older than before, as after a restored backup.",
            registry=self.registry,
        )
        self.registry.register(_StoreMetrics(store, leadership))
        self.registry.register(_WatchMetrics(watches or Watches()))
        self.registry.register(_LeaderMetrics(leadership))

    def count_changes(self, old: FineTuneJobStatus, new: FineTuneJobStatus) -> None:
        """Count the runs that a change of status ended, and how long one took to start."""
        self._count_start(old, new)
        known = {record.name for record in old.runs}
        if old.run is not None and old.run.completion_time:
            known.add(old.run.name)
        for record in new.runs:
            if record.name not in known:
                self.runs_finished.labels(record.outcome, _bounded(record.reason)).inc()
        if new.run is None or not new.run.completion_time or new.run.name in known:
            return
        failed = find_true(new.conditions, ConditionType.Failed)
        outcome, reason = ("Failed", failed.reason) if failed else ("Succeeded", "")
        self.runs_finished.labels(outcome, _bounded(reason)).inc()

    def _count_start(self, old: FineTuneJobStatus, new: FineTuneJobStatus) -> None:
        """Measure the first start of a run's trainer: later ones are those of other attempts."""
        running = find_true(new.conditions, ConditionType.Running)
        # A new job has no condition before; Unknown is that of a trainer which has started.
        has_started = any(c.type == ConditionType.Running and c.status != "False" for c in old.conditions)
        if running is None or has_started or new.run is None or new.run.attempts > 1:
            return
        if new.run.start_time:
            seconds = seconds_between(new.run.start_time, running.last_transition_time)
            self.start_seconds.observe(max(0.0, seconds))


def _bounded(reason: str) -> str:
    """The reason as a label: one that a pod made up would add a time series."""
    return reason if not reason or reason in set(FailureReason) else _OTHER


class _StoreMetrics(Collector):
    """Reads the store when scraped, so that the metrics can't drift from it. Replicas that stand by say
    nothing about jobs, so that sums over all replicas are right.
    """

    def __init__(self, store: Store, leadership: Leadership) -> None:
        self._store = store
        self._leadership = leadership

    def collect(self) -> Iterator[Metric]:
        """FineTuneJobs in each state and those that were refused; of each job its state and its run."""
        statuses = list(self._store.statuses()) if self._leadership.is_held else []
        states = {key: _state(status) for key, status in statuses}
        yield self._tally(states)
        yield self._waiting(status for _, status in statuses)
        yield CounterMetricFamily(
            "finscribe_operator_objects_refused",
            "FineTuneJobs that were refused when they were read: too large, or nested too deeply.",
            value=self._store.refused,
        )
        active = GaugeMetricFamily(
            "finscribe_finetunejob_state",
            "1 for the state of a FineTuneJob that has not ended.",
            labels=[*_JOB, "state"],
        )
        for key, state in states.items():
            if state not in _ENDED:
                active.add_metric([*key, state], 1)
        yield active
        yield from _runs(statuses)

    def _tally(self, states: Mapping[JobKey, str]) -> Metric:
        tally = Tally(states.values())
        family = GaugeMetricFamily("finscribe_finetunejobs", "FineTuneJobs by state.", labels=["state"])
        for state in State if self._leadership.is_held else ():
            family.add_metric([state], tally[state])
        return family

    def _waiting(self, statuses: Iterable[Object]) -> Metric:
        """From 0 on, so that a reason that ends is seen to end."""
        tally = Tally(_waits_for(status) for status in statuses)
        family = GaugeMetricFamily(
            "finscribe_finetunejobs_waiting",
            "FineTuneJobs whose run waits, by what it waits for: the reason of the condition Running.",
            labels=["reason"],
        )
        for reason in _WAITING if self._leadership.is_held else ():
            family.add_metric([reason], tally[reason])
        return family


def _waits_for(status: Object) -> str:
    """The reason of the condition Running while it is False; that of an ended run is none of `_WAITING`."""
    running = find_condition({"status": status}, ConditionType.Running) or {}
    return str(running.get("reason", "")) if running.get("status") == "False" else ""


def _state(status: Object) -> str:
    summary = status.get("summary")
    return str(summary.get("state", State.Pending)) if isinstance(summary, dict) else State.Pending


def _runs(statuses: Iterable[tuple[JobKey, Object]]) -> Iterator[Metric]:
    """What the current or last run of each job has cost, and whether it passed its gate."""
    labels = [*_JOB, "run"]
    attempts = GaugeMetricFamily(
        "finscribe_run_attempts", "Attempts of the job's current or last run so far.", labels=labels
    )
    goodput = GaugeMetricFamily(
        "finscribe_run_goodput_ratio",
        "Share of the pods' time in which that run took the steps that it keeps.",
        labels=labels,
    )
    gate = GaugeMetricFamily(
        "finscribe_run_gate_passed", "1 if that run passed its gate, 0 if it did not.", labels=labels
    )
    gpu_seconds = GaugeMetricFamily(
        "finscribe_run_gpu_seconds",
        "GPU seconds of that run in all attempts, by the trainer's phase (Other: no trainer reported one).",
        labels=[*labels, "phase"],
    )
    evaluation = GaugeMetricFamily(
        "finscribe_run_evaluation_ratio",
        "Metrics of that run's comparison, of the base and the tuned model.",
        labels=[*labels, "model", "metric"],
    )
    for key, status in statuses:
        known = status.get("run")
        if not isinstance(known, dict):
            continue
        needed = {
            name: known[name] for name in ("name", "attempts", "goodput", "gpuSeconds") if name in known
        }
        try:
            run = RunStatus.model_validate(needed)
            report = EvaluationReport.model_validate(status.get("evaluation") or {})
        except ValidationError:  # another program wrote it
            continue
        attempts.add_metric([*key, run.name], run.attempts)
        if run.goodput.ratio is not None:
            goodput.add_metric([*key, run.name], float(run.goodput.ratio))
        promoted = find_condition({"status": status}, ConditionType.Promoted)
        if promoted and promoted.get("reason") in (Reason.GatePassed, Reason.GateFailed):
            gate.add_metric([*key, run.name], promoted["reason"] == Reason.GatePassed)
        for phase, seconds in _gpu_seconds(run).items():
            gpu_seconds.add_metric([*key, run.name, phase], seconds)
        for model, metrics in (("base", report.base), ("tuned", report.tuned)):
            for metric, value in metrics.model_dump(exclude_none=True).items():
                evaluation.add_metric([*key, run.name, model, metric], float(value))
    yield from (attempts, goodput, gate, gpu_seconds, evaluation)


def _gpu_seconds(run: RunStatus) -> dict[str, int]:
    """GPU seconds by phase; together they are the total, unless a report was newer than it."""
    phases = {phase: getattr(run.gpu_seconds, phase.lower()) for phase in Phase}
    known = {str(phase): seconds for phase, seconds in phases.items() if seconds is not None}
    return {**known, _OTHER: max(0, run.gpu_seconds.total - sum(known.values()))}


class _WatchMetrics(Collector):
    """Computes the ages of the watch streams when scraped."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    def collect(self) -> Iterator[Metric]:
        """Seconds since each watch stream last delivered something."""
        family = GaugeMetricFamily(
            "finscribe_operator_watch_age_seconds",
            "Time since a watch stream last delivered an event or a bookmark; up to some minutes.",
            labels=["resource", "namespace"],
        )
        for key, age in self._watches.ages():
            family.add_metric([key.resource, key.namespace], age)
        yield family


class _LeaderMetrics(Collector):
    """Reads when scraped whether this replica leads."""

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership

    def collect(self) -> Iterator[Metric]:
        """Whether it leads, and how often it began to."""
        yield GaugeMetricFamily(
            "finscribe_operator_leader",
            "1 for the replica that works, 0 for one that stands by.",
            value=self._leadership.is_held,
        )
        yield CounterMetricFamily(
            "finscribe_operator_leader_transitions",
            "Times that this replica began to work.",
            value=self._leadership.transitions,
        )
