"""Two columns: parties side by side under filled headings, notes and totals side by side below the table."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import plain


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    accent = page.rng.choice(components.ACCENTS)
    left = page.rng.choice((48, 60))
    right = page.width - left
    components.draw_footer(page, content, (left, right))
    title = page.fitting(blocks.title(content), right - left, 30)
    page.text(left, 44, blocks.title(content), title, ink=accent)
    page.rule(left, right, 50 + title.line, accent, 3)
    y = 68.0 + title.line
    y = _draw_parties(page, content, left, right, y, accent)
    per_row = page.rng.choice((3, 4))
    y = components.draw_header_field_cells(
        page, (left, right), y, blocks.header_fields(content), per_row=per_row, label_ink=accent
    )

    items = pick_item_style(content, page.rng)
    style = TableStyle(
        head_fill=tint(accent, 0.14),
        head_ink=accent,
        head_rule=accent,
        zebra=(246, 247, 249) if page.rng.random() < 0.5 else None,
        row_rule=(224, 226, 230),
        end_rule=accent,
        pad=5,
    )
    y = draw_item_table(page, content, (left, right), y + 12, items, style) + 14
    middle = (left + right) / 2
    grand = blocks.grand_total(content, code=page.rng.random() < 0.5)
    totals = blocks.totals(content, symbol=items.symbol)
    bottom = components.draw_totals(page, (middle + 20, right), y, totals, grand, rule=accent)
    notes = components.draw_notes(page, left, y + 4, middle - 10 - left, content.notes)
    if content.document.document_type != "purchase_order":
        return max(bottom, notes)
    face = page.face(0.85)
    below = max(notes + 40, bottom - face.line)
    page.rule(left, middle - 40, below, BLACK)
    return page.lines(left, below + 4, [content.locale.labels["authorised_by"]], face, ink=GREY)


def _draw_parties(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, accent: Colour
) -> float:
    """Draw issuer and recipient, and the delivery address below the recipient."""
    middle = (left + right) / 2
    width = middle - left - 12
    head, face = page.face(0.9, "bold"), page.face()
    height = head.line + 6
    ends = []
    for x, side in ((left, blocks.issuer(content)), (middle + 12, blocks.addressee(content))):
        if side:
            page.fill((x, y, x + width, y + height), accent)
            page.text(x + 8, y + 3, side.label, head, ink=WHITE)
            ends.append(
                components.draw_party(
                    page, x + 8, y + height + 6, width - 16, side, content, contact=x == left
                )
            )
    shorter = ends[-1] if len(ends) > 1 else y
    if content.ship_to:
        x = middle + 12
        page.text(x + 8, shorter + 8, content.locale.labels["ship_to"], head, ink=accent)
        lines = components.wrapped([plain(line) for line in content.ship_to], face, width - 16)
        ends.append(page.lines(x + 8, shorter + 8 + head.line, lines, face))
    return max(ends) + 18
