"""Sidebar: issuer and header fields in a coloured column at the left, the document to its right."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import plain

_WIDTH = 196


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    accent = page.rng.choice(components.ACCENTS)
    dark = page.rng.random() < 0.6
    page.fill((0, 0, _WIDTH, page.height), accent if dark else tint(accent, 0.12))
    left, right = _WIDTH + 30, page.width - 40
    if content.footer:
        face = page.face(0.82)
        lines = components.wrapped([plain(text) for text in content.footer], face, right - left)
        page.lines(left, page.height - 36 - len(lines) * face.line, lines, face, ink=GREY)
        page.floor = page.height - 50 - len(lines) * face.line
    _draw_column(page, content, accent, dark=dark)

    title = page.fitting(blocks.title(content), right - left, 36, "light")
    page.text(left, 50, blocks.title(content), title, ink=accent)
    y = 74.0 + title.line
    recipient = blocks.addressee(content)
    if recipient:
        label = page.face(0.85, "bold")
        page.text(left, y, recipient.label.upper(), label, ink=GREY)
        y = components.draw_party(page, left, y + label.line + 2, (right - left) * 0.6, recipient, content)
    items = pick_item_style(content, page.rng)
    style = TableStyle(head_ink=accent, head_rule=accent, row_rule=(226, 227, 231), end_rule=accent, pad=6)
    y = draw_item_table(page, content, (left, right), y + 30, items, style) + 12
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(
        page, (right - 310, right), y, totals, grand, rule=accent, ink=accent, scale=1.3
    )
    return components.draw_notes(page, left, y + 20, right - left, content.notes)


def _draw_column(page: Canvas, content: DocumentContent, accent: Colour, *, dark: bool) -> None:
    side, locale = blocks.issuer(content), content.locale
    ink, pale = (WHITE, tint(accent, 0.25)) if dark else (BLACK, accent)
    x, width = 22, _WIDTH - 38
    face, small = page.face(0.92), page.face(0.78, "bold")
    longest = max(side.party.name.split(), key=len)
    name = page.fitting(longest, width, 21)
    y = page.lines(x, 54, components.wrapped([blocks.name(side)], name, width), name, ink=ink) + 6
    if content.slogan:
        italic = page.face(0.85, "italic")
        y = page.lines(x, y, components.wrapped([plain(content.slogan)], italic, width), italic, ink=pale) + 8
    for lines in (blocks.address(side, locale), blocks.contact(side, locale), blocks.tax_id(side, locale)):
        # Lines wrap between label and value in a narrow column; long email addresses use a smaller font.
        words = [word for line in lines for run in line for word in run.text.split(" ")]
        face = page.fitting(max(words, key=len, default=""), width, round(page.type_size * 0.92), "regular")
        y = page.lines(x, y + 6, components.wrapped(lines, face, width), face, ink=ink)
    y, face = y + 24, page.face(0.92)
    for field in blocks.header_fields(content):
        y = page.lines(x, y, components.wrapped([field.label], small, width), small, ink=pale)
        y = page.lines(x, y, components.wrapped([field.value], face, width), face, ink=ink) + 8
    if content.bank:
        y = page.lines(x, y + 16, [locale.labels["bank_details"]], small, ink=pale)
        for label, value in content.bank:
            lines = components.wrapped([plain(f"{label} {value}")], page.face(0.82), width)
            y = page.lines(x, y, lines, page.face(0.82), ink=ink)
