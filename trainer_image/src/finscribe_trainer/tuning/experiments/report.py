"""Writes the results of experiments: results.json, results.md, results.html, results.png."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.look.colours import colour_of_run
from finscribe_core.look.line_chart import Line
from finscribe_trainer.evaluation.report.labels import LABELS, p_value, percent, points
from finscribe_trainer.runtime.markdown import escape
from finscribe_trainer.tuning.experiments.plot import draw
from finscribe_trainer.tuning.experiments.results import (
    HTML_FILE,
    JSON_FILE,
    MARKDOWN_FILE,
    PLOT_FILE,
    Experiments,
    State,
    Trained,
)
from finscribe_trainer.tuning.pages.page import Page, PageTable, Section, render

_DIFFERENCES = ("Experiment", "Difference, points", "95 % interval", "p", "p, adjusted", "Documents")
COLUMNS = ("Experiment", "Changed", "Best step", "Val. loss")


def write_results(experiments: Experiments, folder: Path) -> list[Path]:
    """Write all files, each atomically; returns their paths."""
    best = experiments.best
    data = {**asdict(experiments), "best": best.name if best else None}
    contents = {
        JSON_FILE: json.dumps(data, indent=2).encode() + b"\n",
        MARKDOWN_FILE: markdown(experiments).encode(),
        HTML_FILE: render(_page(experiments)),
        PLOT_FILE: draw(experiments),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def headline(experiments: Experiments) -> str:
    """The best experiment by the metric, and how its documents compare with the baseline's."""
    best, base = experiments.best, experiments.runs[0]
    if best is None or best.best is None:
        return "No experiment has finished."
    metric = "Lowest validation loss" if experiments.metric == "eval_loss" else f"Best {experiments.metric}"
    text = f"{metric}: {best.name}, {best.best.metric:.4g}"
    if best is base:
        return f"{text}: no change was better than the baseline."
    if base.best:
        text += f" (baseline: {base.best.metric:.4g})"
    return f"{text}. Documents: {best.judgement.said}." if best.judgement else f"{text}."


def notes(experiments: Experiments) -> list[str]:
    """Failures, and limitations of the comparison."""
    found = [f"{run.name} failed: {run.problem}" for run in experiments.runs if run.problem]
    found += [
        "Each was trained once, so that part of any difference is random. An experiment that changes only "
        "training.seed shows how large that part is."
    ]
    if (
        sum(run.judgement is not None and run.judgement.p_adjusted is not None for run in experiments.runs)
        > 1
    ):
        found.append("p is adjusted for the number of experiments (Holm).")
    return found


def columns(experiments: Experiments) -> list[str]:
    """Column names of the table."""
    metric = [] if experiments.metric == "eval_loss" else [str(experiments.metric)]
    return [*COLUMNS, *metric, LABELS[experiments.judged_by], "Against the baseline"]


def row(run: Trained, experiments: Experiments) -> list[str]:
    """The cells of a run's row."""
    changed = ", ".join(f"{path} = {json.dumps(value)}" for path, value in run.overrides.items()) or "nothing"
    kept = run.best
    cells = [run.name, changed, str(kept.step) if kept else "", f"{kept.loss:.4g}" if kept else ""]
    if experiments.metric != "eval_loss":
        cells.append(f"{kept.metric:.4g}" if kept and kept.metric is not None else "")
    return [*cells, percent(run.figure.value) if run.figure else "", _comparison_text(run)]


def _comparison_text(run: Trained) -> str:
    if run.state is State.failed:
        return f"failed: {run.problem.partition(':')[0]}"
    if run.state is not State.finished:
        return str(run.state)
    return run.judgement.said if run.judgement else "the baseline"


def markdown(experiments: Experiments) -> str:
    """The results as CommonMark with a table."""
    return "\n\n".join(_sections(experiments)) + "\n"


def _sections(experiments: Experiments) -> Iterator[str]:
    yield "# Experiments"
    yield f"**{escape(headline(experiments))}**"
    head = columns(experiments)
    yield _table(head, [row(run, experiments) for run in experiments.runs])
    yield from (escape(note) for note in notes(experiments))
    yield f"![validation losses]({PLOT_FILE})"
    compared = [run for run in experiments.runs if run.judgement and run.judgement.difference]
    if compared:
        yield f"## {LABELS[experiments.judged_by]}, against the baseline"
        yield _table(_DIFFERENCES, [_difference(run) for run in compared])
    for run in experiments.runs:
        if texts := _texts(run):
            yield f"## {escape(run.name)}"
            yield from (f"{label}{escape(text)}" for label, text in texts)


def _texts(run: Trained) -> list[tuple[str, str]]:
    """What the plan says of an experiment, with labels."""
    texts = (("", run.description), ("Expected: ", run.expected_behavior), ("Notes: ", run.notes))
    return [(label, text) for label, text in texts if text]


def _page(experiments: Experiments) -> Page:
    return Page("Experiments", headline(experiments), notes(experiments), list(_page_sections(experiments)))


def _page_sections(experiments: Experiments) -> Iterator[Section]:
    yield Section(
        "Results", table=PageTable(columns(experiments), [row(run, experiments) for run in experiments.runs])
    )
    lines = [
        Line(
            run.name,
            colour_of_run(place),
            [(one.step, one.loss) for one in run.evaluations],
            run.best.step if run.best else None,
        )
        for place, run in enumerate(experiments.runs)
    ]
    if any(line.points for line in lines):
        caption = "The large dots are the exported adapters."
        yield Section("Validation losses", lines, ("step", "validation loss"), caption)
    compared = [run for run in experiments.runs if run.judgement and run.judgement.difference]
    if compared:
        title = f"{LABELS[experiments.judged_by]}, against the baseline"
        yield Section(title, table=PageTable(_DIFFERENCES, [_difference(run) for run in compared]))
    for run in experiments.runs:
        if texts := _texts(run):
            yield Section(run.name, texts=[f"{label}{text}" for label, text in texts])


def _difference(run: Trained) -> list[str]:
    assert run.judgement and run.judgement.difference and run.judgement.p_adjusted is not None
    by = run.judgement.difference
    return [
        run.name,
        points(by.value),
        f"{points(by.low)} to {points(by.high)}",
        p_value(by.p_value).removeprefix("p = "),
        p_value(run.judgement.p_adjusted).removeprefix("p = "),
        str(by.documents),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([escape(cell) for cell in cells] for cells in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
