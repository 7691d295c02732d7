"""What `finscribe run` prints while a run progresses."""

from io import StringIO

import pytest
from rich.console import Console

from finscribe_core.api.conditions import Condition
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.local.view import View


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
