"""The one place a run's progress and figures are kept, for whoever asks."""

import os
import threading
import time
from collections.abc import Callable

from finscribe_core.constants import ENV_JOB, ENV_RUN
from finscribe_core.report import Metrics, Phase, Progress, ProgressReport, RunResult, format_metric
from finscribe_trainer.reporting.metrics import RunMetrics
from finscribe_trainer.reporting.speed import SpeedMeter
from finscribe_trainer.reporting.termination import write_termination
from finscribe_trainer.reporting.watchdog import Watchdog


class RunReporter:
    """Holds what a run reports; every method may be called from any thread.

    Also a `TransferObserver`: give it to `Storage.from_config(observer=...)`.

    Args:
        run: the run's name; from the environment when unset.
        job: the FineTuneJob's name; from the environment when unset.
        clock: seconds that never go back.
    """

    def __init__(
        self, run: str | None = None, job: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = os.environ.get(ENV_RUN, "") if run is None else run
        self.prometheus = RunMetrics(os.environ.get(ENV_JOB, "") if job is None else job, self._run)
        self._lock = threading.RLock()
        self._speed = SpeedMeter(clock)
        self._progress = Progress()
        self._metrics = Metrics()
        self._watchdog = Watchdog(clock)

    def describe(self, model: str, method: str) -> None:
        """Say what is trained, for the metric finscribe_run_info."""
        self.prometheus.set_info(model, method)

    def phase(self, phase: Phase) -> None:
        """The run is in `phase` now; only time in Training counts for the speed."""
        self.doing(None)
        with self._lock:
            if phase is Phase.Training:
                self._speed.start()
            else:
                self._speed.pause()
            self._progress = self._progress.model_copy(update={"phase": phase})
            self.prometheus.set_phase(phase)

    def step(self, step: int, total: int, epoch: float) -> None:
        """Optimizer step `step` of `total` is done.

        The first call only says where counting begins: call it with the step resumed from (or 0) when the
        training begins.
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
        figures = self.prometheus
        figures.set(figures.step, step)
        figures.set(figures.planned_steps, total)
        figures.set(figures.epoch, epoch)
        if seconds is not None:
            figures.step_duration.observe(seconds)

    def metric(self, *, tokens: int = 0, samples: int = 0, **values: float | None) -> None:
        """Note figures; those not named, or None, stay as they are.

        Args:
            tokens: tokens trained on since the last call.
            samples: rows trained on since the last call.
            values: `train_loss`, `eval_loss`, `best_eval_loss`, `base_eval_loss`, `learning_rate`.
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

    def transferred(self, direction: str, num_bytes: int) -> None:
        """Bytes went from or to the object storage."""
        self.prometheus.transferred(direction, num_bytes)

    def retried(self) -> None:
        """A storage request was tried again."""
        self.prometheus.retried.inc()

    def features(self, hits: int, misses: int, num_bytes: int) -> None:
        """Pages were found in the feature cache, or not; it takes so many bytes now."""
        figures = self.prometheus
        figures.feature_cache_hits.inc(hits)
        figures.feature_cache_misses.inc(misses)
        figures.set(figures.feature_cache_size, num_bytes)

    def snapshot(self) -> ProgressReport:
        """What `/progress` says now."""
        with self._lock:
            return ProgressReport(run=self._run, progress=self._progress, metrics=self._metrics)

    def limit_steps(self, seconds: float) -> None:
        """What `doing` names hangs once it has taken so long."""
        self._watchdog.timeout = seconds

    def doing(self, what: str | None) -> None:
        """The run does something that must end soon, such as a batch; None, or a phase, ends it.

        What is not named never hangs: how long a download or an upload may take is for the storage's own
        timeouts to say.
        """
        self._watchdog.doing(what)

    def hangs(self) -> str | None:
        """What has taken longer than it may, and how long; None while the run is healthy."""
        return self._watchdog.hangs()

    def write_termination(self, result: RunResult) -> None:
        """Write the run's last words where the environment says; see `termination.write_termination`."""
        write_termination(result)
