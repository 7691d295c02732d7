"""Computer printout of an account: plain text, pale bars behind rows, double rules at the totals."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, RULE, Canvas
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.templates.account import draw_ageing

_BARS = ((226, 240, 228), (228, 236, 246), (240, 240, 240))


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    left = 58
    right = page.width - left
    if page.rng.random() < 0.5:
        _draw_holes(page)
    components.draw_footer(page, content, (left, right), rule=RULE)
    side, locale = blocks.issuer(content), content.locale
    face, bold = page.face(), page.face(weight="bold")
    y = 50.0
    page.text(right, y, blocks.title(content), bold, align="right")
    page.text(left, y, blocks.name(side), bold)
    y += bold.line
    details = blocks.contact(side, locale) + blocks.tax_id(side, locale)
    below = page.lines(left, y, blocks.address(side, locale), face)
    y = max(below, page.lines(right, y, details, face, align="right")) + 12
    page.rule(left, right, y, BLACK)
    page.rule(left, right, y + 3, BLACK)
    y += 20

    recipient = blocks.addressee(content)
    bottom = y
    if recipient:
        bottom = components.draw_party(page, left, y, (right - left) * 0.46, recipient, content)
    start = left + (right - left) * 0.5
    fields_bottom = components.draw_header_fields(
        page, (start, right), y, blocks.header_fields(content), label_ink=BLACK
    )
    y = max(bottom, fields_bottom) + 22

    items = pick_item_style(content, page.rng)
    bars = page.rng.choice(_BARS)
    style = TableStyle(head_rule=BLACK, zebra=bars, end_rule=BLACK, upper=True, pad=3)
    y = draw_item_table(page, content, (left, right), y, items, style) + 8
    grand = blocks.grand_total(content, code=page.rng.random() < 0.7)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(page, (right - 360, right), y, totals, grand, rule=BLACK, scale=1.0)
    page.rule(right - 360, right, y, BLACK)
    page.rule(right - 360, right, y + 3, BLACK)
    y = draw_ageing(page, content, left, right, y + 24, GREY)
    return components.draw_notes(page, left, y + 12, right - left, content.notes)


def _draw_holes(page: Canvas) -> None:
    """Draw the perforated edges of continuous paper."""
    for y in range(24, page.height, 50):
        for x in (18, page.width - 18):
            page.shapes.ellipse((x - 6, y - 6, x + 6, y + 6), fill=(232, 232, 232), outline=RULE)
    for x in (36, page.width - 36):
        for y in range(0, page.height, 8):
            page.upright(x, y, y + 3)
