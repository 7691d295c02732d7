"""Letter: window address, information block to its right, fold marks, and company details in the footer."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.item_table import draw_item_table, pick_item_style
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas, tint
from finscribe_trainer.data_tools.synthetic.logo import draw_logo
from finscribe_trainer.data_tools.synthetic.table import TableStyle

_ADDRESS, _INFORMATION_BLOCK, _SUBJECT, _FOLDS = 177, 180, 372, (413, 827)
"""Pixels from the top, as in DIN 5008 form B: 45 mm, 98 mm, 105 mm and 210 mm."""


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the page."""
    left, right = 82, page.width - page.rng.choice((62, 78))
    accent = page.rng.choice(components.ACCENTS)
    components.draw_footer_columns(page, content, (left, right))
    _draw_head(page, content, left, right, accent)
    y: float = _draw_address(page, content, left, right)
    for fold in _FOLDS:
        page.rule(0, 16, fold)
    page.text(left, y, blocks.title(content), page.fitting(blocks.title(content), right - left, 21))
    y += 40

    items = pick_item_style(content, page.rng)
    style = page.rng.choice(
        (
            TableStyle(head_rule=BLACK, end_rule=BLACK),
            TableStyle(head_fill=tint(accent, 0.14), head_rule=None, row_rule=(225, 226, 230)),
            TableStyle(head_rule=accent, row_rule=(225, 226, 230), end_rule=accent, pad=5),
        )
    )
    y = draw_item_table(page, content, (left, right), y, items, style) + 10
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    totals = blocks.totals(content, symbol=items.symbol)
    y = components.draw_totals(page, (right - 330, right), y, totals, grand, scale=1.1)
    return components.draw_notes(page, left, y + 18, right - left, content.notes)


def _draw_head(
    page: Canvas, content: DocumentContent, left: int, right: int, accent: tuple[int, int, int]
) -> None:
    """Draw name and address of the issuer, left or right."""
    side = blocks.issuer(content)
    small = page.face(0.88)
    lines = blocks.address(side, content.locale)
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


def _draw_address(page: Canvas, content: DocumentContent, left: int, right: int) -> int:
    """Draw the address window and the information block; returns the y of the subject line."""
    side, recipient = blocks.issuer(content), blocks.addressee(content)
    tiny = page.face(0.72)
    sender = [
        side.party.name,
        *("".join(run.text for run in line) for line in blocks.address(side, content.locale)),
    ]
    while page.width_of(" · ".join(sender), tiny) > 320 and len(sender) > 1:
        sender.pop()
    text = " · ".join(sender)
    page.text(left, _ADDRESS, text, tiny, ink=GREY)
    page.rule(left, left + page.width_of(text, tiny), _ADDRESS + tiny.line, GREY)
    y: float = _ADDRESS + tiny.line + 12
    if recipient:
        y = components.draw_party(page, left, y, 330, recipient, content, tax=page.rng.random() < 0.6)
    start = left + 400
    below = components.draw_header_fields(
        page, (start, right), _INFORMATION_BLOCK, blocks.header_fields(content), right=page.rng.random() < 0.5
    )
    return round(max(_SUBJECT, y + 14, below + 14))
