"""Wholesale: dense, every cell ruled, facts in boxes, the grid goes on to the totals."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, Canvas
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import joined, plain
from finscribe_trainer.data_tools.synthetic.table import TableStyle

_TYPE = 0.92
"""Dense pages are set smaller than others."""
_SHADE = (228, 230, 234)


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    page.type_size *= _TYPE
    left, right = 36, page.width - 36
    rule = page.rng.choice((BLACK, (90, 96, 110)))
    parts.draw_footer(page, made, (left, right))
    y = _draw_head(page, made, left, right)
    y = _draw_parties(page, made, left, right, y, rule)
    y = parts.draw_fact_cells(
        page, (left, right), y, blocks.facts(made), frame=rule, label_fill=_SHADE, label_ink=BLACK
    )
    items = pick_items(made, page.rng)
    lines_below = len(blocks.totals(made, symbol=False)) + 1
    body = page.floor - y - (lines_below + len(made.notes) + 2) * page.face().line * 1.3 - 40
    ruled = page.rng.random() < 0.5
    style = TableStyle(
        head_fill=_SHADE,
        head_rule=rule,
        row_rule=None if ruled else rule,
        grid=rule,
        pad=2,
        min_height=int(min(body, 420)) if ruled else 0,
    )
    y = draw_items(page, made, (left, right), y + 10, items, style)
    grand = blocks.grand_total(made, code=page.rng.random() < 0.6)
    top, start = y, right - 320
    y = parts.draw_totals(
        page,
        (start, right),
        y + 6,
        blocks.totals(made, symbol=items.symbol),
        grand,
        fill=_SHADE,
        scale=1.1,
    )
    page.frame((start, top, right + 1, y + 1), rule)
    return max(y, parts.draw_notes(page, left, top + 10, start - left - 20, made.notes))


def _draw_head(page: Canvas, made: MadeUp, left: int, right: int) -> float:
    side, locale = blocks.issuer(made), made.locale
    small = page.face(0.9)
    x = left
    if page.rng.random() < 0.6:
        draw_logo(page, left, 34, 58, page.rng.choice(parts.ACCENTS), side.party.name)
        x += 72
    title = page.fitting(blocks.title(made), 260, 26)
    name = page.fitting(blocks.name(side), right - x - 280, 20)
    page.text(right, 34, blocks.title(made), title, align="right")
    page.text(x, 32, blocks.name(side), name)
    y = 34.0 + name.line
    for lines in (blocks.address(side, locale), blocks.contact(side, locale), blocks.tax_id(side, locale)):
        if lines:
            details = joined(lines, ", ")
            y = page.lines(x, y, parts.wrapped([details], small, right - x - 280), small)
    return max(y, 34 + title.line, 92) + 12


def _draw_parties(
    page: Canvas, made: MadeUp, left: int, right: int, y: float, rule: tuple[int, int, int]
) -> float:
    """To whom, and where to deliver to, in boxes."""
    receiver, labels = blocks.addressee(made), made.locale.labels
    small, face = page.face(0.82, "bold"), page.face()
    middle = round((left + right) / 2) if made.ship_to else right
    bottom, top = y, y + small.line + 6
    if receiver:
        page.text(left + 6, y + 3, receiver.label, small)
        bottom = parts.draw_party(page, left + 6, top, middle - left - 12, receiver, made)
    if made.ship_to:
        page.text(middle + 6, y + 3, labels["ship_to"], small)
        lines = parts.wrapped([plain(line) for line in made.ship_to], face, right - middle - 12)
        bottom = max(bottom, page.lines(middle + 6, top, lines, face))
        page.upright(middle, y, bottom + 4, rule)
    page.frame((left, y, right + 1, bottom + 5), rule)
    return bottom + 4
