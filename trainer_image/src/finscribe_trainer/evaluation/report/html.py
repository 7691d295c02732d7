"""A comparison as one HTML page that needs neither network nor script (report.html.jinja, report.css)."""

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
from finscribe_trainer.evaluation.compare import Comparison, Reading
from finscribe_trainer.evaluation.report import labels
from finscribe_trainer.evaluation.report.headline import headline, notes
from finscribe_trainer.evaluation.report.plots import changes_plot, fields_plot, metrics_plot
from finscribe_trainer.evaluation.report.provenance import provenance
from finscribe_trainer.evaluation.report.side_by_side import Leaf, SideBySide, side_by_side

T = TypeVar("T")

SHOWN_FIELDS = 500
"""Rows of the table of fields."""
PLOTTED_FIELDS = 24
SHOWN_DOCUMENTS = 5
"""Documents of each kind, greatest losses and greatest gains."""
_SHOWN_PAGES = 2
_SHOWN_LEAVES = 60
_SHOWN_CHARACTERS = 20_000
"""Of one value or answer; the results file has the rest."""

_THUMBNAIL_PIXELS = 1000
"""The longest side of a page in the report: print stays legible, and a page takes about 100 kB."""


@dataclass(frozen=True)
class _Document:
    """A document as the page shows it."""

    reading: Reading
    pages: list[str | None]
    """Data URIs; None for a page that is not on this machine."""
    compared: SideBySide
    wrong: list[Leaf]
    """Leaves that a model did not read, up to a limit."""
    unshown: int
    """Those beyond it."""


def html(comparison: Comparison) -> str:
    """The page. Every text of documents and models is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
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
        "breakable": _breakable,
    }
    changed_most = sorted(comparison.fields, key=lambda pair: abs(pair.change), reverse=True)[:PLOTTED_FIELDS]
    return environment.get_template("report.html.jinja").render(
        comparison=comparison,
        headline=headline(comparison),
        notes=notes(comparison),
        labels=labels.LABELS,
        extra=labels.EXTRA,
        extra_meanings=labels.EXTRA_MEANINGS,
        gates=labels.GATES,
        meanings=labels.MEANINGS,
        metrics_plot=_plot(metrics_plot, comparison.metrics),
        fields_plot=_plot(fields_plot, sorted(changed_most, key=lambda pair: pair.change, reverse=True)),
        changes_plot=_plot(changes_plot, comparison.readings),
        fields=comparison.fields[:SHOWN_FIELDS],
        plotted=len(changed_most),
        groups=[
            ("Greatest losses", [_document(r) for r in comparison.regressions(SHOWN_DOCUMENTS)]),
            ("Greatest gains", [_document(r) for r in comparison.gains(SHOWN_DOCUMENTS)]),
        ],
        measured=provenance(comparison.base, comparison.tuned),
    )


def _plot(draw: Callable[[Sequence[T]], str], items: Sequence[T]) -> Markup:
    """A plot, if there is something to draw. It is markup already: matplotlib escapes the names in it."""
    return Markup(draw(items)) if items else Markup()  # noqa: S704 - see above


def _document(reading: Reading) -> _Document:
    compared = side_by_side(reading)
    wrong = [leaf for leaf in compared.leaves if leaf.differs]
    return _Document(
        reading,
        [thumbnail_uri(Path(name)) for name in reading.base.images[:_SHOWN_PAGES]],
        compared,
        wrong[:_SHOWN_LEAVES],
        max(0, len(wrong) - _SHOWN_LEAVES),
    )


def _bounded(text: str) -> str:
    rest = len(text) - _SHOWN_CHARACTERS
    return text if rest <= 0 else f"{text[:_SHOWN_CHARACTERS]}… ({rest} more characters)"


def _breakable(path: str) -> Markup:
    """A path that a line may break after each of its parts."""
    return Markup("<wbr>").join(re.split(r"(?<=[._\]])", path))  # escapes what it joins


def thumbnail_uri(path: Path) -> str | None:
    """The image as a small JPEG in a data: URI; None when it can't be read on this machine.

    Results may come from another machine: what is at that path here need not be an image.
    """
    try:
        image = open_image(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    image.thumbnail((_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=72, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
