"""Modern: a band of colour across the page's head, white type on it, and a table with tinted rows."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import WHITE, Canvas, tint
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.table import TableStyle


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    accent = page.rng.choice(parts.ACCENTS)
    left = page.rng.choice((52, 64))
    right = page.width - left
    parts.draw_footer(page, made, (left, right), rule=accent)
    y = _draw_band(page, made, left, right, accent)
    y = _draw_parties(page, made, left, right, y, accent)

    items = pick_items(made, page.rng)
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
    y = draw_items(page, made, (left, right), y, items, style) + 14
    grand = blocks.grand_total(made, code=page.rng.random() < 0.4)
    totals = blocks.totals(made, symbol=items.symbol)
    bottom = parts.draw_totals(
        page, (right - 340, right), y, totals, grand, fill=accent, ink=WHITE, scale=1.3
    )
    return max(bottom, parts.draw_notes(page, left, y + 4, right - 370 - left, made.notes))


def _draw_band(page: Canvas, made: MadeUp, left: int, right: int, accent: tuple[int, int, int]) -> float:
    side = blocks.issuer(made)
    height = page.rng.choice((120, 138))
    page.fill((0, 0, page.width, height), accent)
    if page.rng.random() < 0.5:
        page.fill((0, height, page.width, height + 6), tint(accent, 0.45))
    title = page.fitting(blocks.title(made), 300, 32)
    name = page.fitting(blocks.name(side), right - left - 320, 26)
    slogan_height = 20 if made.slogan else 0
    y = (height - name.line - slogan_height) / 2
    page.text(left, y, blocks.name(side), name, ink=WHITE)
    if made.slogan:
        slogan = page.fitting(made.slogan, right - left - 320, 13, "italic")
        page.text(left, y + 4 + name.line, made.slogan, slogan, ink=tint(accent, 0.2))
    page.text(right, (height - title.line) / 2, blocks.title(made), title, align="right", ink=WHITE)
    return height + 30


def _draw_parties(
    page: Canvas, made: MadeUp, left: int, right: int, y: float, accent: tuple[int, int, int]
) -> float:
    """From whom, to whom, and the facts, beside each other."""
    side, receiver, locale = blocks.issuer(made), blocks.addressee(made), made.locale
    face, label = page.face(), page.face(0.85, "bold")
    width = (right - left) * 0.32
    lines = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    bottom = page.lines(left, y, parts.wrapped(lines, face, width), face)
    if receiver:
        x = left + (right - left) * 0.35
        page.text(x, y, receiver.label.upper(), label, ink=accent)
        bottom = max(bottom, parts.draw_party(page, x, y + label.line + 2, width - 16, receiver, made))
    start = left + (right - left) * 0.68
    facts = parts.draw_facts(page, (start, right), y, blocks.facts(made), right=True, label_ink=accent)
    return max(bottom, facts) + 24
