"""The sums that a document's numbers must keep, each as a residual and its slopes.

Every equation is linear in each of its numbers, so the slope says at once what a change of one would do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from finscribe_trainer.documents.numbers import NumberError, read_decimal

TOLERANCE = Decimal("0.02")
"""What amounts may be off by, in the document's currency: each of them was rounded."""
_PER_LINE = Decimal("0.005")
"""What a tax may be off by for each line: some round it line by line."""
_HUNDRED = Decimal(100)
_TOTALS = "financial_summary"


@dataclass(frozen=True)
class Form:
    """One way to read an equation."""

    residual: Decimal
    """What is computed minus what is written."""
    slopes: dict[str, Decimal]
    """How the residual changes with the number at a path."""


@dataclass(frozen=True)
class Equation:
    """One sum. It holds when any of its forms does."""

    rule: str
    path: str
    """The number that is computed."""
    text: str
    """In words, with the values."""
    forms: tuple[Form, ...]
    tolerance: Decimal = TOLERANCE

    @property
    def holds(self) -> bool:
        """Whether the document keeps it."""
        return any(abs(form.residual) <= self.tolerance for form in self.forms)

    def holds_after(self, path: str, delta: Decimal) -> bool:
        """Whether it would hold with the number at `path` changed by `delta`."""
        return any(
            abs(form.residual + form.slopes.get(path, Decimal(0)) * delta) <= self.tolerance
            for form in self.forms
        )


def build_equations(data: Any) -> list[Equation]:
    """The equations whose numbers are all there and readable; the others are left out."""
    numbers = _Numbers(data)
    return [equation for build in _BUILDERS for equation in build(numbers)]


class _Numbers:
    """The document's numbers by their paths; unreadable ones are known as such."""

    def __init__(self, data: Any) -> None:
        document = data if isinstance(data, dict) else {}
        items = document.get("line_items")
        self.lines: list[Any] = items if isinstance(items, list) else []
        totals = document.get(_TOTALS)
        self.totals: dict[str, Any] = totals if isinstance(totals, dict) else {}

    def total(self, name: str) -> Decimal | None:
        """A number of the summary; None when it is not there.

        Raises:
            NumberError: it is there and no number.
        """
        return _read(self.totals.get(name))

    def line(self, index: int, name: str) -> Decimal | None:
        """A number of a line; likewise."""
        line = self.lines[index]
        if not isinstance(line, dict):
            raise NumberError("a line is no object")
        return _read(line.get(name))

    def line_totals(self) -> list[Decimal]:
        """Those of all lines.

        Raises:
            NumberError: one is missing or unreadable.
        """
        totals = [self.line(index, "line_total") for index in range(len(self.lines))]
        known = [total for total in totals if total is not None]
        if not known or len(known) < len(totals):
            raise NumberError("a line has no total")
        return known


def _read(value: Any) -> Decimal | None:
    return None if value is None else read_decimal(value)


def _lines(numbers: _Numbers) -> Iterator[Equation]:
    for index in range(len(numbers.lines)):
        try:
            names = ("quantity", "unit_price", "discount", "line_total")
            quantity, price, discount, total = (numbers.line(index, name) for name in names)
        except NumberError:
            continue
        if quantity is None or price is None or total is None:
            continue
        where = f"line_items[{index}]"
        computed = quantity * price - (discount or 0)
        slopes = {
            f"{where}.quantity": price,
            f"{where}.unit_price": quantity,
            f"{where}.line_total": Decimal(-1),
        }
        text = f"quantity {plain(quantity)} x unit_price {plain(price)}"
        if discount is not None:
            slopes[f"{where}.discount"] = Decimal(-1)
            text += f" - discount {plain(discount)}"
        text += f" is {plain(computed)}, not line_total {plain(total)}"
        yield Equation("line-total", f"{where}.line_total", text, (Form(computed - total, slopes),))


def _subtotal(numbers: _Numbers) -> Iterator[Equation]:
    subtotal, totals = numbers.total("subtotal"), numbers.line_totals()
    if subtotal is None:
        return
    added = sum(totals, Decimal(0))
    slopes = _slopes_of_lines(numbers) | {f"{_TOTALS}.subtotal": Decimal(-1)}
    text = f"the {len(totals)} lines add up to {plain(added)}, not to subtotal {plain(subtotal)}"
    yield Equation("sum-of-lines", f"{_TOTALS}.subtotal", text, (Form(added - subtotal, slopes),))


def _grand_total(numbers: _Numbers) -> Iterator[Equation]:
    grand_total = numbers.total("grand_total")
    if grand_total is None:
        return
    subtotal = numbers.total("subtotal")
    slopes = {f"{_TOTALS}.grand_total": Decimal(-1)}
    if subtotal is not None:
        computed, text = subtotal, f"subtotal {plain(subtotal)}"
        slopes[f"{_TOTALS}.subtotal"] = Decimal(1)
    else:
        computed = sum(numbers.line_totals(), Decimal(0))
        text = f"the lines' sum {plain(computed)}"
        slopes |= _slopes_of_lines(numbers)
    for name, sign in (("discount", -1), ("shipping", 1), ("tax_amount", 1)):
        value = numbers.total(name)
        if value is not None:
            computed += sign * value
            slopes[f"{_TOTALS}.{name}"] = Decimal(sign)
            text += f" {'-' if sign < 0 else '+'} {name} {plain(value)}"
    text += f" is {plain(computed)}, not grand_total {plain(grand_total)}"
    yield Equation("grand-total", f"{_TOTALS}.grand_total", text, (Form(computed - grand_total, slopes),))


def _tax(numbers: _Numbers) -> Iterator[Equation]:
    names = ("subtotal", "discount", "shipping", "tax_rate", "tax_amount")
    subtotal, discount, shipping, rate, amount = (numbers.total(name) for name in names)
    if subtotal is None or rate is None or amount is None:
        return
    share = rate / _HUNDRED
    goods = subtotal - (discount or 0)
    forms, bases = [], [goods] if shipping is None else [goods, goods + shipping]
    for base in bases:
        slopes = {
            f"{_TOTALS}.subtotal": share,
            f"{_TOTALS}.tax_rate": base / _HUNDRED,
            f"{_TOTALS}.tax_amount": Decimal(-1),
        }
        if discount is not None:
            slopes[f"{_TOTALS}.discount"] = -share
        if base is not goods:
            slopes[f"{_TOTALS}.shipping"] = share
        forms.append(Form(base * share - amount, slopes))
    whole = "subtotal" if discount is None else "subtotal - discount"
    text = f"tax_rate {plain(rate)} % of {whole} {plain(goods)} is {plain(goods * share)}"
    if shipping is not None:
        text += f" ({plain(bases[1] * share)} with shipping)"
    text += f", not tax_amount {plain(amount)}"
    slack = TOLERANCE + _PER_LINE * len(numbers.lines)
    yield Equation("tax", f"{_TOTALS}.tax_amount", text, tuple(forms), slack)


def _tax_of_lines(numbers: _Numbers) -> Iterator[Equation]:
    """Where every line says its rate, and nothing but lines is taxed."""
    amount = numbers.total("tax_amount")
    if amount is None or numbers.total("discount") or numbers.total("shipping"):
        return
    totals = numbers.line_totals()
    rates = [numbers.line(index, "tax_rate") for index in range(len(totals))]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(totals):
        return
    slopes = {f"{_TOTALS}.tax_amount": Decimal(-1)}
    for index, (total, rate) in enumerate(zip(totals, known, strict=True)):
        slopes[f"line_items[{index}].line_total"] = rate / _HUNDRED
        slopes[f"line_items[{index}].tax_rate"] = total / _HUNDRED
    computed = sum((total * rate for total, rate in zip(totals, known, strict=True)), Decimal(0)) / _HUNDRED
    text = f"tax_rate x line_total of all lines is {plain(computed)}, not tax_amount {plain(amount)}"
    slack = TOLERANCE + _PER_LINE * len(totals)
    yield Equation("tax", f"{_TOTALS}.tax_amount", text, (Form(computed - amount, slopes),), slack)


def _slopes_of_lines(numbers: _Numbers) -> dict[str, Decimal]:
    return {f"line_items[{index}].line_total": Decimal(1) for index in range(len(numbers.lines))}


def _unless_unreadable(
    build: Callable[[_Numbers], Iterator[Equation]],
) -> Callable[[_Numbers], list[Equation]]:
    def built(numbers: _Numbers) -> list[Equation]:
        try:
            return list(build(numbers))
        except NumberError:  # the schema has its own word for it
            return []

    return built


_BUILDERS = [_unless_unreadable(build) for build in (_lines, _subtotal, _grand_total, _tax, _tax_of_lines)]


def plain(number: Decimal) -> str:
    """A number for a message: as it is written, but with four digits behind the point at most, and without
    zeros behind the second.

    >>> plain(Decimal("12.50")), plain(Decimal("2.33333333")), plain(Decimal("3.3300"))
    ('12.50', '2.3333', '3.33')
    """
    text = f"{round(number, 4):f}" if number != round(number, 2) else f"{number:f}"
    whole, point, digits = text.partition(".")
    return whole + point + digits[:2] + digits[2:].rstrip("0")
