"""Renders a comparison as a self-contained HTML page without scripts (report.html.jinja)."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.report import labels
from finscribe_trainer.evaluation.report.boxes import boxes_by_row
from finscribe_trainer.evaluation.report.document_view import FILTERS, DocumentView, view_document
from finscribe_trainer.evaluation.report.environment import page_environment
from finscribe_trainer.evaluation.report.findings import Findings
from finscribe_trainer.evaluation.report.gate_legend import gate_legend
from finscribe_trainer.evaluation.report.page_images import READABLE_PIXELS, PageImage, page_image
from finscribe_trainer.evaluation.report.pages import Pages
from finscribe_trainer.evaluation.report.plots import changes_plot, fields_plot, metrics_plot
from finscribe_trainer.evaluation.report.provenance import provenance
from finscribe_trainer.evaluation.report.shown_documents import shown_documents
from finscribe_trainer.evaluation.report.summary import caveats, summary_sentence
from finscribe_trainer.evaluation.report.training_view import TrainingView

T = TypeVar("T")

SHOWN_FIELDS = 500
"""Maximum number of rows in the table of fields."""
PLOTTED_FIELDS = 24
SHOWN_TYPES = 10
"""Document types that have a filter, the most frequent ones."""
_SHOWN_PAGES = 2
_SMALL_PIXELS, _SMALL_QUALITY = 640, 60
"""Pages of the documents that are no examples: about 30 kB each."""
_MAX_PAGE_BYTES = 12_000_000
"""Of all pages together; later documents are shown without their pages."""


@dataclass(frozen=True)
class _Entry:
    """A document of the report."""

    kind: str
    """regressed, best, typical or worst for an example, which is shown at first; else empty."""
    view: DocumentView
    pages: list[PageImage | None]
    """None for a page that is not on this machine."""
    left_out: bool
    """Whether its pages are left out, as the report is large enough."""
    filters: tuple[str, ...]
    """CSS classes: those of `document_view.FILTERS`, `example`, and the number of its type."""


def html(
    comparison: Comparison,
    pages: Pages | None = None,
    findings: Findings | None = None,
    training: TrainingView | None = None,
) -> str:
    """The page's HTML; all texts of documents and models are escaped.

    Args:
        comparison: the comparison to report.
        pages: the images of its documents that are on this machine; none when None.
        findings: what the run has found besides; None outside a run.
        training: the training of the tuned model; None when it is not known.
    """
    findings = findings or Findings()
    judgement = findings.judgement
    environment = page_environment()
    changed_most = sorted(comparison.fields, key=lambda pair: abs(pair.change), reverse=True)[:PLOTTED_FIELDS]
    entries = list(_entries(comparison, pages or {}))
    types = Counter(entry.view.document_type for entry in entries)
    return environment.get_template("report.html.jinja").render(
        comparison=comparison,
        summary=summary_sentence(comparison),
        caveats=[*findings.notes, *caveats(comparison)],
        findings=findings,
        judgement=judgement,
        gate_legend=gate_legend(judgement) if judgement and judgement.fields else "",
        errors=comparison.errors[:SHOWN_FIELDS],
        error_kinds=labels.ERROR_KINDS,
        labels=labels.LABELS,
        extra=labels.EXTRA_LABELS,
        extra_meanings=labels.EXTRA_MEANINGS,
        gates=labels.GATE_LABELS,
        meanings=labels.MEANINGS,
        metrics_plot=_plot(metrics_plot, comparison.metrics),
        fields_plot=_plot(fields_plot, sorted(changed_most, key=lambda pair: pair.change, reverse=True)),
        changes_plot=_plot(changes_plot, comparison.documents),
        fields=comparison.fields[:SHOWN_FIELDS],
        plotted=len(changed_most),
        entries=entries,
        filters=_filters(entries),
        types=types.most_common(SHOWN_TYPES) if len(types) > 1 else [],
        training=training,
        provenance=provenance(comparison.base, comparison.tuned),
    )


def _plot(draw: Callable[[Sequence[T]], str], items: Sequence[T]) -> Markup:
    """The plot's SVG, or nothing if there are no items; matplotlib has escaped the names in it."""
    return Markup(draw(items)) if items else Markup()  # noqa: S704 - see above


def _filters(entries: Sequence[_Entry]) -> list[tuple[str, str, int]]:
    """(class, label, documents) of each filter, the one to begin with first, or none."""
    counts = Counter(name for entry in entries for name in ("all", *entry.filters))
    named = {"example": "Examples", "all": "All", **FILTERS}
    found = [
        (name, label, counts[name])
        for name, label in named.items()
        if name == "all" or 0 < counts[name] < len(entries)
    ]
    return found if len(found) > 1 else []


def _entries(comparison: Comparison, pages: Pages) -> Iterator[_Entry]:
    """The examples, then all other documents, most regressed first."""
    kinds = {
        shown.document.base.where: shown.kind
        for _, examples in shown_documents(comparison)
        for shown in examples
    }
    in_order = sorted(comparison.documents, key=lambda document: document.base.where not in kinds)
    order = {where: place for place, where in enumerate(kinds)}
    in_order.sort(key=lambda document: order.get(document.base.where, len(order)))
    boxes = boxes_by_row(comparison.base.data.source, [document.base.where for document in in_order])
    views = [view_document(document, boxes.get(document.base.where, ())) for document in in_order]
    types = [name for name, _ in Counter(view.document_type for view in views).most_common()]
    num_bytes = 0
    for view in views:
        where = view.document.base.where
        kind = kinds.get(where, "")
        left_out = num_bytes > _MAX_PAGE_BYTES
        size = (READABLE_PIXELS, 72) if kind else (_SMALL_PIXELS, _SMALL_QUALITY)
        names = () if left_out else view.document.base.images[:_SHOWN_PAGES]
        images = [page_image(pages.get(name), *size) for name in names]
        num_bytes += sum(len(image.jpeg) for image in images if image)
        filters = (*(("example",) if kind else ()), *view.filters, f"type-{types.index(view.document_type)}")
        yield _Entry(kind, view, images, left_out and bool(view.document.base.images), filters)
