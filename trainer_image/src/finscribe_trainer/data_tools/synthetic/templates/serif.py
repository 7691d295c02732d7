"""Minimal: a serif font, wide margins, thin rules, black and grey only."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import joined


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    left = page.rng.choice((80, 96))
    right = page.width - left
    centred = page.rng.random() < 0.5
    components.draw_footer(page, content, (left, right))
    y = _draw_head(page, content, left, right, centred=centred)
    page.rule(left, right, y, BLACK)
    y += 22

    recipient = blocks.addressee(content)
    bottom = y
    if recipient:
        label = page.face(0.9, "italic")
        page.text(left, y, recipient.label, label, ink=GREY)
        bottom = components.draw_party(page, left, y + label.line, (right - left) * 0.5, recipient, content)
    start = left + (right - left) * 0.56
    bottom = max(
        bottom,
        components.draw_header_fields(page, (start, right), y, blocks.header_fields(content), right=True),
    )

    items = pick_item_style(content, page.rng)
    style = TableStyle(head_rule=BLACK, end_rule=BLACK, pad=page.rng.choice((5, 7)))
    y = draw_item_table(page, content, (left, right), bottom + 30, items, style) + 12
    grand = blocks.grand_total(content, code=page.rng.random() < 0.5)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(page, (right - 300, right), y, totals, grand, scale=1.15)
    return components.draw_notes(page, left, y + 24, (right - left) * 0.7, content.notes)


def _draw_head(page: Canvas, content: DocumentContent, left: int, right: int, *, centred: bool) -> float:
    side, locale = blocks.issuer(content), content.locale
    small, italic = page.face(0.9), page.face(0.95, "italic")
    details = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    if centred:
        middle = (left + right) / 2
        name = page.fitting(blocks.name(side), right - left, 30, "regular")
        page.text(middle, 56, blocks.name(side), name, align="center")
        y = 58.0 + name.line
        if content.slogan:
            y = page.lines(middle, y, [content.slogan], italic, align="center", ink=GREY)
        for pair in range(0, len(details), 3):
            line = joined(details[pair : pair + 3], "   ")
            y = page.lines(
                middle, y + 1, components.wrapped([line], small, right - left), small, align="center"
            )
        title = page.fitting(blocks.title(content), right - left, 19, "italic")
        page.text(middle, y + 20, blocks.title(content), title, align="center")
        return y + 34 + title.line
    title = page.fitting(blocks.title(content), (right - left) * 0.5, 34, "light")
    page.text(left, 60, blocks.title(content), title)
    name = page.fitting(blocks.name(side), (right - left) * 0.45, 17)
    page.text(right, 58, blocks.name(side), name, align="right")
    y = page.lines(right, 60 + name.line, details, small, align="right", ink=GREY)
    return max(y, 60 + title.line) + 16
