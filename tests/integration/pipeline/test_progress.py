"""What a real training reports about its speed, its phases and the time left, to S3 and after a resume."""

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest

from finscribe_core.errors import RetryableError
from finscribe_core.report import Phase, ProgressReport
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run
from tests.support.s3 import S3Server

RUN = "invoices-1"
STEPS = 6


class RecordingReporter(RunReporter):
    """Keeps every time that it read the clock, and a report after each step and change of phase."""

    def __init__(self, stop: StopSignal, stop_after: int | None) -> None:
        self.times: list[float] = []
        self.reports: list[ProgressReport] = []
        self.stop, self.stop_after = stop, stop_after
        super().__init__(run=RUN, job="invoices", clock=self._clock)

    def _clock(self) -> float:
        self.times.append(time.monotonic())
        return self.times[-1]

    def set_phase(self, phase: Phase) -> None:
        super().set_phase(phase)
        self.reports.append(self.snapshot())

    def record_step(self, step: int, total: int, epoch: float) -> None:
        super().record_step(step, total, epoch)
        self.reports.append(self.snapshot())
        if step == self.stop_after:
            self.stop.requested.set()

    def duration(self, phase: Phase) -> float | None:
        return self.served("finscribe_phase_duration_seconds", phase=phase.value)

    def served(self, metric: str, **labels: str) -> float | None:
        """The value that a scrape would find."""
        labels = {"finetunejob": "invoices", "run": RUN, **labels}
        return self.prometheus.registry.get_sample_value(metric, labels)


@pytest.fixture
def attempt(sample: Path, tmp_path: Path, s3_env: S3Server):
    """Start an attempt of the run, in a folder of its own; returns its reporter after its end."""
    uri = f"s3://{s3_env.create_bucket()}/models"

    def start(folder: str, stop_after: int | None = None) -> RecordingReporter:
        config = TrainerConfig.model_validate(
            {
                "model_name_or_path": str(sample / "model"),
                "dataset_path": str(sample / "train.jsonl"),
                "validation_path": str(sample / "val.jsonl"),
                "output_dir": str(tmp_path / folder),
                "output_uri": uri,
                "output_formats": ["Adapter", "Merged"],
                "training": {
                    "max_steps": STEPS,
                    "eval_steps": 2,
                    "logging_steps": 2,
                    "per_device_train_batch_size": 2,
                },
                "evaluation": {"training_documents": 2, "max_documents": 2, "max_new_tokens": 4},
            }
        )
        stop = StopSignal()
        reporter = RecordingReporter(stop, stop_after)
        run = Run(config, RUN, None, reporter, stop, may_have_begun=True)
        if stop_after is None:
            reporter.result = train(run)
        else:
            with pytest.raises(RetryableError, match="checkpoint saved"):
                train(run)
        return reporter

    return start


@pytest.mark.train
def test_the_phases_of_a_training_sum_up_to_its_duration_and_the_time_left_to_nothing(attempt, tmp_path):
    reporter = attempt("first")
    reports = [report.progress for report in reporter.reports]
    last, phases = reporter.result.progress, [report.phase for report in reports]
    durations = {phase: duration for phase in Phase if (duration := reporter.duration(phase)) is not None}

    assert list(dict.fromkeys(phases)) == [
        *(Phase.Starting, Phase.Downloading, Phase.Preparing, Phase.Evaluating, Phase.Training),
        *(Phase.Exporting, Phase.Comparing, Phase.Uploading),
    ]
    assert sum(durations.values()) == pytest.approx(reporter.times[-1] - reporter.times[0])
    assert last.phase_seconds.model_dump(exclude_none=True) == {
        phase.lower(): round(seconds) for phase, seconds in durations.items()
    }
    assert 0 <= last.step_seconds <= durations[Phase.Training] + 1
    measured = [report.step >= 1 for report in reports]
    assert [report.eta_seconds is not None for report in reports] == measured
    assert last.eta_seconds == 0 or last.phase is Phase.Uploading
    assert all(before.percent <= after.percent for before, after in pairwise(reports))
    assert float(last.samples_per_second) > 0 and float(last.tokens_per_second) > 0
    assert last.peak_gpu_memory_bytes is None
    metrics = json.loads((tmp_path / "first/metrics.json").read_text())
    assert (last.best.step, last.best.metric) == (metrics["best_step"], "eval_loss")
    assert last.best.value == reporter.result.metrics.best_eval_loss
    assert reporter.served("finscribe_grad_norm") > 0
    assert reporter.served("finscribe_evaluations_without_improvement") is not None


@pytest.mark.train
def test_a_resumed_attempt_begins_with_the_step_seconds_of_the_checkpoint(attempt, tmp_path):
    interrupted = attempt("first", stop_after=3)
    saved = json.loads((tmp_path / "first/checkpoint-4/trainer_state.json").read_text())
    resumed = attempt("second")
    begun = next(r.progress for r in resumed.reports if r.progress.step_seconds is not None)
    again = attempt("third")

    kept = saved["stateful_callbacks"]["ProgressCallback"]["attributes"]["step_seconds"]
    assert kept == interrupted.measured()["step_seconds"] > 0
    assert (begun.step, begun.step_seconds) == (4, round(kept))
    assert resumed.measured()["step_seconds"] > kept
    published = (again.result.progress.step_seconds, again.result.progress.best)
    assert published == (resumed.result.progress.step_seconds, resumed.result.progress.best)
