"""A shop's slip: half a sheet with a small ruled table, for sales over a counter."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import joined, plain
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the slip."""
    left, right = 40, page.width - 40
    accent = page.rng.choice(parts.ACCENTS)
    side, locale = blocks.issuer(made), made.locale
    face, small = page.face(), page.face(0.88)
    draw_logo(page, left, 38, 48, accent, side.party.name)
    x = left + 62
    name = page.fitting(blocks.name(side), right - x, 21)
    page.text(x, 36, blocks.name(side), name, ink=accent)
    y = 37.0 + name.line
    for lines in (blocks.address(side, locale), blocks.contact(side, locale), blocks.tax_id(side, locale)):
        if lines:
            details = joined(lines, " · ")
            y = page.lines(x, y, parts.wrapped([details], small, right - x), small, ink=GREY)
    y = max(y, 90) + 14
    page.rule(left, right, y, accent, 2)
    title = page.fitting(blocks.title(made), right - left, 20)
    page.text(left, y + 14, blocks.title(made), title)
    y += 22 + title.line

    facts = blocks.facts(made, terms=False)
    facts += [blocks.Labelled(plain(label), plain(value)) for label, value in made.till]
    y = parts.draw_fact_cells(page, (left, right), y, facts, per_row=4) + 8
    items = pick_items(made, page.rng)
    style = page.rng.choice(
        (
            TableStyle(grid=GREY, row_rule=GREY, head_rule=GREY, pad=4),
            TableStyle(head_rule=BLACK, row_rule=(224, 226, 230), end_rule=BLACK, pad=5),
        )
    )
    y = draw_items(page, made, (left, right), y, items, style) + 10
    grand = blocks.grand_total(made, code=page.rng.random() < 0.4)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (right - 300, right), y, totals, grand, rule=accent, scale=1.25) + 10
    for label, value in made.payment:
        page.text(right - 300 + page.inset, y, label, face)
        page.text(right - page.inset, y, locale.number(value), face, align="right")
        y += face.line
    texts = [plain(text) for text in (*made.notes, *made.footer)]
    lines = parts.wrapped(texts, small, right - left)
    return page.lines((left + right) / 2, y + 18, lines, small, align="center", ink=GREY) + 36
