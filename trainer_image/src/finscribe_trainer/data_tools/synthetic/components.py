"""Draws the components that templates share: parties, header fields, totals, notes and footers."""

from collections.abc import Sequence

from finscribe_trainer.data_tools.synthetic import blocks
from finscribe_trainer.data_tools.synthetic.blocks import Labelled, Side
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.fonts import Face
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Align, Canvas, Colour
from finscribe_trainer.data_tools.synthetic.text_runs import Line, plain, wrap

ACCENTS: tuple[Colour, ...] = (
    (28, 62, 110),
    (0, 102, 104),
    (148, 32, 44),
    (36, 92, 58),
    (92, 44, 104),
    (196, 92, 20),
    (58, 66, 78),
    (20, 112, 172),
)
"""Accent colours, dark enough for white text."""


def wrapped(lines: Sequence[Line], face: Face, width: float) -> list[Line]:
    """Wrap lines that are wider than `width`."""
    return [part for line in lines for part in wrap(line, face, width)]


def draw_party(  # noqa: PLR0913 - where and what
    page: Canvas,
    x: float,
    y: float,
    width: float,
    side: Side,
    content: DocumentContent,
    *,
    tax: bool = True,
    contact: bool = False,
    align: Align = "left",
) -> float:
    """Draw a party: its name in bold, then its address; returns the y below."""
    face, bold = page.face(), page.face(weight="bold")
    locale = content.locale
    y = page.lines(x, y, wrapped([blocks.name(side)], bold, width), bold, align=align)
    lines = blocks.address(side, locale)
    lines += blocks.contact(side, locale) if contact else []
    lines += blocks.tax_id(side, locale) if tax else []
    return page.lines(x, y, wrapped(lines, face, width), face, align=align)


def draw_header_fields(  # noqa: PLR0913 - where and what
    page: Canvas,
    span: tuple[float, float],
    y: float,
    fields: Sequence[Labelled],
    *,
    right: bool = False,
    label_ink: Colour = GREY,
    bold: bool = False,
) -> float:
    """Draw header fields below each other, values in a second column; returns the y below.

    With `right`, the values are right-aligned. A value too wide for its column is put below its label.
    """
    face, label_face = page.face(), page.face(weight="bold" if bold else "regular")
    left, end = span
    start = left + max(page.width_of(field.label, label_face) for field in fields) + page.type_size
    for field in fields:
        page.text(left, y, field.label, label_face, ink=label_ink)
        fits_beside = page.width_of(field.value, face) <= end - start
        if not fits_beside:
            y += face.line
        room = end - (start if fits_beside else left)
        for line in wrap(field.value, face, room):
            if right:
                page.text(end, y, line, face, align="right")
            else:
                page.text(start if fits_beside else left, y, line, face)
            y += face.line
        y += 1
    return y


def draw_header_field_cells(  # noqa: PLR0913 - where and what
    page: Canvas,
    span: tuple[float, float],
    y: float,
    fields: Sequence[Labelled],
    *,
    per_row: int = 4,
    frame: Colour | None = None,
    label_fill: Colour | None = None,
    label_ink: Colour = GREY,
) -> float:
    """Draw header fields next to each other, each label above its value, in boxes if `frame` is a colour."""
    small, face = page.face(0.82, "bold"), page.face()
    pad = 6 if frame else 0
    rows = [fields[i : i + per_row] for i in range(0, len(fields), per_row)]
    for row in rows:
        cell = (span[1] - span[0]) / (len(row) if frame else min(per_row, len(fields)))
        values = [wrap(field.value, face, cell - 2 * pad - 8) for field in row]
        head = small.line + pad
        bottom = y + head + max(map(len, values)) * face.line + pad + 2
        for i, field in enumerate(row):
            x, end = round(span[0] + i * cell), round(span[0] + (i + 1) * cell)
            if label_fill:
                page.fill((x, y, end, y + head), label_fill)
            if frame:
                page.frame((x, y, end + 1, bottom + 1), frame)
            page.text(x + pad, y + pad / 2, _short(field.label, small, cell - 2 * pad), small, ink=label_ink)
            page.lines(x + pad, y + head + 1, values[i], face)
        y = bottom + (0 if frame else 4)
    return y


def _short(line: Line, face: Face, width: float) -> Line:
    """The first line of a label that is wrapped to the width of its cell."""
    return wrap(line, face, width)[0]


def draw_totals(  # noqa: PLR0913 - where and what
    page: Canvas,
    span: tuple[float, float],
    y: float,
    lines: Sequence[Labelled],
    grand: Labelled,
    *,
    fill: Colour | None = None,
    ink: Colour = BLACK,
    rule: Colour | None = BLACK,
    scale: float = 1.2,
) -> float:
    """Draw totals, labels left and amounts right, and the grand total larger, on a bar of colour `fill`."""
    left, right = span[0] + page.inset, span[1] - page.inset
    face, strong = page.face(), page.face(scale, "bold")
    for labelled in lines:
        room = right - left - page.width_of(labelled.value, face) - page.type_size
        label = wrap(labelled.label, face, room)
        page.text(right, y, labelled.value, face, align="right")
        y = page.lines(left, y, label, face) + 2
    y += 3
    room = right - left - page.width_of(grand.value, strong) - page.type_size
    label = wrap(grand.label, strong, max(room, page.width_of(grand.label, strong) / 2))
    below = page.width_of(label[0], strong) > room
    height = strong.line * (len(label) + below) + 8
    if fill:
        page.fill((span[0], y, span[1], y + height), fill)
    elif rule:
        page.rule(span[0], span[1], y, rule, 2)
    page.lines(left, y + 4, label, strong, ink=ink)
    page.text(right, y + height - 4 - strong.line, grand.value, strong, align="right", ink=ink)
    return y + height


def draw_notes(page: Canvas, x: float, y: float, width: float, notes: Sequence[str]) -> float:
    """Draw notes; returns the y below."""
    face = page.face(0.92)
    for note in notes:
        y = page.lines(x, y, wrap(plain(note), face, width), face, ink=GREY) + 3
    return y


def draw_footer(
    page: Canvas, content: DocumentContent, span: tuple[float, float], *, rule: Colour | None = None
) -> None:
    """Draw bank details and footer lines, centred at the bottom of the page, and move the floor above."""
    face = page.face(0.82)
    bank = "  ·  ".join(f"{label} {value}" for label, value in content.bank)
    texts = ([bank] if bank else []) + list(content.footer)
    lines = wrapped([plain(text) for text in texts], face, span[1] - span[0])
    top = page.height - 40 - len(lines) * face.line
    page.lines((span[0] + span[1]) / 2, top, lines, face, align="center", ink=GREY)
    if rule and lines:
        page.rule(*span, top - 8, rule)
    page.floor = round(top - 16)


def draw_footer_columns(
    page: Canvas, content: DocumentContent, span: tuple[float, float], ink: Colour = GREY
) -> None:
    """Draw name, contact and bank of the issuer in columns at the bottom; move the floor above them."""
    face, locale, side = page.face(0.8), content.locale, blocks.issuer(content)
    columns: list[list[Line]] = [
        [plain(side.party.name), *([plain(content.slogan)] if content.slogan else [])],
        [*blocks.contact(side, locale), *blocks.tax_id(side, locale)],
        [plain(f"{label} {value}") for label, value in content.bank],
    ]
    columns = [column for column in columns if column]
    extra = wrapped([plain(text) for text in content.footer], face, span[1] - span[0])
    width = (span[1] - span[0]) / len(columns)
    texts = [wrapped(column, face, width - 14) for column in columns]
    height = (max(map(len, texts)) + len(extra)) * face.line
    top = page.height - 36 - height
    page.rule(*span, top - 8)
    for i, column in enumerate(texts):
        page.lines(span[0] + i * width, top, column, face, ink=ink)
    page.lines(span[0], page.height - 36 - len(extra) * face.line, extra, face, ink=ink)
    page.floor = top - 16
