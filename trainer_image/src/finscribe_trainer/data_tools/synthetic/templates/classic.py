"""Classic small-business invoice: a large title, and a box with the amount due."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import plain


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    accent = page.rng.choice(components.ACCENTS)
    left = page.rng.choice((54, 66))
    right = page.width - left
    components.draw_footer(page, content, (left, right))
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    y = _draw_head(page, content, left, right, accent)
    y = _draw_parties(page, content, left, right, y, accent)
    y = _draw_due(page, content, left, right, y, accent)

    items = pick_item_style(content, page.rng)
    filled = page.rng.random() < 0.5
    style = TableStyle(
        head_fill=accent if filled else None,
        head_ink=WHITE if filled else accent,
        head_rule=accent,
        row_rule=(222, 224, 228),
        end_rule=accent,
        upper=page.rng.random() < 0.3,
        pad=5,
    )
    y = draw_item_table(page, content, (left, right), y, items, style) + 10
    bottom = components.draw_totals(
        page,
        (right - 330, right),
        y,
        blocks.totals(content, symbol=items.symbol),
        grand,
        fill=tint(accent, 0.12),
        scale=1.25,
    )
    return max(bottom, components.draw_notes(page, left, y + 6, right - 360 - left, content.notes))


def _draw_head(page: Canvas, content: DocumentContent, left: int, right: int, accent: Colour) -> float:
    side, locale = blocks.issuer(content), content.locale
    small = page.face(0.92)
    x = left
    if page.rng.random() < 0.7:
        draw_logo(page, left, 50, 60, accent, side.party.name)
        x += 76
    title = page.fitting(blocks.title(content), (right - left) * 0.42, 40)
    page.text(right, 42, blocks.title(content), title, align="right", ink=accent)
    room = right - x - page.width_of(blocks.title(content), title) - 24
    name = page.fitting(blocks.name(side), room, 21)
    page.text(x, 46, blocks.name(side), name)
    y = 48.0 + name.line
    if content.slogan:
        y = page.lines(x, y, [content.slogan], page.fitting(content.slogan, room, 12.5, "italic"), ink=GREY)
    details = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    middle = (len(details) + 1) // 2
    y = max(y + 4, 46 + title.line if room < 260 else 0)
    first = page.lines(x, y, details[:middle], small, ink=GREY)
    start = x + max((page.width_of(line, small) for line in details[:middle]), default=0) + 28
    page.lines(start, y, details[middle:], small, ink=GREY)
    return max(first, 118) + 20


def _draw_parties(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, accent: Colour
) -> float:
    """Draw recipient, delivery address and, to the right, header fields."""
    recipient, labels = blocks.addressee(content), content.locale.labels
    face, head = page.face(), page.face(0.9, "bold")
    third = (right - left) / 3
    width = third - 16 if content.ship_to else 1.7 * third
    bottom, top = y, y + head.line + 6
    if recipient:
        page.text(left, y, recipient.label, head, ink=accent)
        page.rule(left, left + width, y + head.line, accent)
        bottom = components.draw_party(page, left, top, width, recipient, content)
    if content.ship_to:
        x = left + third
        page.text(x, y, labels["ship_to"], head, ink=accent)
        page.rule(x, x + width, y + head.line, accent)
        lines = components.wrapped([plain(line) for line in content.ship_to], face, width)
        bottom = max(bottom, page.lines(x, top, lines, face))
    fields_bottom = components.draw_header_fields(
        page, (right - third + 8, right), y, blocks.header_fields(content, terms=False), right=True
    )
    return max(bottom, fields_bottom) + 18


def _draw_due(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, accent: Colour
) -> float:
    """Draw a wide box with the payment terms at the left and the grand total, large, at the right."""
    grand = blocks.grand_total(content, code=False)
    label, amount = ("".join(run.text for run in line) for line in (grand.label, grand.value))
    large, face, small = page.face(1.9, "bold"), page.face(), page.face(0.85, "bold")
    bottom = y + large.line + 20
    page.fill((left, y, right, bottom), tint(accent, 0.1))
    page.fill((left, y, left + 5, bottom), accent)
    page.text(right - 14, y + 10, amount, large, align="right", ink=accent)
    x = right - 28 - page.width_of(amount, large)
    page.text(x, y + 10, label, face, align="right", ink=GREY, on=large)
    terms = content.document.payment_terms
    if terms:
        page.text(left + 18, y + 8, content.locale.labels["payment_terms"], small, ink=GREY)
        room = x - page.width_of(label, face) - left - 40
        lines = components.wrapped([plain(terms, "payment_terms")], face, room)
        end = page.lines(left + 18, y + 9 + small.line, lines, face)
        return max(bottom, end) + 20
    return bottom + 20
