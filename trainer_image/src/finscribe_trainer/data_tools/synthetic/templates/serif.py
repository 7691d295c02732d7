"""Minimal: a serif, much white, hair rules, no colour to speak of."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import joined
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    left = page.rng.choice((80, 96))
    right = page.width - left
    centred = page.rng.random() < 0.5
    parts.draw_footer(page, made, (left, right))
    y = _draw_head(page, made, left, right, centred=centred)
    page.rule(left, right, y, BLACK)
    y += 22

    receiver = blocks.addressee(made)
    bottom = y
    if receiver:
        label = page.face(0.9, "italic")
        page.text(left, y, receiver.label, label, ink=GREY)
        bottom = parts.draw_party(page, left, y + label.line, (right - left) * 0.5, receiver, made)
    start = left + (right - left) * 0.56
    bottom = max(bottom, parts.draw_facts(page, (start, right), y, blocks.facts(made), right=True))

    items = pick_items(made, page.rng)
    style = TableStyle(head_rule=BLACK, end_rule=BLACK, pad=page.rng.choice((5, 7)))
    y = draw_items(page, made, (left, right), bottom + 30, items, style) + 12
    grand = blocks.grand_total(made, code=page.rng.random() < 0.5)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (right - 300, right), y, totals, grand, scale=1.15)
    return parts.draw_notes(page, left, y + 24, (right - left) * 0.7, made.notes)


def _draw_head(page: Canvas, made: MadeUp, left: int, right: int, *, centred: bool) -> float:
    side, locale = blocks.issuer(made), made.locale
    small, italic = page.face(0.9), page.face(0.95, "italic")
    details = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    if centred:
        middle = (left + right) / 2
        name = page.fitting(blocks.name(side), right - left, 30, "regular")
        page.text(middle, 56, blocks.name(side), name, align="center")
        y = 58.0 + name.line
        if made.slogan:
            y = page.lines(middle, y, [made.slogan], italic, align="center", ink=GREY)
        for pair in range(0, len(details), 3):
            line = joined(details[pair : pair + 3], "   ")
            y = page.lines(middle, y + 1, parts.wrapped([line], small, right - left), small, align="center")
        title = page.fitting(blocks.title(made), right - left, 19, "italic")
        page.text(middle, y + 20, blocks.title(made), title, align="center")
        return y + 34 + title.line
    title = page.fitting(blocks.title(made), (right - left) * 0.5, 34, "light")
    page.text(left, 60, blocks.title(made), title)
    name = page.fitting(blocks.name(side), (right - left) * 0.45, 17)
    page.text(right, 58, blocks.name(side), name, align="right")
    y = page.lines(right, 60 + name.line, details, small, align="right", ink=GREY)
    return max(y, 60 + title.line) + 16
