"""Defines the run's Prometheus metrics, in a registry of their own."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from finscribe_core.report import Phase

_LABELS = ("finetunejob", "run")
_STEP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
"""Bucket bounds in seconds: from a tiny model on a CPU to a large effective batch."""


class RunMetrics:
    """All Prometheus metrics of a run, labelled with its FineTuneJob and its name."""

    def __init__(self, job: str, run: str, cause: str = "") -> None:
        self.registry = CollectorRegistry()
        self._identity = (job, run)
        self._cause = cause
        self.train_loss = self._gauge("train_loss", "Training loss of the last log line.")
        self.eval_loss = self._gauge("eval_loss", "Validation loss of the last evaluation.")
        self.best_eval_loss = self._gauge("best_eval_loss", "Lowest validation loss so far.")
        self.base_eval_loss = self._gauge("base_eval_loss", "Validation loss before the first step.")
        self.eval_field_accuracy = self._gauge(
            "eval_field_accuracy_ratio", "Field accuracy in the last evaluation."
        )
        self.eval_teds_score = self._gauge(
            "eval_teds_score_ratio", "TEDS of the line-item tables in the last evaluation."
        )
        self.eval_numeric_accuracy = self._gauge(
            "eval_numeric_accuracy_ratio", "Numeric accuracy in the last evaluation."
        )
        self.eval_validation_pass_rate = self._gauge(
            "eval_validation_pass_rate_ratio",
            "Share of the answers that are valid and add up in the last evaluation.",
        )
        self.learning_rate = self._gauge("learning_rate", "Learning rate of the last step.")
        self.chosen_learning_rate = self._gauge(
            "chosen_learning_rate", "Peak learning rate chosen by a range test (learning_rate auto)."
        )
        self.grad_norm = self._gauge(
            "grad_norm", "Norm of the gradient before it is clipped, of the last log line."
        )
        self.evaluations_without_improvement = self._gauge(
            "evaluations_without_improvement",
            "Evaluations in a row without an improvement that counts for early stopping.",
        )
        self.step = self._gauge("train_step", "Optimizer steps taken.")
        self.planned_steps = self._gauge("train_planned_steps", "Optimizer steps planned.")
        self.epoch = self._gauge("epoch", "Epochs trained so far, as a fraction.")
        self.best_step = self._gauge("best_step", "Optimizer steps taken at the best evaluation so far.")
        self.eta = self._gauge("eta_seconds", "Estimated time until the result is uploaded.")
        self.last_checkpoint = self._gauge(
            "last_checkpoint_timestamp_seconds", "Unix time of the last upload of a checkpoint."
        )
        self.tokens = self._counter("tokens", "Tokens trained on by this process.")
        self.samples = self._counter("samples", "Rows trained on by this process.")
        self.retried = self._counter("storage_requests_retried", "Storage requests that were retried.")
        self.feature_cache_hits = self._counter("feature_cache_hits", "Pages found in the feature cache.")
        self.feature_cache_misses = self._counter(
            "feature_cache_misses", "Pages that were not in the feature cache."
        )
        self.feature_cache_size = self._gauge(
            "feature_cache_size_bytes", "Size of the feature cache on disk."
        )
        self.step_duration = Histogram(
            "finscribe_step_duration_seconds",
            "Training time of an optimizer step.",
            _LABELS,
            buckets=_STEP_BUCKETS,
            registry=self.registry,
        ).labels(*self._identity)
        self._phase = Gauge(
            "finscribe_phase", "1 for the phase the run is in.", (*_LABELS, "phase"), registry=self.registry
        )
        self._phase_duration = Gauge(
            "finscribe_phase_duration_seconds",
            "Time spent in the phase by this process.",
            (*_LABELS, "phase"),
            registry=self.registry,
        )
        self._transferred = Counter(
            "finscribe_storage_transferred_bytes",
            "Bytes moved from and to the object storage.",
            (*_LABELS, "direction"),
            registry=self.registry,
        )
        self._info = Gauge(
            "finscribe_run_info",
            "What the run trains, and why it was started; always 1.",
            (*_LABELS, "model", "method", "cause"),
            registry=self.registry,
        )
        self.set_phase(Phase.Starting)
        for direction in ("download", "upload"):
            self.transferred(direction, 0)
        ProcessCollector(registry=self.registry)
        self.registry.register(_GpuMemory(self._identity))

    def set_phase(self, phase: Phase) -> None:
        """Set the gauge of this phase to 1 and those of all other phases to 0."""
        for each in Phase:
            self._phase.labels(*self._identity, each.value).set(1 if each is phase else 0)

    def set_phase_durations(self, seconds: Mapping[Phase, float]) -> None:
        """Set the time spent in each phase so far."""
        for phase, duration in seconds.items():
            self._phase_duration.labels(*self._identity, phase.value).set(duration)

    def transferred(self, direction: str, num_bytes: int) -> None:
        """Count bytes transferred in a direction: "download" or "upload"."""
        self._transferred.labels(*self._identity, direction).inc(num_bytes)

    def set_info(self, model: str, method: str) -> None:
        """Set the labels of finscribe_run_info: base model and method, besides why the run was started."""
        self._info.clear()
        self._info.labels(*self._identity, model, method, self._cause).set(1)

    def _gauge(self, name: str, text: str) -> Gauge:
        # Unlabelled until the first value: a metric without a value is exported as no sample, not as 0.
        return Gauge(f"finscribe_{name}", text, _LABELS, registry=self.registry)

    def set(self, gauge: Gauge, value: float) -> None:
        """Set a gauge of this run."""
        gauge.labels(*self._identity).set(value)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"finscribe_{name}", text, _LABELS, registry=self.registry).labels(*self._identity)


def _cuda_in_use() -> Any | None:
    """torch.cuda if this process uses it; never imports torch or initializes CUDA itself."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def peak_gpu_memory() -> int | None:
    """The most bytes that this process's tensors took on a GPU; None without one. Does not wait for it."""
    cuda = _cuda_in_use()
    if cuda is None:
        return None
    peaks = (int(cuda.max_memory_allocated(device)) for device in range(cuda.device_count()))
    return max(peaks, default=None)


class _GpuMemory(Collector):
    """Collects memory metrics of the GPUs in use."""

    def __init__(self, identity: tuple[str, str]) -> None:
        self._identity = identity

    def collect(self) -> Iterator[Metric]:
        cuda = _cuda_in_use()
        if cuda is None:
            return
        allocated = GaugeMetricFamily(
            "finscribe_gpu_memory_allocated_bytes", "GPU memory held by tensors.", labels=[*_LABELS, "device"]
        )
        peak = GaugeMetricFamily(
            "finscribe_gpu_memory_peak_bytes",
            "Peak GPU memory held by tensors.",
            labels=[*_LABELS, "device"],
        )
        for device in range(cuda.device_count()):
            labels = [*self._identity, str(device)]
            allocated.add_metric(labels, cuda.memory_allocated(device))
            peak.add_metric(labels, cuda.max_memory_allocated(device))
        yield allocated
        yield peak
