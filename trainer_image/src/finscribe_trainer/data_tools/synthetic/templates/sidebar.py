"""A coloured column at the left with who writes and the facts; the document itself to its right."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.items import draw_items, pick_items
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, WHITE, Canvas, Colour, tint
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import plain
from finscribe_trainer.data_tools.synthetic.table import TableStyle

_WIDTH = 196


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the page."""
    accent = page.rng.choice(parts.ACCENTS)
    dark = page.rng.random() < 0.6
    page.fill((0, 0, _WIDTH, page.height), accent if dark else tint(accent, 0.12))
    left, right = _WIDTH + 30, page.width - 40
    if made.footer:
        face = page.face(0.82)
        lines = parts.wrapped([plain(text) for text in made.footer], face, right - left)
        page.lines(left, page.height - 36 - len(lines) * face.line, lines, face, ink=GREY)
        page.floor = page.height - 50 - len(lines) * face.line
    _draw_column(page, made, accent, dark=dark)

    title = page.fitting(blocks.title(made), right - left, 36, "light")
    page.text(left, 50, blocks.title(made), title, ink=accent)
    y = 74.0 + title.line
    receiver = blocks.addressee(made)
    if receiver:
        label = page.face(0.85, "bold")
        page.text(left, y, receiver.label.upper(), label, ink=GREY)
        y = parts.draw_party(page, left, y + label.line + 2, (right - left) * 0.6, receiver, made)
    items = pick_items(made, page.rng)
    style = TableStyle(head_ink=accent, head_rule=accent, row_rule=(226, 227, 231), end_rule=accent, pad=6)
    y = draw_items(page, made, (left, right), y + 30, items, style) + 12
    grand = blocks.grand_total(made, code=page.rng.random() < 0.4)
    totals = blocks.totals(made, symbol=items.symbol)
    y = parts.draw_totals(page, (right - 310, right), y, totals, grand, rule=accent, ink=accent, scale=1.3)
    return parts.draw_notes(page, left, y + 20, right - left, made.notes)


def _draw_column(page: Canvas, made: MadeUp, accent: Colour, *, dark: bool) -> None:
    side, locale = blocks.issuer(made), made.locale
    ink, pale = (WHITE, tint(accent, 0.25)) if dark else (BLACK, accent)
    x, width = 22, _WIDTH - 38
    face, small = page.face(0.92), page.face(0.78, "bold")
    longest = max(side.party.name.split(), key=len)
    name = page.fitting(longest, width, 21)
    y = page.lines(x, 54, parts.wrapped([blocks.name(side)], name, width), name, ink=ink) + 6
    if made.slogan:
        italic = page.face(0.85, "italic")
        y = page.lines(x, y, parts.wrapped([plain(made.slogan)], italic, width), italic, ink=pale) + 8
    for lines in (blocks.address(side, locale), blocks.contact(side, locale), blocks.tax_id(side, locale)):
        # A label and its value break between them where the column is too narrow for both; a long mail
        # address is set smaller.
        words = [word for line in lines for run in line for word in run.text.split(" ")]
        face = page.fitting(max(words, key=len, default=""), width, round(page.type_size * 0.92), "regular")
        y = page.lines(x, y + 6, parts.wrapped(lines, face, width), face, ink=ink)
    y, face = y + 24, page.face(0.92)
    for fact in blocks.facts(made):
        y = page.lines(x, y, parts.wrapped([fact.label], small, width), small, ink=pale)
        y = page.lines(x, y, parts.wrapped([fact.value], face, width), face, ink=ink) + 8
    if made.bank:
        y = page.lines(x, y + 16, [locale.labels["bank_details"]], small, ink=pale)
        for label, value in made.bank:
            lines = parts.wrapped([plain(f"{label} {value}")], page.face(0.82), width)
            y = page.lines(x, y, lines, page.face(0.82), ink=ink)
