"""Printed form: title on a bar, header fields and parties in boxes, a ruled table, and a signature line."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import plain


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    accent = page.rng.choice((BLACK, (58, 66, 78), *components.ACCENTS[:3]))
    left, right = 44, page.width - 44
    components.draw_footer(page, content, (left, right))
    title = page.face(1.35, "bold")
    page.fill((left, 40, right, 48 + title.line), accent)
    page.text((left + right) / 2, 44, blocks.title(content), title, align="center", ink=WHITE)
    y = _draw_issuer(page, content, left, right, 60.0 + title.line, accent)
    shade = tint(accent, 0.12)
    y = _draw_boxes(page, content, left, right, y, shade)
    y = components.draw_header_field_cells(
        page,
        (left, right),
        y + 10,
        blocks.header_fields(content),
        frame=GREY,
        label_fill=shade,
        label_ink=BLACK,
    )
    items = pick_item_style(content, page.rng)
    style = TableStyle(
        head_fill=shade,
        head_rule=GREY,
        row_rule=GREY,
        grid=GREY,
        pad=page.rng.choice((3, 4, 6)),
        upper=page.rng.random() < 0.4,
    )
    y = draw_item_table(page, content, (left, right), y + 10, items, style)
    start, top = right - 320, y
    grand = blocks.grand_total(content, code=page.rng.random() < 0.5)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(page, (start, right), y + 6, totals, grand, fill=shade)
    page.frame((start, top, right + 1, y + 1), GREY)
    notes = components.draw_notes(page, left, top + 10, start - left - 20, content.notes)
    face = page.face(0.85)
    sign = max(y, notes) + 46
    label = content.locale.labels["authorised_by"]
    page.rule(left, left + 260, sign, BLACK)
    page.text(left, sign + 3, label, face, ink=GREY)
    page.rule(right - 200, right, sign, BLACK)
    page.text(right - 200, sign + 3, content.locale.labels["date"], face, ink=GREY)
    return sign + 3 + face.line


def _draw_issuer(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, accent: Colour
) -> float:
    side, locale = blocks.issuer(content), content.locale
    face, x = page.face(0.92), left
    if page.rng.random() < 0.6:
        draw_logo(page, left, round(y) + 4, 54, accent, side.party.name)
        x += 68
    name = page.fitting(blocks.name(side), (right - x) * 0.6, 18)
    page.text(x, y, blocks.name(side), name)
    bottom = page.lines(x, y + name.line, blocks.address(side, locale), face)
    details = blocks.contact(side, locale) + blocks.tax_id(side, locale)
    return max(bottom, page.lines(right, y + 4, details, face, align="right"), y + 62) + 12


def _draw_boxes(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, shade: Colour
) -> float:
    """Draw the boxes of recipient and delivery address."""
    recipient, labels = blocks.addressee(content), content.locale.labels
    head, face = page.face(0.85, "bold"), page.face()
    height = head.line + 6
    middle = round((left + right) / 2) if content.ship_to else right
    page.fill((left, y, right, y + height), shade)
    bottom = y + height
    if recipient:
        page.text(left + 6, y + 3, recipient.label, head)
        bottom = components.draw_party(
            page,
            left + 6,
            y + height + 4,
            middle - left - 12,
            recipient,
            content,
            contact=page.rng.random() < 0.5,
        )
    if content.ship_to:
        page.text(middle + 6, y + 3, labels["ship_to"], head)
        lines = components.wrapped([plain(line) for line in content.ship_to], face, right - middle - 12)
        bottom = max(bottom, page.lines(middle + 6, y + height + 4, lines, face))
        page.upright(middle, y, bottom + 6, GREY)
    page.frame((left, y, right + 1, bottom + 7), GREY)
    page.rule(left, right, y + height, GREY)
    return bottom + 6
