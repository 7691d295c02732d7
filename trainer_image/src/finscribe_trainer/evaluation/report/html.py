"""Renders a comparison as a self-contained HTML page without scripts (report.html.jinja, report.css)."""

import base64
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from finscribe_trainer.data.images import open_image
from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.gate import Judgement
from finscribe_trainer.evaluation.report import labels
from finscribe_trainer.evaluation.report.gate_legend import gate_legend
from finscribe_trainer.evaluation.report.pages import Pages
from finscribe_trainer.evaluation.report.plots import changes_plot, fields_plot, metrics_plot
from finscribe_trainer.evaluation.report.provenance import provenance
from finscribe_trainer.evaluation.report.shown_documents import ShownDocument, shown_documents
from finscribe_trainer.evaluation.report.side_by_side import Leaf, SideBySide, side_by_side
from finscribe_trainer.evaluation.report.summary import caveats, summary_sentence

T = TypeVar("T")

SHOWN_FIELDS = 500
"""Maximum number of rows in the table of fields."""
PLOTTED_FIELDS = 24
_SHOWN_PAGES = 2
_SHOWN_LEAVES = 60
"""A document with more values is shown with those that at least one model got wrong."""
_UNREADABLE_CHARACTERS = 1000
"""Of an answer that is no JSON, beside the ground truth's values."""
_SHOWN_CHARACTERS = 20_000
"""Of one value or answer; the results file has the full text."""

_THUMBNAIL_PIXELS = 1000
"""Length of a page's longer side in the report: text stays legible, and a page takes about 100 kB."""


@dataclass(frozen=True)
class _DocumentView:
    """A document with what the page shows of it."""

    shown: ShownDocument
    pages: list[str | None]
    """Data URIs; None for a page that is not on this machine."""
    compared: SideBySide
    leaves: list[Leaf]
    """All leaves, or those that at least one model got wrong, up to a limit."""
    unshown: int
    """Number of wrong leaves beyond the limit."""


def page_environment(*folders: Path) -> Environment:
    """The templates in these folders, with the filters of pages; all texts are escaped."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": labels.percent,
        "points": labels.points,
        "p_value": labels.p_value,
        "words": labels.words,
        "bounded": _bounded,
        "excerpt": lambda text: _bounded(text, _UNREADABLE_CHARACTERS),
        "breakable": _breakable,
    }
    return environment


def html(
    comparison: Comparison,
    pages: Pages | None = None,
    notes: Sequence[str] = (),
    judgement: Judgement | None = None,
) -> str:
    """The page's HTML; all texts of documents and models are escaped.

    Args:
        comparison: the comparison to report.
        pages: the images of its documents that are on this machine; none when None.
        notes: sentences about the training, shown with the caveats.
        judgement: the gate's, if the run has one.
    """
    environment = page_environment(Path(__file__).parent)
    changed_most = sorted(comparison.fields, key=lambda pair: abs(pair.change), reverse=True)[:PLOTTED_FIELDS]
    return environment.get_template("report.html.jinja").render(
        comparison=comparison,
        summary=summary_sentence(comparison),
        caveats=[*notes, *caveats(comparison)],
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
        groups=[
            (title, [_document_view(document, pages or {}) for document in shown])
            for title, shown in shown_documents(comparison)
        ],
        provenance=provenance(comparison.base, comparison.tuned),
    )


def _plot(draw: Callable[[Sequence[T]], str], items: Sequence[T]) -> Markup:
    """The plot's SVG, or nothing if there are no items; matplotlib has escaped the names in it."""
    return Markup(draw(items)) if items else Markup()  # noqa: S704 - see above


def _document_view(shown: ShownDocument, pages: Pages) -> _DocumentView:
    compared = side_by_side(shown.document)
    wrong = [leaf for leaf in compared.leaves if leaf.differs]
    all_fit = len(compared.leaves) <= _SHOWN_LEAVES
    return _DocumentView(
        shown,
        [thumbnail_uri(pages.get(name)) for name in shown.document.base.images[:_SHOWN_PAGES]],
        compared,
        list(compared.leaves) if all_fit else wrong[:_SHOWN_LEAVES],
        0 if all_fit else max(0, len(wrong) - _SHOWN_LEAVES),
    )


def _bounded(text: str, characters: int = _SHOWN_CHARACTERS) -> str:
    rest = len(text) - characters
    return text if rest <= 0 else f"{text[:characters]}… ({rest} more characters)"


def _breakable(path: str) -> Markup:
    """A field's path with line-break opportunities after each component."""
    return Markup("<wbr>").join(re.split(r"(?<=[._\]])", path))  # escapes what it joins


def thumbnail_uri(path: Path | None) -> str | None:
    """The image as a small JPEG in a data: URI; None if it can't be read."""
    if path is None:
        return None
    try:
        image = open_image(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    image.thumbnail((_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=72, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
