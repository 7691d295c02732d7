"""At its end a training names its adapter and report, and the commands that use them."""

import pytest

from finscribe_core.report import Outputs, RunResult
from finscribe_trainer.pipeline.next_steps import next_steps

ADAPTER = "out/final_model"


@pytest.mark.parametrize(
    ("outputs", "named", "not_named"),
    [
        (
            Outputs(adapter=ADAPTER, evaluation="out/evaluation"),
            [
                ADAPTER,
                "out/evaluation/report.html",
                f"--model-path {ADAPTER}",
                "finscribe merge --base-model a/b",
            ],
            ["None"],
        ),
        (Outputs(adapter=ADAPTER), [ADAPTER], ["report", "None"]),
        (Outputs(adapter=ADAPTER, merged="out/merged_model"), ["out/merged_model"], ["finscribe merge"]),
    ],
    ids=["adapter and report", "no evaluation", "a merged model"],
)
def test_only_what_there_is_is_named(outputs, named, not_named):
    text = next_steps(RunResult(succeeded=True, message="Loss 1.", outputs=outputs), "a/b")
    assert text.startswith("Loss 1.\n")
    assert [part for part in named if part not in text] == []
    assert [part for part in not_named if part in text] == []
