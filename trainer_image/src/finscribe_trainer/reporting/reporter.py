"""Keeps a run's current progress and metrics for /progress, Prometheus and the termination message."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from finscribe_core.constants import ENV_CAUSE, ENV_JOB, ENV_RUN
from finscribe_core.report import (
    BestEvaluation,
    DatasetState,
    LearningRateChoice,
    Metrics,
    Phase,
    PhaseSeconds,
    Progress,
    ProgressReport,
    RunResult,
    format_metric,
    format_rate,
)
from finscribe_trainer.reporting.eta import Pace, Plan, after, seconds_left
from finscribe_trainer.reporting.metrics import RunMetrics, peak_gpu_memory
from finscribe_trainer.reporting.phase_times import PhaseTimes
from finscribe_trainer.reporting.speed import Smoothed, StepTimer
from finscribe_trainer.reporting.termination import write_termination
from finscribe_trainer.reporting.watchdog import Watchdog


class RunReporter:
    """Holds a run's reported progress and metrics; every method may be called from any thread.

    Also a `TransferObserver`: give it to `Storage.from_config(observer=...)`.

    The progress changes only with a step, an evaluation, an answer of the comparison, or a phase: between
    them it is the same at each request, and causes no write of a status. To report a step takes some 30
    microseconds and does not wait for the GPU.

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
        self._timer = StepTimer(clock)
        self._phases = PhaseTimes(clock)
        self._plan = Plan()
        self._pace = Pace()
        self._seconds, self._answer_seconds = Smoothed(), Smoothed()
        self._tokens, self._samples = Smoothed(), Smoothed()
        self._new_tokens = self._new_samples = 0
        self._progress = Progress()
        self._metrics = Metrics()
        self._dataset: DatasetState | None = None
        self._initial_adapter: str | None = None
        self._learning_rate: LearningRateChoice | None = None
        self._watchdog = Watchdog(clock)

    def set_run_info(self, model: str, method: str) -> None:
        """Set base model and method, the labels of the metric finscribe_run_info."""
        self.prometheus.set_info(model, method)

    def set_plan(self, plan: Plan) -> None:
        """Set what the run does besides its steps, for the estimate of the time left."""
        with self._lock:
            self._plan = plan

    def set_phase(self, phase: Phase) -> None:
        """Report the phase the run is in; only time in Training counts for seconds per step."""
        self.set_activity(None)
        with self._lock:
            if phase is Phase.Training:
                self._timer.start()
            else:
                self._timer.pause()
            seconds, ended = self._phases.enter(phase), self._progress.phase
            if ended is not phase and ended is Phase.Evaluating:
                self._pace = replace(self._pace, evaluation=seconds)
            elif ended is Phase.Preparing:  # a merge loads the model once more
                self._pace = replace(self._pace, merge=seconds)
            self._plan = after(self._plan, phase)
            self.prometheus.set_phase(phase)
            self._update(phase=phase)

    def record_step(self, step: int, total: int, epoch: float) -> None:
        """Report that optimizer step `step` of `total` is complete.

        The first call only sets where counting starts: call it with the step resumed from (or 0) when
        training starts. The rows and tokens of the step are those of `record_metrics` since the last call.
        """
        with self._lock:
            num_steps, seconds = self._timer.step(step)
            if num_steps:
                self._seconds.add(seconds, num_steps)
                self._tokens.add(self._new_tokens / num_steps, num_steps)
                self._samples.add(self._new_samples / num_steps, num_steps)
            self._new_tokens = self._new_samples = 0
            self._update(
                step=step,
                total_steps=total,
                epoch=round(epoch, 4),
                percent=max(0, min(100, 100 * step // total)) if total else 0,
                step_seconds=round(self._timer.total),
                samples_per_second=self._rate(self._samples),
                tokens_per_second=self._rate(self._tokens),
            )
        metrics = self.prometheus
        metrics.set(metrics.step, step)
        metrics.set(metrics.planned_steps, total)
        metrics.set(metrics.epoch, epoch)
        for _ in range(num_steps):
            metrics.step_duration.observe(seconds)

    def record_answer(self, seconds: float) -> None:
        """Report an answer that was generated in this time, in an evaluation or in the comparison."""
        with self._lock:
            self._answer_seconds.add(seconds)
            if self._progress.phase is Phase.Comparing:
                self._plan = replace(self._plan, answers=max(0, self._plan.answers - 1))
                self._update()

    def record_best(self, step: int, metric: str, value: float) -> None:
        """Report the step and the value of the best evaluation so far, by this metric."""
        with self._lock:
            self._update(best=BestEvaluation(step=step, metric=metric, value=format_metric(value)))
        self.prometheus.set(self.prometheus.best_step, step)

    def record_gradient_norm(self, norm: float) -> None:
        """Report the norm of the gradient before it is clipped."""
        self.prometheus.set(self.prometheus.grad_norm, norm)

    def record_patience(self, evaluations_without_improvement: int) -> None:
        """Report the count of early stopping."""
        metrics = self.prometheus
        metrics.set(metrics.evaluations_without_improvement, evaluations_without_improvement)

    def record_upload(self, num_bytes: int, seconds: float) -> None:
        """Report how long an upload of a checkpoint took."""
        with self._lock:
            self._pace = replace(self._pace, uploaded_byte=seconds / max(1, num_bytes))
        self.prometheus.set(self.prometheus.last_checkpoint, time.time())

    def measured(self) -> dict[str, float]:
        """What the next attempt needs, for the checkpoint: see `resume`."""
        with self._lock:
            known = {
                "step_seconds": self._timer.total,
                "evaluation_seconds": self._pace.evaluation,
                "answer_seconds": self._answer_seconds.value,
            }
        return {name: seconds for name, seconds in known.items() if seconds is not None}

    def resume(self, measured: Mapping[str, float]) -> None:
        """Continue from what `measured` returned when the checkpoint was saved that the run resumes from."""
        with self._lock:
            self._timer.total = measured.get("step_seconds", 0.0)
            self._pace = replace(self._pace, evaluation=measured.get("evaluation_seconds"))
            if "answer_seconds" in measured:
                self._answer_seconds.add(measured["answer_seconds"])

    def _rate(self, per_step: Smoothed) -> str | None:
        seconds, amount = self._seconds.value, per_step.value
        return format_rate(amount / seconds) if seconds and amount else None

    def _update(self, **changes: Any) -> None:
        """Change the progress, and with it the durations and the time left."""
        progress = self._progress.model_copy(update=changes)
        pace = replace(self._pace, step=self._seconds.value, answer=self._answer_seconds.value)
        eta = seconds_left(self._plan, pace, progress.phase, progress.step, progress.total_steps)
        phases = self._phases.read()
        durations = PhaseSeconds(**{phase.lower(): round(seconds) for phase, seconds in phases.items()})
        self._progress = progress.model_copy(update={"eta_seconds": eta, "phase_seconds": durations})
        self.prometheus.set_phase_durations(phases)
        if eta is not None:
            self.prometheus.set(self.prometheus.eta, eta)

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
            self._new_tokens += tokens
            self._new_samples += samples
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

    def set_learning_rate(self, choice: LearningRateChoice) -> None:
        """Report the learning rate that was chosen by a range test."""
        with self._lock:
            self._learning_rate = choice
        self.prometheus.set(self.prometheus.chosen_learning_rate, float(choice.chosen or "nan"))

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
        peak = peak_gpu_memory()
        with self._lock:
            return ProgressReport(
                run=self._run,
                progress=self._progress.model_copy(update={"peak_gpu_memory_bytes": peak}),
                metrics=self._metrics,
                dataset=self._dataset,
                initial_adapter=self._initial_adapter,
                learning_rate=self._learning_rate,
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
