"""A statement of account: what is owed in a box, the open items with their balance, and how old they are."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    accent = page.rng.choice(parts.ACCENTS)
    left = page.rng.choice((52, 64))
    right = page.width - left
    parts.draw_footer_columns(page, made, (left, right))
    y = _draw_head(page, made, left, right, accent)
    receiver = blocks.addressee(made)
    bottom = y
    if receiver:
        bottom = parts.draw_party(page, left, y, (right - left) * 0.5, receiver, made)
    start = left + (right - left) * 0.58
    pad = 12
    facts = parts.draw_facts(page, (start + pad, right - pad), y + 6, blocks.facts(made), right=True)
    page.frame((start, y - 4, right, facts + 6), accent)
    y = max(bottom, facts) + 28

    items = pick_items(made, page.rng)
    style = TableStyle(
        head_fill=accent,
        head_ink=WHITE,
        head_rule=None,
        zebra=tint(accent, 0.07),
        end_rule=accent,
        pad=4,
    )
    y = draw_items(page, made, (left, right), y, items, style) + 8
    grand = blocks.grand_total(made, code=page.rng.random() < 0.4)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (right - 340, right), y, totals, grand, rule=accent) + 18
    y = draw_ageing(page, made, left, right, y, accent)
    return parts.draw_notes(page, left, y + 10, right - left, made.notes)


def _draw_head(page: Canvas, made: MadeUp, left: int, right: int, accent: Colour) -> float:
    side, locale = blocks.issuer(made), made.locale
    small = page.face(0.9)
    draw_logo(page, left, 44, 56, accent, side.party.name)
    name = page.fitting(blocks.name(side), (right - left) * 0.52, 20)
    page.text(left + 70, 42, blocks.name(side), name)
    bottom = page.lines(left + 70, 43 + name.line, blocks.address(side, locale), small, ink=GREY)
    title = page.fitting(blocks.title(made), (right - left) * 0.36, 25)
    page.text(right, 42, blocks.title(made), title, align="right", ink=accent)
    y = max(bottom, 106) + 10
    page.rule(left, right, y, accent, 2)
    return y + 26


def draw_ageing(page: Canvas, made: MadeUp, left: float, right: float, y: float, accent: Colour) -> float:
    """Draw how much is owed since when, a cell each; returns the y below."""
    if not made.ageing:
        return y
    head, face = page.face(0.85, "bold"), page.face()
    page.text(left, y, made.locale.labels["ageing"], head, ink=accent)
    y += head.line + 4
    cell = (right - left) / len(made.ageing)
    middle, bottom = y + head.line + 6, y + head.line + face.line + 14
    page.fill((left, y, right, middle), tint(accent, 0.14))
    for i, (label, value) in enumerate(made.ageing):
        x = left + (i + 0.5) * cell
        page.text(x, y + 3, label, head, align="center", ink=BLACK)
        page.text(x, middle + 4, made.locale.number(value), face, align="center")
        if i:
            page.upright(left + i * cell, y, bottom, accent)
    page.frame((left, y, right, bottom), accent)
    return bottom + 8
