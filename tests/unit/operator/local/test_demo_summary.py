"""The demo's summary, of results files that the trainer has written."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from finscribe_operator.local.demo_summary import (
    Evaluated,
    build_answers,
    build_metrics,
    read_results,
    typical_document,
)
from finscribe_trainer.evaluation.results import write_results
from tests.support.comparison import results_of

GOLD = {"vendor": {"name": "[bold]Acme[/bold]"}, "line_items": [{"description": "tea", "line_total": "7.00"}]}
WRONG = {**GOLD, "vendor": {"name": "[red]Acne"}}


@pytest.fixture
def evaluated(tmp_path: Path):
    def of(*answers, images=("page.png",)) -> Evaluated:
        write_results(
            results_of("model", [(GOLD, one) for one in answers], images), tmp_path / "results.json"
        )
        return read_results(tmp_path / "results.json")

    return of


def printed(renderable) -> list[str]:
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system="standard")
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_metrics_are_shown_in_percent_and_left_out_where_they_do_not_apply(evaluated):
    lines = printed(build_metrics(evaluated("TEA 7.00"), evaluated(GOLD), evaluated(WRONG)))
    (fields,) = [line for line in lines if "field accuracy" in line]
    assert [part in fields for part in ("0.0 %", "100.0 %", "66.7 %")] == [True] * 3
    text = evaluated()
    assert "-" in next(line for line in printed(build_metrics(text, text, text)) if "TEDS" in line)


def test_the_shown_document_is_the_median(evaluated):
    tuned = evaluated(WRONG, "", GOLD, images=("a.png", "b.png", "c.png"))
    assert tuned.answers[typical_document(tuned)].image == "a.png"


def test_answers_are_shown_as_written_and_wrong_lines_are_red(evaluated):
    (base,), (tuned,) = evaluated("TEA [b]7.00").answers, evaluated(WRONG).answers
    lines = printed(build_answers(base, tuned))
    assert "page.png: 66.7 % of its fields are correct, 0.0 % with the base model." in lines[0]
    (first,) = [line for line in lines if "TEA [b]7.00" in line]
    assert "\x1b[31mTEA [b]7.00" in first
    (vendor,) = [line for line in lines if "[red]Acne" in line]
    assert '\x1b[31m  "name": "[red]Acne"' in vendor
    assert '"name": "[bold]Acme[/bold]"' in vendor
    (total,) = [line for line in lines if "7.00" in line and "TEA" not in line]
    assert '\x1b[32m   "line_total": "7.00"' in total
