"""Keeps a run's current progress and metrics for /progress, Prometheus and the termination message."""

import os
import threading
import time
from collections.abc import Callable

from finscribe_core.constants import ENV_CAUSE, ENV_JOB, ENV_RUN
from finscribe_core.report import (
    DatasetState,
    Metrics,
    Phase,
    Progress,
    ProgressReport,
    RunResult,
    format_metric,
)
from finscribe_trainer.reporting.metrics import RunMetrics
from finscribe_trainer.reporting.speed import SpeedMeter
from finscribe_trainer.reporting.termination import write_termination
from finscribe_trainer.reporting.watchdog import Watchdog


class RunReporter:
    """Holds a run's reported progress and metrics; every method may be called from any thread.

    Also a `TransferObserver`: give it to `Storage.from_config(observer=...)`.

    Args:
        run: the run's name; from the environment when unset.
        job: the FineTuneJob's name; from the environment when unset.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self, run: str | None = None, job: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = os.environ.get(ENV_RUN, "") if run is None else run
        job = os.environ.get(ENV_JOB, "") if job is None else job
        self.prometheus = RunMetrics(job, self._run, os.environ.get(ENV_CAUSE, ""))
        self._lock = threading.RLock()
        self._speed = SpeedMeter(clock)
        self._progress = Progress()
        self._metrics = Metrics()
        self._dataset: DatasetState | None = None
        self._initial_adapter: str | None = None
        self._watchdog = Watchdog(clock)

    def set_run_info(self, model: str, method: str) -> None:
        """Set base model and method, the labels of the metric finscribe_run_info."""
        self.prometheus.set_info(model, method)

    def set_phase(self, phase: Phase) -> None:
        """Report the phase the run is in; only time in Training counts for seconds per step and ETA."""
        self.set_activity(None)
        with self._lock:
            if phase is Phase.Training:
                self._speed.start()
            else:
                self._speed.pause()
            self._progress = self._progress.model_copy(update={"phase": phase})
            self.prometheus.set_phase(phase)

    def record_step(self, step: int, total: int, epoch: float) -> None:
        """Report that optimizer step `step` of `total` is complete.

        The first call only sets where counting starts: call it with the step resumed from (or 0) when
        training starts.
        """
        with self._lock:
            seconds = self._speed.step(step)
            update = {
                "step": step,
                "total_steps": total,
                "epoch": round(epoch, 4),
                "percent": max(0, min(100, 100 * step // total)) if total else 0,
                "eta_seconds": self._speed.seconds_for(max(0, total - step)),
            }
            self._progress = self._progress.model_copy(update=update)
        metrics = self.prometheus
        metrics.set(metrics.step, step)
        metrics.set(metrics.planned_steps, total)
        metrics.set(metrics.epoch, epoch)
        if seconds is not None:
            metrics.step_duration.observe(seconds)

    def record_metrics(self, *, tokens: int = 0, samples: int = 0, **values: float | None) -> None:
        """Report new values of metrics; those that are not passed, or None, keep their value.

        Args:
            tokens: tokens trained on since the last call.
            samples: rows trained on since the last call.
            values: `train_loss`, `eval_loss`, `best_eval_loss`, `base_eval_loss`, `learning_rate` and the
                other fields of `Metrics`.

        Raises:
            TypeError: an unknown metric.
        """
        unknown = set(values) - set(Metrics.model_fields)
        if unknown:
            raise TypeError(f"no such metrics: {', '.join(sorted(unknown))}")
        known = {name: float(value) for name, value in values.items() if value is not None}
        with self._lock:
            update = {name: format_metric(value) for name, value in known.items()}
            self._metrics = self._metrics.model_copy(update=update)
        for name, value in known.items():
            self.prometheus.set(getattr(self.prometheus, name), value)
        self.prometheus.tokens.inc(tokens)
        self.prometheus.samples.inc(samples)

    def set_dataset(self, state: DatasetState) -> None:
        """Report the state of the data that the run trains on."""
        with self._lock:
            self._dataset = state

    def set_initial_adapter(self, location: str | None) -> None:
        """Report the adapter that the training started from; None for the base model."""
        with self._lock:
            self._initial_adapter = location

    def transferred(self, direction: str, num_bytes: int) -> None:
        """Count bytes transferred from or to the object storage."""
        self.prometheus.transferred(direction, num_bytes)

    def retried(self) -> None:
        """Count a storage request that was retried."""
        self.prometheus.retried.inc()

    def record_feature_cache(self, hits: int, misses: int, num_bytes: int) -> None:
        """Count feature cache hits and misses, in pages, and set the cache's size."""
        metrics = self.prometheus
        metrics.feature_cache_hits.inc(hits)
        metrics.feature_cache_misses.inc(misses)
        metrics.set(metrics.feature_cache_size, num_bytes)

    def snapshot(self) -> ProgressReport:
        """The current progress and metrics, as `/progress` serves them."""
        with self._lock:
            return ProgressReport(
                run=self._run,
                progress=self._progress,
                metrics=self._metrics,
                dataset=self._dataset,
                initial_adapter=self._initial_adapter,
            )

    def set_step_timeout(self, seconds: float) -> None:
        """Set after how long an activity (see `set_activity`) counts as hung."""
        self._watchdog.timeout = seconds

    def set_activity(self, activity: str | None) -> None:
        """Start the step timeout for an activity, such as a batch; None, or a new phase, stops it.

        Downloads and uploads set no activity: the storage has its own timeouts.
        """
        self._watchdog.set_activity(activity)

    def hung_activity(self) -> str | None:
        """The activity that exceeded the step timeout, and for how long it runs; None while none has."""
        return self._watchdog.hung_activity()

    def write_termination(self, result: RunResult) -> None:
        """Write the termination message; see `termination.write_termination`."""
        write_termination(result)
