"""Tables, descriptions and live views of jobs."""

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from finscribe_client.commands import watch
from finscribe_client.curve import plot, sparkline
from finscribe_client.description import describe
from finscribe_client.jobs import Job
from finscribe_client.output import print_jobs
from finscribe_client.pods import LogOptions, Pod
from finscribe_client.watch_view import Losses, build_view
from finscribe_core.api.v1alpha1 import RunRecord, RunStatus, State, Summary
from finscribe_core.report import DocumentMetrics, EvaluationReport, GateVerdict, Metrics, Outputs, Progress
from tests.unit.client.builders import build_condition, build_job, build_pod

RUNNING = build_job(
    conditions=[
        build_condition("Running", "True", "Training"),
        build_condition("Reconciling", "True", "Training"),
    ],
    summary=Summary(state=State.Running, progress="33%", eta="30m", loss="0.412"),
    progress=Progress(step=420, total_steps=1250, percent=33, epoch=1.68, eta_seconds=1810),
    metrics=Metrics(train_loss="0.412", eval_loss="0.5", base_eval_loss="0.9"),
    run=RunStatus(name="invoices-1a2b3c4d", attempts=2, failed_attempts=1),
    runs=[RunRecord(name="invoices-00000000", outcome="Succeeded", metrics=Metrics(eval_loss="0.6"))],
)
COMPLETE = build_job(
    conditions=[
        build_condition("Complete", "True", "Succeeded"),
        build_condition("Promoted", "False", "GateFailed", "field_accuracy 0.8 is below 0.9"),
        build_condition("Reconciling", "False", "Finished"),
    ],
    summary=Summary(state=State.Complete, progress="100%"),
    run=RunStatus(name="invoices-1a2b3c4d", outputs=Outputs(uri="s3://team-models/invoices/runs/r")),
    evaluation=EvaluationReport(
        documents=40,
        base=DocumentMetrics(field_accuracy="0.2"),
        tuned=DocumentMetrics(field_accuracy="0.8"),
        gate=GateVerdict(passed=False, message="0.8 is below 0.9"),
    ),
)
ESCAPES = build_job(
    conditions=[build_condition("Failed", "True", "InternalError", "\x1b]0;owned\x07\x1b[2Jgone")],
    summary=Summary(state=State.Failed),
)


def test_a_table_has_aligned_columns(capsys: pytest.CaptureFixture[str]):
    print_jobs([RUNNING, build_job("a-job-with-a-longer-name")], "wide")

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:5] for line in lines] == [
        ["NAME", "STATE", "PROGRESS", "ETA", "LOSS"],
        ["invoices", "Running", "33%", "30m", "0.412"],
        ["a-job-with-a-longer-name", "Pending", "0%", "-", "-"],
    ]
    assert (
        len({line.index(word) for line, word in zip(lines, ("STATE", "Running", "Pending"), strict=True)})
        == 1
    )
    assert lines[1].endswith("invoices-1a2b3c4d   Training")


def test_a_job_whose_spec_was_changed_is_pending_until_the_operator_has_read_it():
    assert build_job(generation=2, summary=Summary(state=State.Complete)).state == State.Pending


DESCRIPTIONS = {
    "a run": (
        RUNNING,
        [
            "team/invoices: Running (Training)",
            "invoices-1a2b3c4d, Created, attempt 2, 1 failed",
            "step 420/1250 (33%), epoch 1.68, 30m left",
            "training 0.412, validation 0.5, base model 0.9",
            "invoices-00000000: Succeeded, Created, loss 0.6",
            "finscribe watch invoices",
        ],
    ),
    "a result that failed its gate": (
        COMPLETE,
        [
            "team/invoices: Complete (Succeeded)",
            "40 documents, base -> tuned: field accuracy 0.2 -> 0.8",
            "failed: 0.8 is below 0.9",
            "False (GateFailed) field_accuracy 0.8 is below 0.9",
            "s3://team-models/invoices/runs/r",
            "finscribe download invoices",
        ],
    ),
}


@pytest.mark.parametrize(("job", "parts"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_job_is_described(job, parts):
    text = "\n".join(describe(job))
    assert "- ago" not in text
    assert [part for part in parts if part not in text] == []


def draw(job, losses: Losses) -> str:
    output = StringIO()
    Console(file=output, width=100, force_terminal=True, color_system=None).print(build_view(job, losses))
    return output.getvalue()


def test_the_live_view_draws_the_losses_and_the_progress():
    losses = Losses([(100, 1.6), (200, 0.8)])
    losses.add(RUNNING)

    drawn = draw(RUNNING, losses)

    assert losses.values == [1.6, 0.8, 0.412]
    assert "team/invoices  Running" in drawn
    assert "420 of 1250 (33%), 30m left" in drawn
    assert sparkline([1.6, 0.8, 0.412], 48) in drawn
    assert [line for line in drawn.splitlines() if "━" in line] == [
        line for line in drawn.splitlines() if line.startswith("│ progress")
    ]


def test_texts_of_a_job_can_not_control_the_terminal(capsys: pytest.CaptureFixture[str]):
    assert "gone" in draw(ESCAPES, Losses())
    assert "\x1b]0" not in draw(ESCAPES, Losses())
    print_jobs([ESCAPES], "wide")
    assert "\x1b" not in capsys.readouterr().out


def test_curves_show_where_a_loss_falls():
    assert sparkline([3, 2, 1, 1], 10) == "█▅▁▁"
    assert sparkline([4, 4, 2, 2, 0, 0], 3) == "█▅▁"
    assert (sparkline([], 3), sparkline([1, 1], 3)) == ("", "▁▁")
    assert plot([[(0, 2.0), (10, 1.0)], [(10, 1.5)]], width=5, height=3).splitlines() == [
        "       2 ┤•",
        "     1.5 ┤    x",
        "       1 ┤    •",
        "         └─────",
        "          0  10",
    ]


class Finishing:
    """A job that is first running, then complete; its log has earlier losses."""

    def get(self, name: str) -> Job:
        return RUNNING

    def follow(self, name: str, timeout: float | None = None) -> Iterator[Job]:
        yield from (RUNNING, COMPLETE)

    def pods(self, job: Job, run: str) -> list[Pod]:
        return [build_pod("a")]

    def log(self, pod: Pod, options: LogOptions) -> Iterator[str]:
        yield '{"time": "", "level": "info", "message": "{\'loss\': 1.6}", "step": 100}'


def test_a_watched_job_is_drawn_in_a_terminal_with_the_losses_of_its_log():
    output = StringIO()
    console = Console(file=output, width=100, force_terminal=True, color_system=None)

    assert watch.show_live(Finishing(), "invoices", None, console) is COMPLETE

    assert sparkline([1.6, 0.412], 48) in output.getvalue()
    assert "team/invoices  Complete" in output.getvalue()
