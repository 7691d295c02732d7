"""A letter: window address, information block to its right, fold marks, and the firm's details at its end."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.table import TableStyle

_ADDRESS, _FACTS, _SUBJECT, _FOLDS = 177, 180, 372, (413, 827)
"""Pixels from the top, as DIN 5008 B places them: 45 mm, 98 mm, 105 mm and 210 mm."""


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    left, right = 82, page.width - page.rng.choice((62, 78))
    accent = page.rng.choice(parts.ACCENTS)
    parts.draw_footer_columns(page, made, (left, right))
    _draw_head(page, made, left, right, accent)
    y: float = _draw_address(page, made, left, right)
    for fold in _FOLDS:
        page.rule(0, 16, fold)
    page.text(left, y, blocks.title(made), page.fitting(blocks.title(made), right - left, 21))
    y += 40

    items = pick_items(made, page.rng)
    style = page.rng.choice(
        (
            TableStyle(head_rule=BLACK, end_rule=BLACK),
            TableStyle(head_fill=tint(accent, 0.14), head_rule=None, row_rule=(225, 226, 230)),
            TableStyle(head_rule=accent, row_rule=(225, 226, 230), end_rule=accent, pad=5),
        )
    )
    y = draw_items(page, made, (left, right), y, items, style) + 10
    grand = blocks.grand_total(made, code=page.rng.random() < 0.4)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (right - 330, right), y, totals, grand, scale=1.1)
    return parts.draw_notes(page, left, y + 18, right - left, made.notes)


def _draw_head(page: Canvas, made: MadeUp, left: int, right: int, accent: tuple[int, int, int]) -> None:
    """Name and address of who writes, on either side."""
    side = blocks.issuer(made)
    small = page.face(0.88)
    lines = blocks.address(side, made.locale)
    face = page.fitting(blocks.name(side), right - left - 90, 25)
    if page.rng.random() < 0.5:
        draw_logo(page, right - 62, 44, 62, accent, side.party.name)
        page.text(left, 46, blocks.name(side), face, ink=accent)
        y = 50 + face.line
        for line in lines[:3]:
            page.text(left, y, line, small, ink=GREY)
            y += small.line
    else:
        draw_logo(page, left, 44, 62, accent, side.party.name)
        page.text(right, 42, blocks.name(side), face, align="right", ink=accent)
        page.lines(right, 46 + face.line, lines, small, align="right", ink=GREY)


def _draw_address(page: Canvas, made: MadeUp, left: int, right: int) -> int:
    """The window with whom it goes to, and the information block; returns where the subject is."""
    side, receiver = blocks.issuer(made), blocks.addressee(made)
    tiny = page.face(0.72)
    sender = [
        side.party.name,
        *("".join(run.text for run in line) for line in blocks.address(side, made.locale)),
    ]
    while page.width_of(" · ".join(sender), tiny) > 320 and len(sender) > 1:
        sender.pop()
    text = " · ".join(sender)
    page.text(left, _ADDRESS, text, tiny, ink=GREY)
    page.rule(left, left + page.width_of(text, tiny), _ADDRESS + tiny.line, GREY)
    y: float = _ADDRESS + tiny.line + 12
    if receiver:
        y = parts.draw_party(page, left, y, 330, receiver, made, tax=page.rng.random() < 0.6)
    start = left + 400
    below = parts.draw_facts(page, (start, right), _FACTS, blocks.facts(made), right=page.rng.random() < 0.5)
    return round(max(_SUBJECT, y + 14, below + 14))
