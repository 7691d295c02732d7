"""Renders a comparison as Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from finscribe_trainer.evaluation.compare import Comparison, ErrorPair, Pair
from finscribe_trainer.evaluation.gate import Judgement
from finscribe_trainer.evaluation.report.findings import Findings
from finscribe_trainer.evaluation.report.gate_legend import gate_legend
from finscribe_trainer.evaluation.report.labels import (
    ERROR_KINDS,
    EXTRA_LABELS,
    GATE_LABELS,
    LABELS,
    p_value,
    percent,
    percent_with_interval,
    points,
    words,
)
from finscribe_trainer.evaluation.report.provenance import provenance
from finscribe_trainer.evaluation.report.shown_documents import ShownDocument, shown_documents
from finscribe_trainer.evaluation.report.side_by_side import side_by_side
from finscribe_trainer.evaluation.report.summary import caveats, summary_sentence
from finscribe_trainer.runtime.markdown import escape

TITLE = "Tuned model against base model"
SHOWN_FIELDS = 200
_SHOWN_LEAVES = 10
_SHOWN_CHARACTERS = 60


def markdown(comparison: Comparison, findings: Findings | None = None) -> str:
    """The report, as CommonMark with tables; texts of documents and models are escaped.

    Args:
        comparison: the comparison to report.
        findings: what the run has found besides; None outside a run.
    """
    return "\n\n".join(_sections(comparison, findings or Findings())) + "\n"


def _sections(comparison: Comparison, findings: Findings) -> Iterator[str]:
    yield f"# {TITLE}"
    yield f"**{escape(summary_sentence(comparison))}**"
    yield (
        f"By field accuracy, {comparison.improved} documents improved over the base model, "
        f"{comparison.unchanged} are unchanged, and {comparison.regressed} regressed."
    )
    if notes := [*findings.notes, *caveats(comparison)]:
        yield "\n".join(f"> - {escape(note)}" for note in notes)
    if findings.judgement is not None:
        yield from _gate_of_run(findings.judgement)
    if findings.unattended:
        yield "## Documents that need no human"
        head = ("Promised right", "Without a human", "Right among these", "On the validation documents")
        yield _table(head, findings.straight_through_rows())
        yield findings.straight_through_legend
    yield "## Metrics"
    yield _metrics(comparison)
    yield (
        "In brackets: 95 % confidence intervals (bootstrap over documents). Differences are in percentage "
        "points, paired by document. p-values are of a sign-flip test, not adjusted for multiple metrics."
    )
    if comparison.gates:
        yield "## Validation, gate by gate"
        yield _gates(comparison)
        yield "The ceiling is the share of ground truths that pass: the most that a model can reach."
    if comparison.regions:
        yield "## Regions of the page, most regressed first"
        yield _pairs("Region", [(words(pair.name), pair) for pair in comparison.regions])
    if comparison.fields:
        yield "## Fields, most regressed first"
        yield _pairs("Field", [(pair.name, pair) for pair in comparison.fields[:SHOWN_FIELDS]])
        if len(comparison.fields) > SHOWN_FIELDS:
            yield f"{len(comparison.fields) - SHOWN_FIELDS} more fields are in the results files."
    if comparison.errors:
        yield "## Errors by kind"
        yield _errors(comparison)
        yield f"Numbers of values, base model → tuned model. {ERROR_KINDS}"
    for title, shown in shown_documents(comparison):
        yield from _documents(title, shown)
    yield "## How it was measured"
    yield _provenance(comparison)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---:") -> str:
    line = ["---", *(align for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, line, *rows))


def _gate_of_run(judgement: Judgement) -> Iterator[str]:
    verdict, changes = judgement.verdict, judgement.fields
    yield f"## Evaluation gate: {'passed' if verdict.passed else 'failed'}"
    yield escape(verdict.message)
    if changes is None or not changes.tested:
        return
    yield _table(
        ("Field", "Before", "Tuned", "Change", "At worst", "Documents", ""),
        (
            (
                escape(change.name),
                percent(change.before),
                percent(change.after),
                points(change.change),
                points(change.low),
                str(change.documents),
                "fails" if change.low < -judgement.margin else "passes",
            )
            for change in changes.tested[:SHOWN_FIELDS]
        ),
    )
    yield escape(gate_legend(judgement))


def _errors(comparison: Comparison) -> str:
    everything = ErrorPair(
        "all fields", comparison.base.summary.all_errors, comparison.tuned.summary.all_errors
    )
    return _table(
        ("Field", "Missing", "Wrong", "Invented"),
        (
            (escape(pair.name), *(f"{was} → {now}" for was, now in zip(pair.base, pair.tuned, strict=True)))
            for pair in (everything, *comparison.errors[:SHOWN_FIELDS])
        ),
    )


def _metrics(comparison: Comparison) -> str:
    rows: list[tuple[str, ...]] = []
    for pair in comparison.metrics:
        by = pair.difference
        difference = f"{points(by.value)} [{points(by.low)}, {points(by.high)}]"
        cells = (
            percent_with_interval(pair.base),
            percent_with_interval(pair.tuned),
            difference,
            escape(p_value(by.p_value)),
        )
        rows.append((escape(LABELS[pair.name]), *cells, pair.documents))
    for extra in comparison.extra:
        cells = (
            percent_with_interval(extra.base),
            percent_with_interval(extra.tuned),
            points(extra.change),
            "",
        )
        rows.append((EXTRA_LABELS[extra.name], *cells, extra.documents))
    return _table(("Metric", "Base", "Tuned", "Difference", "p-value", "Documents"), rows)


def _gates(comparison: Comparison) -> str:
    return _table(
        ("The answer …", "Base", "Tuned", "Ceiling"),
        (
            (
                GATE_LABELS[gate.name],
                percent_with_interval(gate.base),
                percent_with_interval(gate.tuned),
                percent(gate.ceiling.value) if gate.ceiling else "",
            )
            for gate in comparison.gates
        ),
    )


def _pairs(what: str, named: Iterable[tuple[str, Pair]]) -> str:
    return _table(
        (what, "Base", "Tuned", "Difference", "Documents"),
        (
            (
                escape(name),
                percent_with_interval(pair.base),
                percent_with_interval(pair.tuned),
                points(pair.change),
                pair.documents,
            )
            for name, pair in named
        ),
    )


def _documents(title: str, documents: Sequence[ShownDocument]) -> Iterator[str]:
    yield f"## {title}"
    for shown in documents:
        document = shown.document
        yield (
            f"### {shown.kind.capitalize()}: {percent(document.tuned_accuracy)} of the fields of "
            f"{escape(document.base.where)}, {percent(document.base_accuracy)} with the base model"
        )
        wrong = [leaf for leaf in side_by_side(document).leaves if leaf.differs]
        if not wrong:
            yield "All fields are correct with both models."
            continue
        yield _table(
            ("Field", "Ground truth", "Base", "Tuned"),
            (
                (
                    escape(_cut(leaf.path)),
                    escape(_cut(leaf.gold)),
                    _predicted(leaf.base, leaf.base_correct),
                    _predicted(leaf.tuned, leaf.tuned_correct),
                )
                for leaf in wrong[:_SHOWN_LEAVES]
            ),
            align="---",
        )
        if len(wrong) > _SHOWN_LEAVES:
            yield f"{len(wrong) - _SHOWN_LEAVES} more fields differ."


def _predicted(value: str | None, correct: bool) -> str:
    return "correct" if correct else escape(_cut(value)) or "(missing)"


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _provenance(comparison: Comparison) -> str:
    rows = provenance(comparison.base, comparison.tuned)
    return _table(("", "Base", "Tuned"), ([escape(cell) for cell in row] for row in rows), align="---")
