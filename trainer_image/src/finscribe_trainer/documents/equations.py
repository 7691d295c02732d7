"""Builds the equations between a document's amounts, each as a residual with its partial derivatives.

Every equation is linear in each of its numbers, so the derivative gives the effect of changing one of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from finscribe_trainer.documents.numbers import NumberError, read_decimal

TOLERANCE = Decimal("0.02")
"""Rounding tolerance of amounts, in the document's currency."""
_PER_LINE = Decimal("0.005")
"""Additional tolerance of a tax for each line: some vendors round the tax per line."""
_HUNDRED = Decimal(100)
_TOTALS = "financial_summary"


@dataclass(frozen=True)
class Form:
    """One valid form of an equation, such as a tax with or without shipping."""

    residual: Decimal
    """The computed value minus the value in the document."""
    derivatives: dict[str, Decimal]
    """Partial derivative of the residual with respect to the number at each path."""


@dataclass(frozen=True)
class Equation:
    """One equation; it holds when any of its forms does."""

    rule: str
    path: str
    """Path of the number that the others determine."""
    text: str
    """The equation in words, with its values."""
    forms: tuple[Form, ...]
    tolerance: Decimal = TOLERANCE

    @property
    def holds(self) -> bool:
        """Whether the document satisfies it."""
        return any(abs(form.residual) <= self.tolerance for form in self.forms)

    def holds_after(self, path: str, delta: Decimal) -> bool:
        """Whether it would hold if `delta` were added to the number at `path`."""
        return any(
            abs(form.residual + form.derivatives.get(path, Decimal(0)) * delta) <= self.tolerance
            for form in self.forms
        )


def build_equations(data: Any) -> list[Equation]:
    """The equations whose numbers are all present and valid."""
    numbers = _Numbers(data)
    return [equation for build in _BUILDERS for equation in build(numbers)]


class _Numbers:
    """Access to a document's numbers."""

    def __init__(self, data: Any) -> None:
        document = data if isinstance(data, dict) else {}
        items = document.get("line_items")
        self.lines: list[Any] = items if isinstance(items, list) else []
        totals = document.get(_TOTALS)
        self.totals: dict[str, Any] = totals if isinstance(totals, dict) else {}

    def total(self, name: str) -> Decimal | None:
        """A number of the summary; None when it is missing.

        Raises:
            NumberError: it is not a number.
        """
        return _read(self.totals.get(name))

    def line(self, index: int, name: str) -> Decimal | None:
        """A number of a line; None when it is missing.

        Raises:
            NumberError: it is not a number, or the line is not an object.
        """
        line = self.lines[index]
        if not isinstance(line, dict):
            raise NumberError("a line is not an object")
        return _read(line.get(name))

    def line_totals(self) -> list[Decimal]:
        """The totals of all lines.

        Raises:
            NumberError: one is missing or not a number.
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
        derivatives = {
            f"{where}.quantity": price,
            f"{where}.unit_price": quantity,
            f"{where}.line_total": Decimal(-1),
        }
        text = f"quantity {shorten(quantity)} x unit_price {shorten(price)}"
        if discount is not None:
            derivatives[f"{where}.discount"] = Decimal(-1)
            text += f" - discount {shorten(discount)}"
        text += f" is {shorten(computed)}, not line_total {shorten(total)}"
        yield Equation("line-total", f"{where}.line_total", text, (Form(computed - total, derivatives),))


def _subtotal(numbers: _Numbers) -> Iterator[Equation]:
    subtotal, totals = numbers.total("subtotal"), numbers.line_totals()
    if subtotal is None:
        return
    added = sum(totals, Decimal(0))
    derivatives = _line_total_derivatives(numbers) | {f"{_TOTALS}.subtotal": Decimal(-1)}
    text = f"the {len(totals)} lines add up to {shorten(added)}, not to subtotal {shorten(subtotal)}"
    yield Equation("sum-of-lines", f"{_TOTALS}.subtotal", text, (Form(added - subtotal, derivatives),))


def _grand_total(numbers: _Numbers) -> Iterator[Equation]:
    grand_total = numbers.total("grand_total")
    if grand_total is None:
        return
    subtotal = numbers.total("subtotal")
    derivatives = {f"{_TOTALS}.grand_total": Decimal(-1)}
    if subtotal is not None:
        computed, text = subtotal, f"subtotal {shorten(subtotal)}"
        derivatives[f"{_TOTALS}.subtotal"] = Decimal(1)
    else:
        computed = sum(numbers.line_totals(), Decimal(0))
        text = f"the lines' sum {shorten(computed)}"
        derivatives |= _line_total_derivatives(numbers)
    for name, sign in (("discount", -1), ("shipping", 1), ("tax_amount", 1)):
        value = numbers.total(name)
        if value is not None:
            computed += sign * value
            derivatives[f"{_TOTALS}.{name}"] = Decimal(sign)
            text += f" {'-' if sign < 0 else '+'} {name} {shorten(value)}"
    text += f" is {shorten(computed)}, not grand_total {shorten(grand_total)}"
    yield Equation(
        "grand-total", f"{_TOTALS}.grand_total", text, (Form(computed - grand_total, derivatives),)
    )


def _tax(numbers: _Numbers) -> Iterator[Equation]:
    names = ("subtotal", "discount", "shipping", "tax_rate", "tax_amount")
    subtotal, discount, shipping, rate, amount = (numbers.total(name) for name in names)
    if subtotal is None or rate is None or amount is None:
        return
    goods = subtotal - (discount or 0)
    forms, bases = [], [goods] if shipping is None else [goods, goods + shipping]
    for base, per_unit in product(bases, _units_of(rate)):
        share = rate / per_unit
        derivatives = {
            f"{_TOTALS}.subtotal": share,
            f"{_TOTALS}.tax_rate": base / per_unit,
            f"{_TOTALS}.tax_amount": Decimal(-1),
        }
        if discount is not None:
            derivatives[f"{_TOTALS}.discount"] = -share
        if base is not goods:
            derivatives[f"{_TOTALS}.shipping"] = share
        forms.append(Form(base * share - amount, derivatives))
    share = rate / _HUNDRED
    whole = "subtotal" if discount is None else "subtotal - discount"
    text = f"tax_rate {shorten(rate)} % of {whole} {shorten(goods)} is {shorten(goods * share)}"
    if shipping is not None:
        text += f" ({shorten(bases[1] * share)} with shipping)"
    text += f", not tax_amount {shorten(amount)}"
    tolerance = TOLERANCE + _PER_LINE * len(numbers.lines)
    yield Equation("tax", f"{_TOTALS}.tax_amount", text, tuple(forms), tolerance)


def _tax_of_lines(numbers: _Numbers) -> Iterator[Equation]:
    """Applies where every line has a tax rate, and there is no discount or shipping on the whole document."""
    amount = numbers.total("tax_amount")
    if amount is None or numbers.total("discount") or numbers.total("shipping"):
        return
    totals = numbers.line_totals()
    rates = [numbers.line(index, "tax_rate") for index in range(len(totals))]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(totals):
        return
    forms = []
    for per_unit in dict.fromkeys(unit for rate in known for unit in _units_of(rate)):
        derivatives = {f"{_TOTALS}.tax_amount": Decimal(-1)}
        for index, (total, rate) in enumerate(zip(totals, known, strict=True)):
            derivatives[f"line_items[{index}].line_total"] = rate / per_unit
            derivatives[f"line_items[{index}].tax_rate"] = total / per_unit
        computed = (
            sum((total * rate for total, rate in zip(totals, known, strict=True)), Decimal(0)) / per_unit
        )
        forms.append(Form(computed - amount, derivatives))
    computed = forms[0].residual + amount
    text = f"tax_rate x line_total of all lines is {shorten(computed)}, not tax_amount {shorten(amount)}"
    tolerance = TOLERANCE + _PER_LINE * len(totals)
    yield Equation("tax", f"{_TOTALS}.tax_amount", text, tuple(forms), tolerance)


def _units_of(rate: Decimal) -> tuple[Decimal, ...]:
    """What a tax rate is divided by: 100 for percent, and below 1 also 1, for a fraction."""
    return (_HUNDRED, Decimal(1)) if 0 < rate < 1 else (_HUNDRED,)


def _line_total_derivatives(numbers: _Numbers) -> dict[str, Decimal]:
    return {f"line_items[{index}].line_total": Decimal(1) for index in range(len(numbers.lines))}


def _skip_if_invalid(
    build: Callable[[_Numbers], Iterator[Equation]],
) -> Callable[[_Numbers], list[Equation]]:
    def built(numbers: _Numbers) -> list[Equation]:
        try:
            return list(build(numbers))
        except NumberError:  # the schema check reports it
            return []

    return built


_BUILDERS = [_skip_if_invalid(build) for build in (_lines, _subtotal, _grand_total, _tax, _tax_of_lines)]


def shorten(number: Decimal) -> str:
    """A number for messages: at most four decimal places, without trailing zeros after the second.

    >>> shorten(Decimal("12.50")), shorten(Decimal("2.33333333")), shorten(Decimal("3.3300"))
    ('12.50', '2.3333', '3.33')
    """
    text = f"{round(number, 4):f}" if number != round(number, 2) else f"{number:f}"
    whole, point, digits = text.partition(".")
    return whole + point + digits[:2] + digits[2:].rstrip("0")
