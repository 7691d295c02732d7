"""A computer's print of an account: plain type, bars of pale colour, double rules at the totals."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, RULE, Canvas
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.templates.account import draw_ageing

_BARS = ((226, 240, 228), (228, 236, 246), (240, 240, 240))


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    left = 58
    right = page.width - left
    if page.rng.random() < 0.5:
        _draw_holes(page)
    parts.draw_footer(page, made, (left, right), rule=RULE)
    side, locale = blocks.issuer(made), made.locale
    face, bold = page.face(), page.face(weight="bold")
    y = 50.0
    page.text(right, y, blocks.title(made), bold, align="right")
    page.text(left, y, blocks.name(side), bold)
    y += bold.line
    details = blocks.contact(side, locale) + blocks.tax_id(side, locale)
    below = page.lines(left, y, blocks.address(side, locale), face)
    y = max(below, page.lines(right, y, details, face, align="right")) + 12
    page.rule(left, right, y, BLACK)
    page.rule(left, right, y + 3, BLACK)
    y += 20

    receiver = blocks.addressee(made)
    bottom = y
    if receiver:
        bottom = parts.draw_party(page, left, y, (right - left) * 0.46, receiver, made)
    start = left + (right - left) * 0.5
    facts = parts.draw_facts(page, (start, right), y, blocks.facts(made), label_ink=BLACK)
    y = max(bottom, facts) + 22

    items = pick_items(made, page.rng)
    bars = page.rng.choice(_BARS)
    style = TableStyle(head_rule=BLACK, zebra=bars, end_rule=BLACK, upper=True, pad=3)
    y = draw_items(page, made, (left, right), y, items, style) + 8
    grand = blocks.grand_total(made, code=page.rng.random() < 0.7)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (right - 360, right), y, totals, grand, rule=BLACK, scale=1.0)
    page.rule(right - 360, right, y, BLACK)
    page.rule(right - 360, right, y + 3, BLACK)
    y = draw_ageing(page, made, left, right, y + 24, GREY)
    return parts.draw_notes(page, left, y + 12, right - left, made.notes)


def _draw_holes(page: Canvas) -> None:
    """The perforated edges of continuous paper."""
    for y in range(24, page.height, 50):
        for x in (18, page.width - 18):
            page.shapes.ellipse((x - 6, y - 6, x + 6, y + 6), fill=(232, 232, 232), outline=RULE)
    for x in (36, page.width - 36):
        for y in range(0, page.height, 8):
            page.upright(x, y, y + 3)
