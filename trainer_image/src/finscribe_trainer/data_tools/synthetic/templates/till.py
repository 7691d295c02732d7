"""A till's receipt: a narrow strip of fixed-width type; sometimes as photographed, lying on a desk."""

import random

from PIL import Image

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.fonts import Face
from finscribe_trainer.data_tools.synthetic.layout import Canvas
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.runs import Run, plain, wrap

_DESKS = ((150, 112, 78), (96, 100, 108), (188, 182, 170), (70, 56, 48), (205, 208, 212))


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the strip."""
    page.type_size *= 1.2
    left, right = 26, page.width - 26
    middle = page.width / 2
    side, locale = blocks.issuer(made), made.locale
    face, bold = page.face(), page.face(weight="bold")
    name = page.fitting(max(side.party.name.split(), key=len), right - left, 25)
    y = (
        page.lines(middle, 34, parts.wrapped([blocks.name(side)], name, right - left), name, align="center")
        + 4
    )
    if made.slogan:
        y = page.lines(
            middle, y, parts.wrapped([plain(made.slogan)], face, right - left), face, align="center"
        )
    head = blocks.address(side, locale) + blocks.contact(side, locale)[:2] + blocks.tax_id(side, locale)
    y = page.lines(middle, y, parts.wrapped(head, face, right - left), face, align="center") + 6
    mark = page.rng.choice("-=-*")
    y = _dashes(page, left, right, y, face, mark)
    page.text(middle, y, blocks.title(made), bold, align="center")
    y = _draw_pairs(page, made, left, right, y + bold.line)
    y = _dashes(page, left, right, y, face, mark)
    y = _draw_sale(page, made, left, right, y, face)
    y = _dashes(page, left, right, y, face, mark)
    grand = blocks.grand_total(made, code=page.rng.random() < 0.6)
    totals = blocks.totals(made, symbol=False)
    y = parts.draw_totals(
        page, (left - page.inset, right + page.inset), y, totals, grand, rule=None, scale=1.35
    )
    y = _dashes(page, left, right, y + 2, face, mark)
    for label, value in made.payment:
        page.text(left, y, label, face)
        page.text(right, y, locale.number(value), face, align="right")
        y += face.line
    texts = [plain(text) for text in (*made.notes, *made.footer)]
    y = page.lines(middle, y + 14, parts.wrapped(texts, face, right - left), face, align="center")
    if page.rng.random() < 0.6:
        y = _draw_bars(page, middle, y + 14)
    return y + 34


def _dashes(page: Canvas, left: int, right: int, y: float, face: Face, mark: str) -> float:
    """A rule of characters, as a till can print."""
    page.text((left + right) / 2, y, mark * int((right - left) / face.width(mark)), face, align="center")
    return y + face.line


def _draw_pairs(page: Canvas, made: MadeUp, left: int, right: int, y: float) -> float:
    """Number, date, cashier: a label at the left, its value at the right."""
    face = page.face()
    pairs = [(fact.label, fact.value) for fact in blocks.facts(made, terms=False)]
    pairs += [(plain(label), plain(value)) for label, value in made.till]
    for label, value in pairs:
        page.text(left, y, label, face)
        page.text(right, y, value, face, align="right")
        y += face.line
    return y


def _draw_sale(page: Canvas, made: MadeUp, left: int, right: int, y: float, face: Face) -> float:
    """What was bought, each with its total; below, how many at which price, where it is not one."""
    locale, indent = made.locale, left + 2 * face.width(" ")
    always = page.rng.random() < 0.3
    for i, item in enumerate(made.document.line_items):
        path = f"line_items[{i}]"
        total = plain(locale.number(item.line_total), f"{path}.line_total")
        room = right - left - page.width_of(total, face) - face.width("  ")
        page.text(right, y, total, face, align="right")
        y = page.lines(left, y, wrap(plain(item.description, f"{path}.description"), face, room), face)
        worth_it = always or item.quantity != 1 or item.discount
        if item.quantity is not None and item.unit_price is not None and worth_it:
            unit = f" {made.units[i]}" if made.units and made.units[i] else ""
            line = (
                Run(locale.number(item.quantity), f"{path}.quantity"),
                Run(f"{unit} x ", path),
                Run(locale.number(item.unit_price), f"{path}.unit_price"),
            )
            y = page.lines(indent, y, [line], face)
        if item.discount:
            page.text(indent, y, plain(locale.labels["line_discount"], path), face)
            amount = plain(locale.number(-item.discount), f"{path}.discount")
            page.text(right - face.width("00000000"), y, amount, face, align="right")
            y += face.line
        y += 2
    return y


def _draw_bars(page: Canvas, middle: float, y: float) -> float:
    """A bar code."""
    x, end = middle - 110, middle + 110
    while x < end:
        width = page.rng.choice((1, 1, 2, 3))
        page.fill((x, y, x + width, y + 46), (20, 20, 22))
        x += width + page.rng.choice((1, 2, 2, 3))
    return y + 46


def on_a_desk(page: Page, rng: random.Random) -> Page:
    """Half of the strips get a desk around them, with a shadow, as a photo has it; their boxes move along."""
    if rng.random() < 0.5:
        return page
    width, height = page.image.size
    side, top = rng.randint(24, 70), rng.randint(18, 50)
    desk = rng.choice(_DESKS)
    dark = tuple(round(c * 0.82) for c in desk)
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270)))
    size = (width + 2 * side, height + 2 * top)
    image = Image.composite(Image.new("RGB", size, desk), Image.new("RGB", size, dark), ramp.resize(size))
    image.paste(tuple(round(c * 0.6) for c in desk), (side + 5, top + 6, side + width + 5, top + height + 6))
    image.paste(page.image, (side, top))
    boxes = {
        path: (box[0] + side, box[1] + top, box[2] + side, box[3] + top) for path, box in page.boxes.items()
    }
    return Page(image, boxes)
