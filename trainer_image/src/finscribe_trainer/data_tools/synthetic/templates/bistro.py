"""A restaurant's receipt: centred name, how many in front of each dish, the total in large type."""

from finscribe_trainer.data_tools.synthetic import blocks, parts
from finscribe_trainer.data_tools.synthetic.layout import BLACK, GREY, Canvas
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import Run, plain, wrap


def draw(page: Canvas, made: MadeUp) -> float:
    """Draw the strip."""
    page.type_size *= 1.12
    left, right = 38, page.width - 38
    middle = page.width / 2
    side, locale = blocks.issuer(made), made.locale
    face, small = page.face(), page.face(0.9)
    double = page.rng.random() < 0.5
    name = page.fitting(max(side.party.name.split(), key=len), right - left, 31)
    y = (
        page.lines(middle, 44, parts.wrapped([blocks.name(side)], name, right - left), name, align="center")
        + 2
    )
    if made.slogan:
        italic = page.face(weight="italic")
        lines = parts.wrapped([plain(made.slogan)], italic, right - left)
        y = page.lines(middle, y, lines, italic, align="center", ink=GREY) + 6
    head = blocks.address(side, locale) + blocks.contact(side, locale) + blocks.tax_id(side, locale)
    y = page.lines(middle, y, parts.wrapped(head, small, right - left), small, align="center") + 12
    y = _rule(page, left, right, y, double=double)
    y = _draw_facts(page, made, left, right, y)
    y = _rule(page, left, right, y + 4, double=double)
    y = _draw_dishes(page, made, left, right, y)
    y = _rule(page, left, right, y + 4, double=double)
    symbol = page.rng.random() < 0.5
    grand = blocks.grand_total(made, code=page.rng.random() < 0.4)
    totals = blocks.totals(made, symbol=symbol)
    y = (
        parts.draw_totals(
            page, (left - page.inset, right + page.inset), y, totals, grand, rule=None, scale=1.5
        )
        + 6
    )
    y = _rule(page, left, right, y, double=double)
    for label, value in made.payment:
        page.text(left, y, label, face)
        amount = locale.money(value) if symbol else locale.number(value)
        page.text(right, y, amount, face, align="right")
        y += face.line
    texts = [plain(text) for text in (*made.notes, *made.footer)]
    y = page.lines(middle, y + 18, parts.wrapped(texts, small, right - left), small, align="center")
    return y + 46


def _rule(page: Canvas, left: int, right: int, y: float, *, double: bool) -> float:
    page.rule(left, right, y, BLACK)
    if double:
        page.rule(left, right, y + 3, BLACK)
    return y + 12


def _draw_facts(page: Canvas, made: MadeUp, left: int, right: int, y: float) -> float:
    """Title, then number, date, table and waiter, two in a line where they fit."""
    face, bold = page.face(), page.face(weight="bold")
    page.text(page.width / 2, y, blocks.title(made), bold, align="center")
    y += bold.line + 4
    pairs = [(*fact.label, Run(" "), *fact.value) for fact in blocks.facts(made, terms=False)]
    pairs += [(Run(f"{label} {value}"),) for label, value in made.till]
    while pairs:
        first = pairs.pop(0)
        page.text(left, y, first, face)
        room = right - left - page.width_of(first, face) - 24
        if pairs and page.width_of(pairs[0], face) <= room:
            page.text(right, y, pairs.pop(0), face, align="right")
        y += face.line
    return y


def _draw_dishes(page: Canvas, made: MadeUp, left: int, right: int, y: float) -> float:
    """How many, what, the price of one where it is not one, and the total at the right."""
    face, small, locale = page.face(), page.face(0.88), made.locale
    counts = [
        locale.number(item.quantity) if item.quantity is not None else "" for item in made.document.line_items
    ]
    start = left + max(face.width(count) for count in counts) + face.width("x  ")
    for i, item in enumerate(made.document.line_items):
        path = f"line_items[{i}]"
        total = plain(locale.number(item.line_total), f"{path}.line_total")
        page.text(right, y, total, face, align="right")
        if counts[i]:
            page.text(left, y, (Run(counts[i], f"{path}.quantity"), Run("x", path)), face)
        room = right - start - page.width_of(total, face) - 16
        y = page.lines(start, y, wrap(plain(item.description, f"{path}.description"), face, room), face)
        if item.unit_price is not None:
            price = Run(locale.number(item.unit_price), f"{path}.unit_price")
            y = page.lines(
                start, y, [(Run("@ " if locale.language == "en" else "à ", path), price)], small, ink=GREY
            )
        if item.discount:
            amount = Run(locale.number(-item.discount), f"{path}.discount")
            label = Run(f"{locale.labels['line_discount']} ", path)
            y = page.lines(start, y, [(label, amount)], small, ink=GREY)
        y += 5
    return y
