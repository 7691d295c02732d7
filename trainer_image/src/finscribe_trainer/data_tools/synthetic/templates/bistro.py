"""Restaurant receipt: centred name, quantity before each dish, and a large total."""

from finscribe_trainer.data_tools.synthetic import blocks, components
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas
from finscribe_trainer.data_tools.synthetic.text_runs import TextRun, plain, wrap


def draw(page: Canvas, content: DocumentContent) -> float:
    """Draw the receipt."""
    page.type_size *= 1.12
    left, right = 38, page.width - 38
    middle = page.width / 2
    side, locale = blocks.issuer(content), content.locale
    face, small = page.face(), page.face(0.9)
    double = page.rng.random() < 0.5
    name = page.fitting(max(side.party.name.split(), key=len), right - left, 31)
    y = (
        page.lines(
            middle, 44, components.wrapped([blocks.name(side)], name, right - left), name, align="center"
        )
        + 2
    )
    if content.slogan:
        italic = page.face(weight="italic")
        lines = components.wrapped([plain(content.slogan)], italic, right - left)
        y = page.lines(middle, y, lines, italic, align="center", ink=GREY) + 6
    head = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    y = page.lines(middle, y, components.wrapped(head, small, right - left), small, align="center") + 12
    y = _rule(page, left, right, y, double=double)
    y = _draw_header_fields(page, content, left, right, y)
    y = _rule(page, left, right, y + 4, double=double)
    y = _draw_dishes(page, content, left, right, y)
    y = _rule(page, left, right, y + 4, double=double)
    symbol = page.rng.random() < 0.5
    grand = blocks.grand_total(content, code=page.rng.random() < 0.4)
    totals = blocks.totals(content, symbol=symbol)
    y = (
        components.draw_totals(
            page, (left - page.inset, right + page.inset), y, totals, grand, rule=None, scale=1.5
        )
        + 6
    )
    y = _rule(page, left, right, y, double=double)
    for label, value in content.payment:
        page.text(left, y, label, face)
        amount = locale.money(value) if symbol else locale.number(value)
        page.text(right, y, amount, face, align="right")
        y += face.line
    texts = [plain(text) for text in (*content.notes, *content.footer)]
    y = page.lines(middle, y + 18, components.wrapped(texts, small, right - left), small, align="center")
    return y + 46


def _rule(page: Canvas, left: int, right: int, y: float, *, double: bool) -> float:
    page.rule(left, right, y, BLACK)
    if double:
        page.rule(left, right, y + 3, BLACK)
    return y + 12


def _draw_header_fields(page: Canvas, content: DocumentContent, left: int, right: int, y: float) -> float:
    """Draw the title, then number, date, table and waiter, two per line where they fit."""
    face, bold = page.face(), page.face(weight="bold")
    page.text(page.width / 2, y, blocks.title(content), bold, align="center")
    y += bold.line + 4
    pairs = [
        (*field.label, TextRun(" "), *field.value) for field in blocks.header_fields(content, terms=False)
    ]
    pairs += [(TextRun(f"{label} {value}"),) for label, value in content.till]
    while pairs:
        first = pairs.pop(0)
        page.text(left, y, first, face)
        room = right - left - page.width_of(first, face) - 24
        if pairs and page.width_of(pairs[0], face) <= room:
            page.text(right, y, pairs.pop(0), face, align="right")
        y += face.line
    return y


def _draw_dishes(page: Canvas, content: DocumentContent, left: int, right: int, y: float) -> float:
    """Draw quantity, description, unit price and, at the right, the total of each line."""
    face, small, locale = page.face(), page.face(0.88), content.locale
    counts = [
        locale.number(item.quantity) if item.quantity is not None else ""
        for item in content.document.line_items
    ]
    start = left + max(face.width(count) for count in counts) + face.width("x  ")
    for i, item in enumerate(content.document.line_items):
        path = f"line_items[{i}]"
        total = plain(locale.number(item.line_total), f"{path}.line_total")
        page.text(right, y, total, face, align="right")
        if counts[i]:
            page.text(left, y, (TextRun(counts[i], f"{path}.quantity"), TextRun("x", path)), face)
        room = right - start - page.width_of(total, face) - 16
        y = page.lines(start, y, wrap(plain(item.description, f"{path}.description"), face, room), face)
        if item.unit_price is not None:
            price = TextRun(locale.number(item.unit_price), f"{path}.unit_price")
            y = page.lines(
                start, y, [(TextRun("@ " if locale.language == "en" else "à ", path), price)], small, ink=GREY
            )
        if item.discount:
            amount = TextRun(locale.number(-item.discount), f"{path}.discount")
            label = TextRun(f"{locale.labels['line_discount']} ", path)
            y = page.lines(start, y, [(label, amount)], small, ink=GREY)
        y += 5
    return y
