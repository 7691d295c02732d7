"""Generates invoices and purchase orders."""

import random
from datetime import timedelta

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.header_fields import (
    amounts,
    client_name,
    dates_and_terms,
    number_of,
)
from finscribe_trainer.data_tools.synthetic.line_items import make_lines, pick_line_style
from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.parties import (
    Place,
    address_lines,
    company,
    fill,
    make_bank,
    make_footer,
    make_party,
    make_place,
)
from finscribe_trainer.data_tools.synthetic.totals import TaxPlan, make_totals, pick_tax_plan
from finscribe_trainer.documents.schema import parse_document


def make_invoice(
    kind: str, branch: str, places: tuple[Place, Place], locale: Locale, rng: random.Random
) -> DocumentContent:
    """Generate an invoice, or a purchase order, which has the client in its letterhead."""
    order = kind == "purchase_order"
    vendor = make_party(company(locale, branch, places[0].city, rng), places[0], locale, rng, full=not order)
    client = make_party(client_name(order, places[1], locale, rng), places[1], locale, rng, full=order)
    plan = pick_tax_plan(locale, *places, rng)
    issued, days, terms = dates_and_terms(locale, rng)
    count = min(rng.randint(1, 25), rng.randint(1, 25), rng.randint(1, 25)) if rng.random() < 0.8 else 25
    count = rng.randint(12, 25) if count == 25 else count
    lines = make_lines(count, branch, pick_line_style(kind, branch, issued, rng), locale, plan.rates, rng)
    items = [line.item for line in lines]
    summary, taxes = make_totals(items, plan, locale, rng, receipt=False)
    due = rng.random() < 0.75
    document = parse_document(
        {
            "document_type": kind,
            "vendor": vendor.model_dump(),
            "client": client.model_dump(),
            "invoice_number": None if order else number_of(kind, issued, locale, rng),
            "issue_date": issued.isoformat(),
            "due_date": (issued + timedelta(days=days)).isoformat() if due else None,
            "po_number": number_of("purchase_order", issued, locale, rng)
            if order or rng.random() < 0.3
            else None,
            "payment_terms": terms if rng.random() < 0.7 else None,
            **amounts(items, summary),
        }
    )
    other = make_party(client.name, make_place(locale, rng), locale, rng, full=False)
    return DocumentContent(
        document=document,
        locale=locale,
        branch=branch,
        descriptions=tuple(line.description for line in lines),
        units=tuple(line.unit for line in lines),
        taxes=taxes,
        slogan=rng.choice(words(locale)["slogans"]) if rng.random() < 0.5 else "",
        customer_number=fill("%####", rng) if rng.random() < 0.5 else "",
        ship_to=address_lines(other, locale) if rng.random() < (0.8 if order else 0.25) else (),
        bank=() if order or rng.random() < 0.25 else make_bank(locale, rng),
        notes=_notes(plan, locale, rng),
        footer=make_footer(client if order else vendor, locale, rng),
    )


def _notes(plan: TaxPlan, locale: Locale, rng: random.Random) -> tuple[str, ...]:
    untaxed = not any(plan.rates) and rng.random() < 0.7
    notes = rng.sample(words(locale)["notes"], rng.choice([0, 0, 1, 2]))
    return (*([rng.choice(words(locale)["no_tax"])] if untaxed else []), *notes)
