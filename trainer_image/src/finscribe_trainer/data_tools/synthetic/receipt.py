"""Generates receipts."""

import random
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.header_fields import amounts, pick_day
from finscribe_trainer.data_tools.synthetic.line_items import make_lines, pick_line_style
from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.parties import Place, company, fill, make_party, person
from finscribe_trainer.data_tools.synthetic.totals import TaxPlan, make_totals, pick_tax_plan
from finscribe_trainer.documents.schema import parse_document


def make_receipt(
    kind: str, branch: str, places: tuple[Place, Place], locale: Locale, rng: random.Random
) -> DocumentContent:
    """Generate a receipt, with tax added to the prices or included in them."""
    vendor = make_party(company(locale, branch, places[0].city, rng), places[0], locale, rng, full=True)
    plan = pick_tax_plan(locale, places[0], places[0], rng)
    included = locale.tax == "vat" and rng.random() < 0.4
    if included:
        plan = TaxPlan(())
    issued = pick_day(rng)
    count = min(rng.randint(1, 18), rng.randint(1, 18))
    lines = make_lines(count, branch, pick_line_style(kind, branch, issued, rng), locale, plan.rates, rng)
    items = [line.item for line in lines]
    summary, taxes = make_totals(items, plan, locale, rng, receipt=True)
    document = parse_document(
        {
            "document_type": kind,
            "vendor": vendor.model_dump(),
            "invoice_number": fill(rng.choice(["%###", "%#####", "00#### / ##"]), rng)
            if rng.random() < 0.8
            else None,
            "issue_date": issued.isoformat(),
            **amounts(items, summary),
        }
    )
    note = rng.choice(words(locale)["prices_include"])
    return DocumentContent(
        document=document,
        locale=locale,
        branch=branch,
        descriptions=tuple(line.description for line in lines),
        units=tuple(line.unit for line in lines),
        taxes=taxes,
        slogan=rng.choice(words(locale)["slogans"]) if rng.random() < 0.2 else "",
        notes=(note,) if included else (),
        footer=(locale.labels["come_again"],),
        till=_till(branch, locale, rng),
        payment=_payment(summary.grand_total, locale, rng),
    )


def _till(branch: str, locale: Locale, rng: random.Random) -> tuple[tuple[str, str], ...]:
    spoken, labels = words(locale), locale.labels
    fields = [(str(spoken["time"]), f"{rng.randint(8, 22)}:{rng.randint(0, 59):02}")]
    if rng.random() < 0.7:
        fields.append((labels["cashier"], person(locale, rng)[0]))
    if branch == "restaurant":
        fields.append((labels["table"], str(rng.randint(1, 40))))
        if rng.random() < 0.4:
            fields.append((str(spoken["guests"]), str(rng.randint(1, 8))))
    return tuple(fields)


def _payment(total: Decimal, locale: Locale, rng: random.Random) -> tuple[tuple[str, Decimal], ...]:
    labels = locale.labels
    if total > 200 * locale.price_level or rng.random() < 0.6:
        return ((labels["card"], total),) if rng.random() < 0.8 else ()
    note = max(5, round(5 * locale.price_level))
    given = (total // note + 1) * note + Decimal("0.00")
    return ((labels["cash"], given), (labels["change"], given - total))
