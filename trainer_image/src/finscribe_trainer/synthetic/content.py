"""Makes up what a document says: who, what, how much, when. The sums are right by construction."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import (
    DOCUMENT_TYPES,
    Document,
    FinancialSummary,
    LineItem,
    parse_document,
)
from finscribe_trainer.synthetic.lines import cents, make_lines, pick_line_style
from finscribe_trainer.synthetic.locales import Locale, words
from finscribe_trainer.synthetic.made_up import MadeUp
from finscribe_trainer.synthetic.parties import (
    Place,
    address_lines,
    company,
    fill,
    make_bank,
    make_footer,
    make_party,
    make_place,
    person,
)
from finscribe_trainer.synthetic.totals import ZERO, TaxPlan, make_totals, pick_tax_plan

BRANCHES = {
    "invoice": ("office", "hardware", "consulting", "medical", "logistics", "groceries", "restaurant"),
    "receipt": ("restaurant", "groceries", "hardware", "office", "medical"),
    "statement": ("office", "hardware", "consulting", "medical", "logistics", "groceries"),
    "purchase_order": ("office", "hardware", "medical", "groceries", "logistics"),
}
_SPANS = ("current", "days_30", "days_60", "days_90", "days_over")
_NUMBERS = ("{p}-{y}-%###", "{p}%####", "{y}/%##", "{y}%###", "%#####", "{p}{y}0###", "%##-%###")


def make_document(kind: str, locale: Locale, rng: random.Random) -> MadeUp:
    """A document of a kind (`documents/schema.DOCUMENT_TYPES`), everything drawn from `rng`."""
    assert kind in DOCUMENT_TYPES
    locale = pick_style(locale, rng)
    branch = rng.choice(BRANCHES[kind])
    places = make_place(locale, rng), make_place(locale, rng)
    if rng.random() < 0.5:
        places = places[0], replace(places[1], state=places[0].state, city=places[0].city, zip=places[0].zip)
    makers = {"receipt": _receipt, "statement": _statement}
    return makers.get(kind, _trade)(kind, branch, places, locale, rng)


def pick_style(locale: Locale, rng: random.Random) -> Locale:
    """The country's way with this document's own date format and words for the labels."""
    labels = {key: rng.choice(synonyms) for key, synonyms in words(locale)["labels"].items()}
    return replace(locale, labels=labels, date_format=rng.choice(locale.date_formats))


def shown(document: Document, drawn: set[str]) -> Document:
    """The document without the fields that its page does not show.

    Args:
        document: as it was made up.
        drawn: the paths that were drawn, as `documents/paths.leaves` writes them; the document's type and
            currency count as shown, since layout and money tell them.

    Raises:
        pydantic.ValidationError: a field that the schema requires was not drawn.
    """
    kept = drawn | {"document_type", "financial_summary.currency"}
    data = document.model_dump(mode="json", exclude_none=True)
    left_out = {path for path, _ in leaves(data)} - kept
    pruned = _without(data, left_out, "")
    return parse_document(pruned)


def _without(data: Any, paths: set[str], path: str) -> Any:
    """The data without some leaves, and without objects that have none left."""
    if isinstance(data, dict):
        inside = {
            key: _without(value, paths, f"{path}.{key}" if path else key) for key, value in data.items()
        }
        return {key: value for key, value in inside.items() if value is not None} or None
    if isinstance(data, list):
        return [_without(value, paths, f"{path}[{index}]") for index, value in enumerate(data)]
    return None if path in paths else data


def _trade(kind: str, branch: str, places: tuple[Place, Place], locale: Locale, rng: random.Random) -> MadeUp:
    """An invoice, or a purchase order, whose letterhead is the client's."""
    order = kind == "purchase_order"
    vendor = make_party(company(locale, branch, places[0].city, rng), places[0], locale, rng, full=not order)
    client = make_party(_client_name(order, places[1], locale, rng), places[1], locale, rng, full=order)
    plan = pick_tax_plan(locale, *places, rng)
    issued, days, terms = _dates_and_terms(locale, rng)
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
            "invoice_number": None if order else _number(kind, issued, locale, rng),
            "issue_date": issued.isoformat(),
            "due_date": (issued + timedelta(days=days)).isoformat() if due else None,
            "po_number": _number("purchase_order", issued, locale, rng)
            if order or rng.random() < 0.3
            else None,
            "payment_terms": terms if rng.random() < 0.7 else None,
            **_amounts(items, summary),
        }
    )
    issuer, issuer_place = (client, places[1]) if order else (vendor, places[0])
    other = make_party(client.name, make_place(locale, rng), locale, rng, full=False)
    return MadeUp(
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
        footer=make_footer(issuer, locale, rng) if issuer_place else (),
    )


def _receipt(
    kind: str, branch: str, places: tuple[Place, Place], locale: Locale, rng: random.Random
) -> MadeUp:
    vendor = make_party(company(locale, branch, places[0].city, rng), places[0], locale, rng, full=True)
    plan = pick_tax_plan(locale, places[0], places[0], rng)
    included = locale.tax == "vat" and rng.random() < 0.4
    if included:
        plan = TaxPlan(())
    issued = _day(rng)
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
            **_amounts(items, summary),
        }
    )
    note = rng.choice(words(locale)["prices_include"])
    return MadeUp(
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


def _statement(
    kind: str, branch: str, places: tuple[Place, Place], locale: Locale, rng: random.Random
) -> MadeUp:
    vendor = make_party(company(locale, branch, places[0].city, rng), places[0], locale, rng, full=True)
    client = make_party(_client_name(False, places[1], locale, rng), places[1], locale, rng, full=False)
    issued, days, terms = _dates_and_terms(locale, rng)
    count = min(rng.randint(2, 22), rng.randint(2, 22))
    ages = sorted((rng.randint(1, 130) for _ in range(count)), reverse=True)
    spoken, pattern = words(locale)["statement"], _pattern("invoice", issued, locale, rng)
    numbers = sorted(fill(pattern, rng) for _ in ages)
    items, spans, total = [], dict.fromkeys(_SPANS, Decimal("0.00")), ZERO
    for index, age in enumerate(ages):
        owed = index == 0 or rng.random() < 0.85
        word = rng.choice(spoken["owed" if owed else "credited"])
        amount = cents(Decimal(rng.randint(1500, 380000)) / 100 * locale.price_level)
        if not owed:  # credits leave something to be paid
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
            "invoice_number": _number(kind, issued, locale, rng) if rng.random() < 0.5 else None,
            "issue_date": issued.isoformat(),
            "due_date": (issued + timedelta(days=14)).isoformat() if rng.random() < 0.4 else None,
            "payment_terms": terms if rng.random() < 0.4 else None,
            **_amounts(items, summary),
        }
    )
    return MadeUp(
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


def _amounts(items: list[LineItem], summary: FinancialSummary) -> dict[str, Any]:
    return {
        "line_items": [item.model_dump() for item in items],
        "financial_summary": summary.model_dump(),
    }


def _client_name(is_company: bool, place: Place, locale: Locale, rng: random.Random) -> str:
    if is_company or rng.random() < 0.7:
        return company(locale, rng.choice(list(words(locale)["catalogue"])), place.city, rng)
    return " ".join(person(locale, rng))


def _day(rng: random.Random) -> date:
    return date(2023, 1, 2) + timedelta(days=rng.randrange(1400))


def _dates_and_terms(locale: Locale, rng: random.Random) -> tuple[date, int, str]:
    days, texts = rng.choice(list(words(locale)["terms"].items()))
    return _day(rng), days, rng.choice(texts)


def _number(kind: str, issued: date, locale: Locale, rng: random.Random) -> str:
    return fill(_pattern(kind, issued, locale, rng), rng)


def _pattern(kind: str, issued: date, locale: Locale, rng: random.Random) -> str:
    return rng.choice(_NUMBERS).format(p=words(locale)["prefixes"][kind], y=issued.year)


def _notes(plan: TaxPlan, locale: Locale, rng: random.Random) -> tuple[str, ...]:
    untaxed = not any(plan.rates) and rng.random() < 0.7
    notes = rng.sample(words(locale)["notes"], rng.choice([0, 0, 1, 2]))
    return (*([rng.choice(words(locale)["no_tax"])] if untaxed else []), *notes)


def _till(branch: str, locale: Locale, rng: random.Random) -> tuple[tuple[str, str], ...]:
    spoken, labels = words(locale), locale.labels
    facts = [(str(spoken["time"]), f"{rng.randint(8, 22)}:{rng.randint(0, 59):02}")]
    if rng.random() < 0.7:
        facts.append((labels["cashier"], person(locale, rng)[0]))
    if branch == "restaurant":
        facts.append((labels["table"], str(rng.randint(1, 40))))
        if rng.random() < 0.4:
            facts.append((str(spoken["guests"]), str(rng.randint(1, 8))))
    return tuple(facts)


def _payment(total: Decimal, locale: Locale, rng: random.Random) -> tuple[tuple[str, Decimal], ...]:
    labels = locale.labels
    if total > 200 * locale.price_level or rng.random() < 0.6:
        return ((labels["card"], total),) if rng.random() < 0.8 else ()
    note = max(5, round(5 * locale.price_level))
    given = (total // note + 1) * note + Decimal("0.00")
    return ((labels["cash"], given), (labels["change"], given - total))
