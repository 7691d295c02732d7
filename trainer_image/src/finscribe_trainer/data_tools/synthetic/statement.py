"""Generates statements of account: open items, oldest first, with their ageing."""

import random
from datetime import timedelta
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.header_fields import (
    amounts,
    client_name,
    dates_and_terms,
    number_of,
    number_pattern,
)
from finscribe_trainer.data_tools.synthetic.line_items import cents
from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.parties import (
    Place,
    company,
    fill,
    make_bank,
    make_footer,
    make_party,
)
from finscribe_trainer.data_tools.synthetic.totals import ZERO
from finscribe_trainer.documents.schema import FinancialSummary, LineItem, parse_document

_SPANS = ("current", "days_30", "days_60", "days_90", "days_over")


def make_statement(
    kind: str, branch: str, places: tuple[Place, Place], locale: Locale, rng: random.Random
) -> DocumentContent:
    """Generate a statement with a positive balance."""
    vendor = make_party(company(locale, branch, places[0].city, rng), places[0], locale, rng, full=True)
    client = make_party(client_name(False, places[1], locale, rng), places[1], locale, rng, full=False)
    issued, days, terms = dates_and_terms(locale, rng)
    count = min(rng.randint(2, 22), rng.randint(2, 22))
    ages = sorted((rng.randint(1, 130) for _ in range(count)), reverse=True)
    spoken, pattern = words(locale)["statement"], number_pattern("invoice", issued, locale, rng)
    numbers = sorted(fill(pattern, rng) for _ in ages)
    items, spans, total = [], dict.fromkeys(_SPANS, Decimal("0.00")), ZERO
    for index, age in enumerate(ages):
        owed = index == 0 or rng.random() < 0.85
        word = rng.choice(spoken["owed" if owed else "credited"])
        amount = cents(Decimal(rng.randint(1500, 380000)) / 100 * locale.price_level)
        if not owed:  # keeps the balance positive
            amount = -min(cents(amount / 4), cents(total / 2))
        total += amount
        items.append(LineItem(description=f"{word} {numbers[index]}", line_total=amount))
        spans[_SPANS[(min(max(age - days, 0), 91) + 29) // 30]] += amount
    summary = FinancialSummary(grand_total=total, currency=locale.currency)
    document = parse_document(
        {
            "document_type": kind,
            "vendor": vendor.model_dump(),
            "client": client.model_dump(),
            "invoice_number": number_of(kind, issued, locale, rng) if rng.random() < 0.5 else None,
            "issue_date": issued.isoformat(),
            "due_date": (issued + timedelta(days=14)).isoformat() if rng.random() < 0.4 else None,
            "payment_terms": terms if rng.random() < 0.4 else None,
            **amounts(items, summary),
        }
    )
    return DocumentContent(
        document=document,
        locale=locale,
        branch=branch,
        descriptions=tuple((item.description,) for item in items),
        units=("",) * count,
        slogan=rng.choice(words(locale)["slogans"]) if rng.random() < 0.4 else "",
        customer_number=fill("%####", rng) if rng.random() < 0.8 else "",
        bank=make_bank(locale, rng) if rng.random() < 0.7 else (),
        notes=tuple(rng.sample(words(locale)["notes"][:1], rng.randint(0, 1))),
        footer=make_footer(vendor, locale, rng),
        dates=tuple((issued - timedelta(days=age)).isoformat() for age in ages),
        ageing=tuple((locale.labels[key], amount) for key, amount in spans.items()),
    )
