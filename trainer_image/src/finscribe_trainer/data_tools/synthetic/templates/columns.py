"""Two columns: parties beside each other under filled headings; notes and totals beside each other below."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import plain
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    accent = page.rng.choice(parts.ACCENTS)
    left = page.rng.choice((48, 60))
    right = page.width - left
    parts.draw_footer(page, made, (left, right))
    title = page.fitting(blocks.title(made), right - left, 30)
    page.text(left, 44, blocks.title(made), title, ink=accent)
    page.rule(left, right, 50 + title.line, accent, 3)
    y = 68.0 + title.line
    y = _draw_parties(page, made, left, right, y, accent)
    per_row = page.rng.choice((3, 4))
    y = parts.draw_fact_cells(page, (left, right), y, blocks.facts(made), per_row=per_row, label_ink=accent)

    items = pick_items(made, page.rng)
    style = TableStyle(
        head_fill=tint(accent, 0.14),
        head_ink=accent,
        head_rule=accent,
        zebra=(246, 247, 249) if page.rng.random() < 0.5 else None,
        row_rule=(224, 226, 230),
        end_rule=accent,
        pad=5,
    )
    y = draw_items(page, made, (left, right), y + 12, items, style) + 14
    middle = (left + right) / 2
    grand = blocks.grand_total(made, code=page.rng.random() < 0.5)
    totals = blocks.totals(made, symbol=items.symbol)
    bottom = parts.draw_totals(page, (middle + 20, right), y, totals, grand, rule=accent)
    notes = parts.draw_notes(page, left, y + 4, middle - 10 - left, made.notes)
    if made.document.document_type != "purchase_order":
        return max(bottom, notes)
    face = page.face(0.85)
    below = max(notes + 40, bottom - face.line)
    page.rule(left, middle - 40, below, BLACK)
    return page.lines(left, below + 4, [made.locale.labels["authorised_by"]], face, ink=GREY)


def _draw_parties(page: Canvas, made: MadeUp, left: int, right: int, y: float, accent: Colour) -> float:
    """Issuer and receiver; where to deliver to stands below the receiver."""
    middle = (left + right) / 2
    width = middle - left - 12
    head, face = page.face(0.9, "bold"), page.face()
    height = head.line + 6
    ends = []
    for x, side in ((left, blocks.issuer(made)), (middle + 12, blocks.addressee(made))):
        if side:
            page.fill((x, y, x + width, y + height), accent)
            page.text(x + 8, y + 3, side.label, head, ink=WHITE)
            ends.append(
                parts.draw_party(page, x + 8, y + height + 6, width - 16, side, made, contact=x == left)
            )
    shorter = ends[-1] if len(ends) > 1 else y
    if made.ship_to:
        x = middle + 12
        page.text(x + 8, shorter + 8, made.locale.labels["ship_to"], head, ink=accent)
        lines = parts.wrapped([plain(line) for line in made.ship_to], face, width - 16)
        ends.append(page.lines(x + 8, shorter + 8 + head.line, lines, face))
    return max(ends) + 18
