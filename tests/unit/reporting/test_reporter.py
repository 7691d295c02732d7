"""Progress, speed, ETA, durations, and detection of hung activities."""

import pytest

from finscribe_core.report import Phase
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.reporting.eta import Plan


@pytest.fixture
def reporter(clock) -> RunReporter:
    return RunReporter("invoices-1a2b", "invoices", clock)


def take_steps(reporter, clock, steps, total, seconds=2.0):
    for step in steps:
        clock.wait(seconds)
        reporter.record_step(step, total, epoch=step / total)


@pytest.mark.parametrize(
    ("step", "total", "percent"), [(0, 0, 0), (0, 3, 0), (1, 3, 33), (2, 3, 66), (3, 3, 100), (4, 3, 100)]
)
def test_percent_is_the_share_of_steps_completed(step, total, percent, reporter):
    reporter.record_step(step, total, 0.5)

    progress = reporter.snapshot().progress
    assert (progress.step, progress.total_steps, progress.percent) == (step, total, percent)


def test_the_eta_is_unknown_before_the_first_measured_step(reporter):
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)

    assert reporter.snapshot().progress.eta_seconds is None


def test_the_eta_follows_the_time_per_step(reporter, clock):
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)

    take_steps(reporter, clock, [1, 2, 3, 4], total=10)

    assert reporter.snapshot().progress.eta_seconds == 6 * 2


def test_steps_before_a_resume_count_as_progress_but_not_for_the_eta(reporter, clock):
    reporter.set_phase(Phase.Downloading)
    clock.wait(500)
    reporter.set_phase(Phase.Training)
    reporter.record_step(900, 1000, 9.0)

    take_steps(reporter, clock, [901, 902], total=1000)

    progress = reporter.snapshot().progress
    assert (progress.percent, progress.eta_seconds) == (90, 98 * 2)


def test_an_evaluation_does_not_count_as_training_time(reporter, clock):
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)
    take_steps(reporter, clock, [1, 2], total=10)
    reporter.set_phase(Phase.Evaluating)
    clock.wait(1000)
    reporter.set_phase(Phase.Training)

    take_steps(reporter, clock, [3], total=10)

    assert reporter.snapshot().progress.eta_seconds == 7 * 2


def test_one_slow_step_moves_the_estimate_only_a_little(reporter, clock):
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 1000, 0.0)
    take_steps(reporter, clock, range(1, 100), total=1000, seconds=1.0)

    take_steps(reporter, clock, [100], total=1000, seconds=10.0)

    assert 900 < reporter.snapshot().progress.eta_seconds < 1.5 * 900


def test_the_eta_counts_the_evaluations_and_answers_that_were_measured(reporter, clock):
    reporter.set_plan(Plan(eval_steps=5, answers=10))
    reporter.set_phase(Phase.Evaluating)
    reporter.record_answer(3.0)
    clock.wait(40)
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)
    take_steps(reporter, clock, [1], total=10)

    assert reporter.snapshot().progress.eta_seconds == 9 * 2 + 2 * 40 + 10 * 3


def test_the_eta_of_a_comparison_falls_with_each_answer(reporter):
    reporter.set_plan(Plan(answers=4))
    reporter.set_phase(Phase.Comparing)
    etas = []
    for _ in range(4):
        reporter.record_answer(10.0)
        etas.append(reporter.snapshot().progress.eta_seconds)

    assert etas == [30, 20, 10, 0]


def test_the_speed_is_that_of_the_last_steps(reporter, clock):
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)
    for step in (1, 2, 3):
        reporter.record_metrics(samples=8, tokens=5000)
        take_steps(reporter, clock, [step], total=10)

    progress = reporter.snapshot().progress
    assert (progress.samples_per_second, progress.tokens_per_second) == ("4", "2500")


def test_the_durations_of_the_phases_sum_up_to_the_time_of_the_attempt(reporter, clock):
    started = clock()
    for phase, seconds in (
        (Phase.Downloading, 30),
        (Phase.Preparing, 20),
        (Phase.Evaluating, 7),
        (Phase.Training, 100),
        (Phase.Evaluating, 8),
        (Phase.Uploading, 4),
    ):
        reporter.set_phase(phase)
        clock.wait(seconds)
    reporter.record_step(1, 1, 1.0)

    durations = reporter.snapshot().progress.phase_seconds.model_dump(exclude_none=True)
    assert durations | {"training": 100, "evaluating": 15} == durations
    assert sum(durations.values()) == clock() - started


def test_nothing_changes_between_two_events(reporter, clock):
    """Otherwise each request of the operator would lead to a write of the status."""
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)
    take_steps(reporter, clock, [1], total=10)
    before = reporter.snapshot()
    clock.wait(1000)

    assert reporter.snapshot() == before


def test_the_next_attempt_begins_with_the_step_seconds_of_the_checkpoint(reporter, clock):
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)
    take_steps(reporter, clock, [1, 2, 3], total=10)
    checkpoint = reporter.measured()
    take_steps(reporter, clock, [4], total=10)  # it is lost
    resumed = RunReporter("invoices-1a2b", "invoices", clock)
    unknown = resumed.snapshot().progress.step_seconds
    resumed.resume(checkpoint)
    resumed.set_phase(Phase.Training)
    resumed.record_step(3, 10, 0.3)
    begun = resumed.snapshot().progress.step_seconds
    take_steps(resumed, clock, [4], total=10)

    assert (unknown, begun, resumed.snapshot().progress.step_seconds) == (None, 6, 8)


def test_metrics_are_decimal_strings_and_stay_until_they_change(reporter):
    reporter.record_metrics(train_loss=0.41234567, learning_rate=2e-5)
    reporter.record_metrics(eval_loss=0.5, train_loss=None)

    metrics = reporter.snapshot().metrics
    assert (metrics.train_loss, metrics.learning_rate, metrics.eval_loss) == ("0.412346", "2e-05", "0.5")


def test_an_unknown_metric_raises(reporter):
    with pytest.raises(TypeError, match="tran_loss"):
        reporter.record_metrics(tran_loss=1.0)


def begin_batch(reporter: RunReporter) -> None:
    reporter.set_phase(Phase.Training)
    reporter.set_activity("batch 1 of step 7")


ACTIVITIES = {
    "a batch within its time": (begin_batch, 59, None),
    "a batch beyond its time": (begin_batch, 60, "batch 1 of step 7 has not ended in 60 s"),
    "a phase without limit": (lambda reporter: reporter.set_phase(Phase.Downloading), 6000, None),
    "a phase behind a batch": (
        lambda reporter: (begin_batch(reporter), reporter.set_phase(Phase.Uploading)),
        6000,
        None,
    ),
}


@pytest.mark.parametrize(("begin", "seconds", "expected"), ACTIVITIES.values(), ids=ACTIVITIES)
def test_only_an_activity_hangs_once_the_step_timeout_has_passed(begin, seconds, expected, reporter, clock):
    reporter.set_step_timeout(60)
    begin(reporter)
    clock.wait(seconds)

    assert (reporter.hung_activity() or "").startswith(expected or "")
    assert (reporter.hung_activity() is None) is (expected is None)


def test_a_new_activity_restarts_the_step_timeout(reporter, clock):
    reporter.set_step_timeout(60)
    begin_batch(reporter)
    clock.wait(60)
    reporter.set_activity("batch 2 of step 7")

    assert reporter.hung_activity() is None
