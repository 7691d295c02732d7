"""Wholesale: dense, with ruled cells, header fields in boxes, and a grid that includes the totals."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, Canvas
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import joined, plain

_TYPE = 0.92
"""Scale of the font size: dense pages use a smaller font."""
_SHADE = (228, 230, 234)


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    page.type_size *= _TYPE
    left, right = 36, page.width - 36
    rule = page.rng.choice((BLACK, (90, 96, 110)))
    components.draw_footer(page, content, (left, right))
    y = _draw_head(page, content, left, right)
    y = _draw_parties(page, content, left, right, y, rule)
    y = components.draw_header_field_cells(
        page, (left, right), y, blocks.header_fields(content), frame=rule, label_fill=_SHADE, label_ink=BLACK
    )
    items = pick_item_style(content, page.rng)
    lines_below = len(blocks.totals(content, symbol=False)) + 1
    body = page.floor - y - (lines_below + len(content.notes) + 2) * page.face().line * 1.3 - 40
    ruled = page.rng.random() < 0.5
    style = TableStyle(
        head_fill=_SHADE,
        head_rule=rule,
        row_rule=None if ruled else rule,
        grid=rule,
        pad=2,
        min_height=int(min(body, 420)) if ruled else 0,
    )
    y = draw_item_table(page, content, (left, right), y + 10, items, style)
    grand = blocks.grand_total(content, code=page.rng.random() < 0.6)
    top, start = y, right - 320
    y = components.draw_totals(
        page,
        (start, right),
        y + 6,
        blocks.totals(content, symbol=items.symbol),
        grand,
        fill=_SHADE,
        scale=1.1,
    )
    page.frame((start, top, right + 1, y + 1), rule)
    return max(y, components.draw_notes(page, left, top + 10, start - left - 20, content.notes))


def _draw_head(page: Canvas, content: DocumentContent, left: int, right: int) -> float:
    side, locale = blocks.issuer(content), content.locale
    small = page.face(0.9)
    x = left
    if page.rng.random() < 0.6:
        draw_logo(page, left, 34, 58, page.rng.choice(components.ACCENTS), side.party.name)
        x += 72
    title = page.fitting(blocks.title(content), 260, 26)
    name = page.fitting(blocks.name(side), right - x - 280, 20)
    page.text(right, 34, blocks.title(content), title, align="right")
    page.text(x, 32, blocks.name(side), name)
    y = 34.0 + name.line
    for lines in (blocks.address(side, locale), blocks.contact(side, locale), blocks.tax_id(side, locale)):
        if lines:
            details = joined(lines, ", ")
            y = page.lines(x, y, components.wrapped([details], small, right - x - 280), small)
    return max(y, 34 + title.line, 92) + 12


def _draw_parties(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, rule: tuple[int, int, int]
) -> float:
    """Draw recipient and delivery address in boxes."""
    recipient, labels = blocks.addressee(content), content.locale.labels
    small, face = page.face(0.82, "bold"), page.face()
    middle = round((left + right) / 2) if content.ship_to else right
    bottom, top = y, y + small.line + 6
    if recipient:
        page.text(left + 6, y + 3, recipient.label, small)
        bottom = components.draw_party(page, left + 6, top, middle - left - 12, recipient, content)
    if content.ship_to:
        page.text(middle + 6, y + 3, labels["ship_to"], small)
        lines = components.wrapped([plain(line) for line in content.ship_to], face, right - middle - 12)
        bottom = max(bottom, page.lines(middle + 6, top, lines, face))
        page.upright(middle, y, bottom + 4, rule)
    page.frame((left, y, right + 1, bottom + 5), rule)
    return bottom + 4
