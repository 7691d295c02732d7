"""Shop receipt: half a sheet with a small ruled table."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.table import TableStyle
from finscribe_trainer.data_tools.synthetic.text_runs import joined, plain


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the receipt."""
    left, right = 40, page.width - 40
    accent = page.rng.choice(components.ACCENTS)
    side, locale = blocks.issuer(content), content.locale
    face, small = page.face(), page.face(0.88)
    draw_logo(page, left, 38, 48, accent, side.party.name)
    x = left + 62
    name = page.fitting(blocks.name(side), right - x, 21)
    page.text(x, 36, blocks.name(side), name, ink=accent)
    y = 37.0 + name.line
    for lines in (blocks.address(side, locale), blocks.contact(side, locale), blocks.tax_id(side, locale)):
        if lines:
            details = joined(lines, " · ")
            y = page.lines(x, y, components.wrapped([details], small, right - x), small, ink=GREY)
    y = max(y, 90) + 14
    page.rule(left, right, y, accent, 2)
    title = page.fitting(blocks.title(content), right - left, 20)
    page.text(left, y + 14, blocks.title(content), title)
    y += 22 + title.line

    fields = blocks.header_fields(content, terms=False)
    fields += [blocks.Labelled(plain(label), plain(value)) for label, value in content.till]
    y = components.draw_header_field_cells(page, (left, right), y, fields, per_row=4) + 8
    items = pick_item_style(content, page.rng)
    style = page.rng.choice(
        (
            TableStyle(grid=GREY, row_rule=GREY, head_rule=GREY, pad=4),
            TableStyle(head_rule=BLACK, row_rule=(224, 226, 230), end_rule=BLACK, pad=5),
        )
    )
    y = draw_item_table(page, content, (left, right), y, items, style) + 10
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(page, (right - 300, right), y, totals, grand, rule=accent, scale=1.25) + 10
    for label, value in content.payment:
        page.text(right - 300 + page.inset, y, label, face)
        page.text(right - page.inset, y, locale.number(value), face, align="right")
        y += face.line
    texts = [plain(text) for text in (*content.notes, *content.footer)]
    lines = components.wrapped(texts, small, right - left)
    return page.lines((left + right) / 2, y + 18, lines, small, align="center", ink=GREY) + 36
