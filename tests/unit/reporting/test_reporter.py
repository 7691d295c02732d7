"""Progress, estimate of the time left, and health."""

import pytest

from finscribe_core.report import Phase
from finscribe_trainer.reporting import RunReporter


@pytest.fixture
def reporter(clock) -> RunReporter:
    return RunReporter("invoices-1a2b", "invoices", clock)


def take_steps(reporter, clock, steps, total, seconds=2.0):
    for step in steps:
        clock.wait(seconds)
        reporter.step(step, total, epoch=step / total)


@pytest.mark.parametrize(
    ("step", "total", "percent"), [(0, 0, 0), (0, 3, 0), (1, 3, 33), (2, 3, 66), (3, 3, 100), (4, 3, 100)]
)
def test_percent_is_the_share_of_steps_taken(step, total, percent, reporter):
    reporter.step(step, total, 0.5)

    progress = reporter.snapshot().progress
    assert (progress.step, progress.total_steps, progress.percent) == (step, total, percent)


def test_the_time_left_is_unknown_before_the_first_measured_step(reporter):
    reporter.phase(Phase.Training)
    reporter.step(0, 10, 0.0)

    assert reporter.snapshot().progress.eta_seconds is None


def test_the_time_left_follows_the_speed(reporter, clock):
    reporter.phase(Phase.Training)
    reporter.step(0, 10, 0.0)

    take_steps(reporter, clock, [1, 2, 3, 4], total=10)

    assert reporter.snapshot().progress.eta_seconds == 6 * 2


def test_steps_before_a_resume_count_as_progress_but_not_as_speed(reporter, clock):
    reporter.phase(Phase.Downloading)
    clock.wait(500)
    reporter.phase(Phase.Training)
    reporter.step(900, 1000, 9.0)

    take_steps(reporter, clock, [901, 902], total=1000)

    progress = reporter.snapshot().progress
    assert (progress.percent, progress.eta_seconds) == (90, 98 * 2)


def test_an_evaluation_does_not_count_as_training_time(reporter, clock):
    reporter.phase(Phase.Training)
    reporter.step(0, 10, 0.0)
    take_steps(reporter, clock, [1, 2], total=10)
    reporter.phase(Phase.Evaluating)
    clock.wait(1000)
    reporter.phase(Phase.Training)

    take_steps(reporter, clock, [3], total=10)

    assert reporter.snapshot().progress.eta_seconds == 7 * 2


def test_one_slow_step_moves_the_estimate_only_a_little(reporter, clock):
    reporter.phase(Phase.Training)
    reporter.step(0, 1000, 0.0)
    take_steps(reporter, clock, range(1, 100), total=1000, seconds=1.0)

    take_steps(reporter, clock, [100], total=1000, seconds=10.0)

    assert 900 < reporter.snapshot().progress.eta_seconds < 1.5 * 900


def test_figures_are_decimal_strings_and_stay_until_they_change(reporter):
    reporter.metric(train_loss=0.41234567, learning_rate=2e-5)
    reporter.metric(eval_loss=0.5, train_loss=None)

    metrics = reporter.snapshot().metrics
    assert (metrics.train_loss, metrics.learning_rate, metrics.eval_loss) == ("0.412346", "2e-05", "0.5")


def test_an_unknown_figure_is_a_defect(reporter):
    with pytest.raises(TypeError, match="tran_loss"):
        reporter.metric(tran_loss=1.0)


def begin_batch(reporter: RunReporter) -> None:
    reporter.phase(Phase.Training)
    reporter.doing("batch 1 of step 7")


ACTIVITIES = {
    "a batch within its time": (begin_batch, 59, None),
    "a batch beyond its time": (begin_batch, 60, "batch 1 of step 7 has not ended in 60 s"),
    "a phase without limit": (lambda reporter: reporter.phase(Phase.Downloading), 6000, None),
    "a phase behind a batch": (
        lambda reporter: (begin_batch(reporter), reporter.phase(Phase.Uploading)),
        6000,
        None,
    ),
}


@pytest.mark.parametrize(("begin", "seconds", "expected"), ACTIVITIES.values(), ids=ACTIVITIES)
def test_only_what_is_named_hangs_once_its_time_is_over(begin, seconds, expected, reporter, clock):
    reporter.limit_steps(60)
    begin(reporter)
    clock.wait(seconds)

    assert (reporter.hangs() or "").startswith(expected or "")
    assert (reporter.hangs() is None) is (expected is None)


def test_the_next_batch_is_a_sign_of_life(reporter, clock):
    reporter.limit_steps(60)
    begin_batch(reporter)
    clock.wait(60)
    reporter.doing("batch 2 of step 7")

    assert reporter.hangs() is None
