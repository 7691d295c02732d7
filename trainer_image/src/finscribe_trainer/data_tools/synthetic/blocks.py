"""What every template says: title, facts, parties and totals of a document, as lines with their fields."""

from dataclasses import dataclass
from decimal import Decimal
from string import Formatter

from finscribe_trainer.data_tools.synthetic.locales import Locale
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import Line, Run, plain
from finscribe_trainer.documents.schema import Party


@dataclass(frozen=True)
class Labelled:
    """A label, and what stands beside or below it."""

    label: Line
    value: Line


@dataclass(frozen=True)
class Side:
    """One of the two parties, with the path of its fields."""

    path: str
    party: Party
    label: str
    """What stands above its address."""


def title(made: MadeUp) -> Line:
    """The document's type, in the page's words."""
    return plain(made.locale.labels[made.document.document_type], "document_type")


def issuer(made: MadeUp) -> Side:
    """Whose letter-head it is: the vendor's; a purchase order's is the client's."""
    document = made.document
    if document.document_type == "purchase_order" and document.client:
        return Side("client", document.client, made.locale.labels["client"])
    return Side("vendor", document.vendor, made.locale.labels["vendor"])


def addressee(made: MadeUp) -> Side | None:
    """Who receives the document; receipts seldom name anybody."""
    document, labels = made.document, made.locale.labels
    if document.document_type == "purchase_order":
        return Side("vendor", document.vendor, labels["vendor"])
    if document.client is None:
        return None
    label = "client" if document.document_type == "statement" else "bill_to"
    return Side("client", document.client, labels[label])


def name(side: Side) -> Line:
    """The party's name."""
    return plain(side.party.name, f"{side.path}.name")


def address(side: Side, locale: Locale) -> list[Line]:
    """The party's address below its name."""
    lines: list[Line] = []
    if found := side.party.address:
        path = f"{side.path}.address"
        if found.street:
            lines.append(plain(found.street, f"{path}.street"))
        city: list[Run] = []
        for before, key, _, _ in Formatter().parse(locale.city_line):
            if key and (value := getattr(found, key)):
                city += [Run(before)] if before and city else []
                city.append(Run(value, f"{path}.{key}"))
        lines += [city] if city else []
        if found.country:
            lines.append(plain(found.country, f"{path}.country"))
    return lines


def contact(side: Side, locale: Locale) -> list[Line]:
    """How to reach the party: a line each, with its label."""
    lines: list[Line] = []
    if found := side.party.contact:
        for key, label in (("phone", "phone"), ("email", "email"), ("website", "web")):
            if value := getattr(found, key):
                path = f"{side.path}.contact.{key}"
                lines.append((Run(f"{locale.labels[label]} "), Run(value, path)))
    return lines


def tax_id(side: Side, locale: Locale) -> list[Line]:
    """The party's tax number with its label, or nothing."""
    if not side.party.tax_id:
        return []
    return [(Run(f"{locale.tax_id} "), Run(side.party.tax_id, f"{side.path}.tax_id"))]


def facts(made: MadeUp, *, terms: bool = True) -> list[Labelled]:
    """Numbers and dates of the document's head; `terms` with the terms of payment."""
    document, locale, kind = made.document, made.locale, made.document.document_type
    order = kind == "purchase_order"
    day = {"purchase_order": "order_date", "invoice": "issue_date"}.get(kind, "date")
    number = {"receipt": "receipt_number", "statement": "statement_number"}.get(kind, "invoice_number")
    found = [
        (number, document.invoice_number, "invoice_number"),
        ("po_number", document.po_number if order else None, "po_number"),
        (day, locale.day(document.issue_date), "issue_date"),
        (
            "delivery_date" if order else "due_date",
            locale.day(document.due_date) if document.due_date else None,
            "due_date",
        ),
        ("po_number", None if order else document.po_number, "po_number"),
        ("customer_number", made.customer_number, ""),
        ("payment_terms", document.payment_terms if terms else None, "payment_terms"),
    ]
    return [
        Labelled(plain(locale.labels[label]), plain(value, path)) for label, value, path in found if value
    ]


def amount(locale: Locale, value: Decimal, path: str, *, symbol: bool) -> Line:
    """An amount, with the currency's sign or without."""
    return plain(locale.money(value) if symbol else locale.number(value), path)


def totals(made: MadeUp, *, symbol: bool) -> list[Labelled]:
    """The lines between the table and the grand total."""
    summary, locale = made.document.financial_summary, made.locale
    labels, path = locale.labels, "financial_summary."
    lines: list[Labelled] = []

    def add(label: Line, value: Decimal, key: str) -> None:
        lines.append(Labelled(label, amount(locale, value, f"{path}{key}" if key else "", symbol=symbol)))

    if summary.subtotal is not None:
        add(plain(labels["subtotal"]), summary.subtotal, "subtotal")
    if summary.discount:
        add(plain(labels["discount"]), -summary.discount, "discount")
    if summary.shipping is not None:
        add(plain(labels["shipping"]), summary.shipping, "shipping")
    single = len(made.taxes) == 1
    for tax in made.taxes:
        rate = Run(locale.percent(tax.rate), f"{path}tax_rate" if single else "")
        base = [] if single else [Run(f" {labels['taxable']} {locale.number(tax.base)}")]
        add((Run(f"{tax.label} "), rate, *base), tax.amount, "tax_amount" if single else "")
    if summary.tax_amount is not None and not single:
        label = labels["total_tax"] if made.taxes else locale.tax_name
        add(plain(label), summary.tax_amount, "tax_amount")
    return lines


def grand_total(made: MadeUp, *, code: bool) -> Labelled:
    """What is to be paid; `code` writes EUR beside the label, else the amount has the currency's sign."""
    summary, locale = made.document.financial_summary, made.locale
    label = locale.labels["balance_due" if made.document.document_type == "statement" else "grand_total"]
    currency, path = "financial_summary.currency", "financial_summary.grand_total"
    if code or summary.grand_total < 0:
        return Labelled(
            (Run(f"{label} "), Run(summary.currency, currency)),
            plain(locale.number(summary.grand_total), path),
        )
    number = Run(locale.number(summary.grand_total), path)
    symbol, space = Run(locale.symbol.strip(), currency), Run(" ")
    spaced = (symbol, space, number) if locale.symbol_first else (number, space, symbol)
    return Labelled(plain(label), spaced if " " in locale.symbol else (spaced[0], spaced[2]))
