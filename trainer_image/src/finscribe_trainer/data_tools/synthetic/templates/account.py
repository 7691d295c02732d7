"""Statement of account: header fields in a box, open items with a running balance, and an ageing table."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    accent = page.rng.choice(components.ACCENTS)
    left = page.rng.choice((52, 64))
    right = page.width - left
    components.draw_footer_columns(page, content, (left, right))
    y = _draw_head(page, content, left, right, accent)
    recipient = blocks.addressee(content)
    bottom = y
    if recipient:
        bottom = components.draw_party(page, left, y, (right - left) * 0.5, recipient, content)
    start = left + (right - left) * 0.58
    pad = 12
    fields_bottom = components.draw_header_fields(
        page, (start + pad, right - pad), y + 6, blocks.header_fields(content), right=True
    )
    page.frame((start, y - 4, right, fields_bottom + 6), accent)
    y = max(bottom, fields_bottom) + 28

    items = pick_item_style(content, page.rng)
    style = TableStyle(
        head_fill=accent,
        head_ink=WHITE,
        head_rule=None,
        zebra=tint(accent, 0.07),
        end_rule=accent,
        pad=4,
    )
    y = draw_item_table(page, content, (left, right), y, items, style) + 8
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(page, (right - 340, right), y, totals, grand, rule=accent) + 18
    y = draw_ageing(page, content, left, right, y, accent)
    return components.draw_notes(page, left, y + 10, right - left, content.notes)


def _draw_head(page: Canvas, content: DocumentContent, left: int, right: int, accent: Colour) -> float:
    side, locale = blocks.issuer(content), content.locale
    small = page.face(0.9)
    draw_logo(page, left, 44, 56, accent, side.party.name)
    name = page.fitting(blocks.name(side), (right - left) * 0.52, 20)
    page.text(left + 70, 42, blocks.name(side), name)
    bottom = page.lines(left + 70, 43 + name.line, blocks.address(side, locale), small, ink=GREY)
    title = page.fitting(blocks.title(content), (right - left) * 0.36, 25)
    page.text(right, 42, blocks.title(content), title, align="right", ink=accent)
    y = max(bottom, 106) + 10
    page.rule(left, right, y, accent, 2)
    return y + 26


def draw_ageing(
    page: Canvas, content: DocumentContent, left: float, right: float, y: float, accent: Colour
) -> float:
    """Draw the outstanding amount of each ageing period; returns the y below."""
    if not content.ageing:
        return y
    head, face = page.face(0.85, "bold"), page.face()
    page.text(left, y, content.locale.labels["ageing"], head, ink=accent)
    y += head.line + 4
    cell = (right - left) / len(content.ageing)
    middle, bottom = y + head.line + 6, y + head.line + face.line + 14
    page.fill((left, y, right, middle), tint(accent, 0.14))
    for i, (label, value) in enumerate(content.ageing):
        x = left + (i + 0.5) * cell
        page.text(x, y + 3, label, head, align="center", ink=BLACK)
        page.text(x, middle + 4, content.locale.number(value), face, align="center")
        if i:
            page.upright(left + i * cell, y, bottom, accent)
    page.frame((left, y, right, bottom), accent)
    return bottom + 8
