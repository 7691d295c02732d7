"""Calculates the totals: subtotal, discount, shipping, the country's taxes, grand total."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.document_content import Tax
from finscribe_trainer.data_tools.synthetic.line_items import cents
from finscribe_trainer.data_tools.synthetic.locales import Locale
from finscribe_trainer.data_tools.synthetic.parties import Place
from finscribe_trainer.documents.schema import FinancialSummary, LineItem

ZERO = Decimal(0)


@dataclass(frozen=True)
class TaxPlan:
    """The tax rates of a document: none, one for the whole document, or several for its lines."""

    rates: tuple[Decimal, ...]
    split: bool = False
    """India, within a state: the tax is split into CGST and SGST."""


def pick_tax_plan(locale: Locale, vendor: Place, client: Place, rng: random.Random) -> TaxPlan:
    """Pick the tax rates of a sale from its location."""
    if rng.random() < 0.07:
        return TaxPlan(rng.choice([(), (ZERO,)]))
    if locale.tax == "sales_tax":
        return TaxPlan((vendor.sales_tax,)) if vendor.sales_tax or rng.random() < 0.5 else TaxPlan(())
    if rng.random() < 0.18:
        return TaxPlan(locale.tax_rates)
    rate = locale.tax_rates[0] if rng.random() < 0.75 else rng.choice(locale.tax_rates)
    return TaxPlan((rate,), split=locale.tax == "gst" and vendor.state == client.state)


def make_totals(
    items: Sequence[LineItem], plan: TaxPlan, locale: Locale, rng: random.Random, *, receipt: bool
) -> tuple[FinancialSummary, tuple[Tax, ...]]:
    """Calculate the summary and its tax section.

    subtotal - discount + shipping + tax = grand total. A single rate applies to (subtotal - discount), with
    VAT and GST also to shipping; of several rates, each applies to its lines, without discount and shipping.
    """
    subtotal = sum((item.line_total for item in items), ZERO)
    mixed = len(plan.rates) > 1
    discount = shipping = None
    if not mixed and subtotal > 20 and rng.random() < (0.05 if receipt else 0.2):
        discount = cents(subtotal * rng.choice([2, 3, 5, 10]) / 100)
    if not mixed and not receipt and rng.random() < 0.25:
        shipping = cents(locale.price_level * rng.choice([490, 590, 950, 1250, 1800, 3500]) / 100)
    base = subtotal - (discount or ZERO)
    if locale.tax != "sales_tax":
        base += shipping or ZERO
    taxes = _mixed(items, locale) if mixed else _single(base, plan, locale)
    tax = sum((tax.amount for tax in taxes), ZERO)
    grand_total = subtotal - (discount or ZERO) + (shipping or ZERO) + tax
    plain = not taxes and discount is None and shipping is None
    summary = FinancialSummary(
        subtotal=None if plain and rng.random() < 0.7 else subtotal,
        discount=discount,
        tax_rate=taxes[0].rate if len(taxes) == 1 else None,
        tax_amount=tax if taxes else None,
        shipping=shipping,
        grand_total=grand_total,
        currency=locale.currency,
    )
    return summary, taxes


def _single(base: Decimal, plan: TaxPlan, locale: Locale) -> tuple[Tax, ...]:
    if not plan.rates:
        return ()
    [rate] = plan.rates
    if not plan.split:
        name = "IGST" if locale.tax == "gst" else locale.tax_name
        return (Tax(name, rate, base, cents(base * rate / 100)),)
    half = (rate / 2).normalize()
    return tuple(Tax(name, half, base, cents(base * half / 100)) for name in ("CGST", "SGST"))


def _mixed(items: Sequence[LineItem], locale: Locale) -> tuple[Tax, ...]:
    bases: dict[Decimal, Decimal] = defaultdict(Decimal)
    for item in items:
        assert item.tax_rate is not None
        bases[item.tax_rate] += item.line_total
    name = "IGST" if locale.tax == "gst" else locale.tax_name
    return tuple(
        Tax(name, rate, base, cents(base * rate / 100)) for rate, base in sorted(bases.items(), reverse=True)
    )
