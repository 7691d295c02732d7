"""A printed form: title on a bar, facts and parties in boxes, a ruled table, and a line to sign on."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import plain
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    accent = page.rng.choice((BLACK, (58, 66, 78), *parts.ACCENTS[:3]))
    left, right = 44, page.width - 44
    parts.draw_footer(page, made, (left, right))
    title = page.face(1.35, "bold")
    page.fill((left, 40, right, 48 + title.line), accent)
    page.text((left + right) / 2, 44, blocks.title(made), title, align="center", ink=WHITE)
    y = _draw_issuer(page, made, left, right, 60.0 + title.line, accent)
    shade = tint(accent, 0.12)
    y = _draw_boxes(page, made, left, right, y, shade)
    y = parts.draw_fact_cells(
        page, (left, right), y + 10, blocks.facts(made), frame=GREY, label_fill=shade, label_ink=BLACK
    )
    items = pick_items(made, page.rng)
    style = TableStyle(
        head_fill=shade,
        head_rule=GREY,
        row_rule=GREY,
        grid=GREY,
        pad=page.rng.choice((3, 4, 6)),
        upper=page.rng.random() < 0.4,
    )
    y = draw_items(page, made, (left, right), y + 10, items, style)
    start, top = right - 320, y
    grand = blocks.grand_total(made, code=page.rng.random() < 0.5)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (start, right), y + 6, totals, grand, fill=shade)
    page.frame((start, top, right + 1, y + 1), GREY)
    notes = parts.draw_notes(page, left, top + 10, start - left - 20, made.notes)
    face = page.face(0.85)
    sign = max(y, notes) + 46
    label = made.locale.labels["authorised_by"]
    page.rule(left, left + 260, sign, BLACK)
    page.text(left, sign + 3, label, face, ink=GREY)
    page.rule(right - 200, right, sign, BLACK)
    page.text(right - 200, sign + 3, made.locale.labels["date"], face, ink=GREY)
    return sign + 3 + face.line


def _draw_issuer(page: Canvas, made: MadeUp, left: int, right: int, y: float, accent: Colour) -> float:
    side, locale = blocks.issuer(made), made.locale
    face, x = page.face(0.92), left
    if page.rng.random() < 0.6:
        draw_logo(page, left, round(y) + 4, 54, accent, side.party.name)
        x += 68
    name = page.fitting(blocks.name(side), (right - x) * 0.6, 18)
    page.text(x, y, blocks.name(side), name)
    bottom = page.lines(x, y + name.line, blocks.address(side, locale), face)
    details = blocks.contact(side, locale) + blocks.tax_id(side, locale)
    return max(bottom, page.lines(right, y + 4, details, face, align="right"), y + 62) + 12


def _draw_boxes(page: Canvas, made: MadeUp, left: int, right: int, y: float, shade: Colour) -> float:
    """Whom it goes to, and where to deliver to."""
    receiver, labels = blocks.addressee(made), made.locale.labels
    head, face = page.face(0.85, "bold"), page.face()
    height = head.line + 6
    middle = round((left + right) / 2) if made.ship_to else right
    page.fill((left, y, right, y + height), shade)
    bottom = y + height
    if receiver:
        page.text(left + 6, y + 3, receiver.label, head)
        bottom = parts.draw_party(
            page,
            left + 6,
            y + height + 4,
            middle - left - 12,
            receiver,
            made,
            contact=page.rng.random() < 0.5,
        )
    if made.ship_to:
        page.text(middle + 6, y + 3, labels["ship_to"], head)
        lines = parts.wrapped([plain(line) for line in made.ship_to], face, right - middle - 12)
        bottom = max(bottom, page.lines(middle + 6, y + height + 4, lines, face))
        page.upright(middle, y, bottom + 6, GREY)
    page.frame((left, y, right + 1, bottom + 7), GREY)
    page.rule(left, right, y + height, GREY)
    return bottom + 6
