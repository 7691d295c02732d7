"""The page templates, one per file, and their rendering."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.fonts import LACKS
from finscribe_trainer.data_tools.synthetic.layout import Canvas, PageFullError, union
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.templates import (
    account,
    band,
    bistro,
    classic,
    columns,
    form,
    grid,
    ledger,
    letter,
    serif,
    sidebar,
    slip,
    till,
)

_SHEETS = {"a4": (827, 1169), "letter": (850, 1100)}
"""Paper sizes in pixels at 100 dpi."""
_SIZES = (
    (13.5, 1.0),
    (12.5, 1.0),
    (11.5, 1.0),
    (10.5, 1.0),
    (9.5, 1.0),
    (8.75, 1.0),
    (8.75, 1.15),
    (8.75, 1.4),
)
"""Font sizes in pixels, and scale factors of the page, tried in order until the content fits."""
_SANS = ("roboto", "source-sans", "dejavu-sans")
_SERIF = ("source-serif", "times", "dejavu-serif")


@dataclass(frozen=True)
class Template:
    """A page template."""

    name: str
    kinds: tuple[str, ...]
    """The document types it supports."""
    families: tuple[str, ...]
    """The font families it may use."""
    draw: Callable[[Canvas, DocumentContent], float]
    """Draws the page and returns the y of its end; raises PageFullError if the content does not fit."""
    width: int = 0
    """Width in pixels of a receipt as long as its content; 0 for a sheet of the country's paper size."""
    finish: Callable[[Page, random.Random], Page] | None = None
    """Post-processing of the finished page."""


TEMPLATES = {
    template.name: template
    for template in (
        Template("letter", ("invoice", "purchase_order"), (*_SANS, "times"), letter.draw),
        Template("band", ("invoice", "purchase_order"), _SANS, band.draw),
        Template("serif", ("invoice", "statement"), _SERIF, serif.draw),
        Template("grid", ("invoice", "purchase_order"), (*_SANS, "times"), grid.draw),
        Template("classic", ("invoice",), (*_SANS, *_SERIF), classic.draw),
        Template("sidebar", ("invoice", "statement"), _SANS, sidebar.draw),
        Template("till", ("receipt",), ("mono",), till.draw, width=440, finish=till.add_desk_background),
        Template("bistro", ("receipt",), ("mono", *_SERIF, "source-sans"), bistro.draw, width=480),
        Template("slip", ("receipt",), (*_SANS, *_SERIF), slip.draw, width=620),
        Template("account", ("statement",), (*_SANS, "times"), account.draw),
        Template("ledger", ("statement",), ("mono", "source-sans", "dejavu-serif"), ledger.draw),
        Template("form", ("purchase_order",), (*_SANS, "times"), form.draw),
        Template("columns", ("purchase_order", "invoice"), (*_SANS, "source-serif"), columns.draw),
    )
}


def render(content: DocumentContent, template: str, rng: random.Random) -> Page:
    """Draw a document.

    Args:
        content: The document; its type is one of the template's kinds.
        template: A name of `TEMPLATES`.
        rng: Source of the template's variation: fonts, colours, columns, margins.

    Raises:
        PageFullError: it does not fit at any size, which happens only with more than 25 lines.
    """
    chosen = TEMPLATES[template]
    symbol = content.locale.symbol.strip()
    family = rng.choice([name for name in chosen.families if symbol not in LACKS.get(name, "")])
    seed = rng.getrandbits(64)
    for type_size, scale in _SIZES[rng.randrange(2) :]:
        width, height = (chosen.width, 2600) if chosen.width else _SHEETS[content.locale.paper]
        size = (round(width * scale), round(height * scale))
        page = Canvas(size, family, type_size, random.Random(seed))  # noqa: S311 - layout variation, not cryptography
        try:
            end = chosen.draw(page, content)
        except PageFullError as error:
            full = error
            continue
        if chosen.width:
            page.image = page.image.crop((0, 0, page.width, round(end)))
        drawn = Page(page.image, _with_lines(page.boxes))
        return chosen.finish(drawn, page.rng) if chosen.finish else drawn
    raise full


def _with_lines(boxes: dict[str, tuple[int, int, int, int]]) -> dict[str, tuple[int, int, int, int]]:
    """The boxes, plus the bounding box of all fields of each line item."""
    found = dict(boxes)
    for path, box in boxes.items():
        line, dot, _ = path.partition("].")
        if dot:
            found[f"{line}]"] = union(found.get(f"{line}]", box), box)
    return found
