"""Till receipt: a narrow strip in a monospaced font, sometimes on a desk as in a photo."""

import random

from PIL import Image

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.fonts import Face
from finscribe_trainer.data_tools.synthetic.layout import Canvas
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.text_runs import TextRun, plain, wrap

_DESKS = ((150, 112, 78), (96, 100, 108), (188, 182, 170), (70, 56, 48), (205, 208, 212))


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the receipt."""
    page.type_size *= 1.2
    left, right = 26, page.width - 26
    middle = page.width / 2
    side, locale = blocks.issuer(content), content.locale
    face, bold = page.face(), page.face(weight="bold")
    name = page.fitting(max(side.party.name.split(), key=len), right - left, 25)
    y = (
        page.lines(
            middle, 34, components.wrapped([blocks.name(side)], name, right - left), name, align="center"
        )
        + 4
    )
    if content.slogan:
        y = page.lines(
            middle, y, components.wrapped([plain(content.slogan)], face, right - left), face, align="center"
        )
    head = blocks.address(side, locale) + blocks.contact(side, locale)[:2] + blocks.tax_id(side, locale)
    y = page.lines(middle, y, components.wrapped(head, face, right - left), face, align="center") + 6
    mark = page.rng.choice("-=-*")
    y = _dashes(page, left, right, y, face, mark)
    page.text(middle, y, blocks.title(content), bold, align="center")
    y = _draw_pairs(page, content, left, right, y + bold.line)
    y = _dashes(page, left, right, y, face, mark)
    y = _draw_sale(page, content, left, right, y, face)
    y = _dashes(page, left, right, y, face, mark)
    grand = blocks.grand_total(content, code=page.rng.random() < 0.6)
    totals = blocks.totals(content, symbol=False)
    y = components.draw_totals(
        page, (left - page.inset, right + page.inset), y, totals, grand, rule=None, scale=1.35
    )
    y = _dashes(page, left, right, y + 2, face, mark)
    for label, value in content.payment:
        page.text(left, y, label, face)
        page.text(right, y, locale.number(value), face, align="right")
        y += face.line
    texts = [plain(text) for text in (*content.notes, *content.footer)]
    y = page.lines(middle, y + 14, components.wrapped(texts, face, right - left), face, align="center")
    if page.rng.random() < 0.6:
        y = _draw_bars(page, middle, y + 14)
    return y + 34


def _dashes(page: Canvas, left: int, right: int, y: float, face: Face, mark: str) -> float:
    """Draw a rule of repeated characters."""
    page.text((left + right) / 2, y, mark * int((right - left) / face.width(mark)), face, align="center")
    return y + face.line


def _draw_pairs(page: Canvas, content: DocumentContent, left: int, right: int, y: float) -> float:
    """Draw number, date and cashier: labels at the left, values at the right."""
    face = page.face()
    pairs = [(field.label, field.value) for field in blocks.header_fields(content, terms=False)]
    pairs += [(plain(label), plain(value)) for label, value in content.till]
    for label, value in pairs:
        page.text(left, y, label, face)
        page.text(right, y, value, face, align="right")
        y += face.line
    return y


def _draw_sale(page: Canvas, content: DocumentContent, left: int, right: int, y: float, face: Face) -> float:
    """Draw each item with its total and, where it is not a single one, quantity and unit price below."""
    locale, indent = content.locale, left + 2 * face.width(" ")
    always = page.rng.random() < 0.3
    for i, item in enumerate(content.document.line_items):
        path = f"line_items[{i}]"
        total = plain(locale.number(item.line_total), f"{path}.line_total")
        room = right - left - page.width_of(total, face) - face.width("  ")
        page.text(right, y, total, face, align="right")
        y = page.lines(left, y, wrap(plain(item.description, f"{path}.description"), face, room), face)
        worth_it = always or item.quantity != 1 or item.discount
        if item.quantity is not None and item.unit_price is not None and worth_it:
            unit = f" {content.units[i]}" if content.units and content.units[i] else ""
            line = (
                TextRun(locale.number(item.quantity), f"{path}.quantity"),
                TextRun(f"{unit} x ", path),
                TextRun(locale.number(item.unit_price), f"{path}.unit_price"),
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
    """Draw a bar code."""
    x, end = middle - 110, middle + 110
    while x < end:
        width = page.rng.choice((1, 1, 2, 3))
        page.fill((x, y, x + width, y + 46), (20, 20, 22))
        x += width + page.rng.choice((1, 2, 2, 3))
    return y + 46


def add_desk_background(page: Page, rng: random.Random) -> Page:
    """Put half of the receipts on a desk with a shadow, as in a photo; boxes are shifted accordingly."""
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
