"""Modern: white text on a coloured band at the top, and a table with tinted rows."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import WHITE, Canvas, tint
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    accent = page.rng.choice(components.ACCENTS)
    left = page.rng.choice((52, 64))
    right = page.width - left
    components.draw_footer(page, content, (left, right), rule=accent)
    y = _draw_band(page, content, left, right, accent)
    y = _draw_parties(page, content, left, right, y, accent)

    items = pick_item_style(content, page.rng)
    filled = page.rng.random() < 0.6
    style = TableStyle(
        head_fill=accent if filled else tint(accent, 0.16),
        head_ink=WHITE if filled else accent,
        head_rule=None,
        zebra=tint(accent, 0.06),
        end_rule=accent,
        upper=page.rng.random() < 0.4,
        pad=6,
    )
    y = draw_item_table(page, content, (left, right), y, items, style) + 14
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    totals = blocks.totals(content, symbol=items.symbol)
    bottom = components.draw_totals(
        page, (right - 340, right), y, totals, grand, fill=accent, ink=WHITE, scale=1.3
    )
    return max(bottom, components.draw_notes(page, left, y + 4, right - 370 - left, content.notes))


def _draw_band(
    page: Canvas, content: DocumentContent, left: int, right: int, accent: tuple[int, int, int]
) -> float:
    side = blocks.issuer(content)
    height = page.rng.choice((120, 138))
    page.fill((0, 0, page.width, height), accent)
    if page.rng.random() < 0.5:
        page.fill((0, height, page.width, height + 6), tint(accent, 0.45))
    title = page.fitting(blocks.title(content), 300, 32)
    name = page.fitting(blocks.name(side), right - left - 320, 26)
    slogan_height = 20 if content.slogan else 0
    y = (height - name.line - slogan_height) / 2
    page.text(left, y, blocks.name(side), name, ink=WHITE)
    if content.slogan:
        slogan = page.fitting(content.slogan, right - left - 320, 13, "italic")
        page.text(left, y + 4 + name.line, content.slogan, slogan, ink=tint(accent, 0.2))
    page.text(right, (height - title.line) / 2, blocks.title(content), title, align="right", ink=WHITE)
    return height + 30


def _draw_parties(
    page: Canvas, content: DocumentContent, left: int, right: int, y: float, accent: tuple[int, int, int]
) -> float:
    """Draw issuer, recipient and header fields side by side."""
    side, recipient, locale = blocks.issuer(content), blocks.addressee(content), content.locale
    face, label = page.face(), page.face(0.85, "bold")
    width = (right - left) * 0.32
    lines = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    bottom = page.lines(left, y, components.wrapped(lines, face, width), face)
    if recipient:
        x = left + (right - left) * 0.35
        page.text(x, y, recipient.label.upper(), label, ink=accent)
        bottom = max(
            bottom, components.draw_party(page, x, y + label.line + 2, width - 16, recipient, content)
        )
    start = left + (right - left) * 0.68
    fields_bottom = components.draw_header_fields(
        page, (start, right), y, blocks.header_fields(content), right=True, label_ink=accent
    )
    return max(bottom, fields_bottom) + 24
