"""What `finscribe run` prints while a run progresses."""

from io import StringIO

import pytest
from rich.console import Console

from finscribe_core.api.conditions import Condition
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, Goodput, RunStatus, Summary
from finscribe_core.report import Metrics, PhaseSeconds, Progress
from finscribe_operator.local.view import View, describe_costs, describe_progress


class PrintedView:
    def __init__(self) -> None:
        self.output = StringIO()
        self.view = View(Console(file=self.output, width=200))

    def update(self, reason: str, *, status: str = "True") -> None:
        condition = Condition(type="Running", status=status, reason=reason, last_transition_time="")
        self.view.update(FineTuneJobStatus(conditions=[condition]))

    @property
    def printed(self) -> list[str]:
        """What follows the time of each line."""
        return [line.split(maxsplit=1)[1] for line in self.output.getvalue().splitlines()]


@pytest.fixture
def printed() -> PrintedView:
    return PrintedView()


def test_alternating_training_and_evaluation_are_printed_once(printed: PrintedView):
    for reason in ("Starting", *("Training", "Evaluating") * 5, "Exporting"):
        printed.update(reason)

    assert printed.printed == [
        "Running=True Starting",
        "Running=True Training",
        "Running=True Evaluating",
        "Running=True Exporting",
    ]


def test_the_next_attempt_prints_its_phases_again(printed: PrintedView):
    printed.update("Training")
    printed.update("Retrying", status="False")
    printed.update("Training")

    assert printed.printed == ["Running=True Training", "Running=False Retrying", "Running=True Training"]


def test_a_line_of_progress_shows_speed_and_time_left():
    status = FineTuneJobStatus(
        summary=Summary(eta="2h5m"),
        progress=Progress(step=40, total_steps=100, eta_seconds=7500, samples_per_second="1.25"),
        metrics=Metrics(train_loss="0.31"),
    )

    assert describe_progress(status) == "step 40/100, loss 0.31, 1.25 samples/s, 2h5m left"


def test_the_summary_says_what_took_how_long_and_what_restarts_cost():
    phases = PhaseSeconds(starting=0, training=7500, evaluating=130)
    goodput = Goodput(ratio="0.812", step_seconds=7400, pod_seconds=9113)
    status = FineTuneJobStatus(
        progress=Progress(phase_seconds=phases), run=RunStatus(name="r", attempts=2, goodput=goodput)
    )

    expected = "Time: training 2h5m, evaluating 2m10s. Goodput 81% of 2h31m, in 2 attempts."
    assert describe_costs(status) == expected
    assert describe_costs(FineTuneJobStatus()) == ""
