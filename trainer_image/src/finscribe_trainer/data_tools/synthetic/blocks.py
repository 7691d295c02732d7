"""Builds the text lines of a document's title, header fields, parties and totals, with their field paths."""

from dataclasses import dataclass
from decimal import Decimal
from string import Formatter

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.locales import Locale
from finscribe_trainer.data_tools.synthetic.text_runs import Line, TextRun, plain
from finscribe_trainer.documents.schema import Party


@dataclass(frozen=True)
class Labelled:
    """A label and its value, drawn beside or below it."""

    label: Line
    value: Line


@dataclass(frozen=True)
class Side:
    """One of the two parties, with the path of its fields in the document."""

    path: str
    party: Party
    label: str
    """Heading above its address."""


def title(content: DocumentContent) -> Line:
    """The document's type, in the language of the page."""
    return plain(content.locale.labels[content.document.document_type], "document_type")


def issuer(content: DocumentContent) -> Side:
    """The party in the letterhead: the vendor, or the client of a purchase order."""
    document = content.document
    if document.document_type == "purchase_order" and document.client:
        return Side("client", document.client, content.locale.labels["client"])
    return Side("vendor", document.vendor, content.locale.labels["vendor"])


def addressee(content: DocumentContent) -> Side | None:
    """The recipient of the document; None for most receipts."""
    document, labels = content.document, content.locale.labels
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
        city: list[TextRun] = []
        for before, key, _, _ in Formatter().parse(locale.city_line):
            if key and (value := getattr(found, key)):
                city += [TextRun(before)] if before and city else []
                city.append(TextRun(value, f"{path}.{key}"))
        lines += [city] if city else []
        if found.country:
            lines.append(plain(found.country, f"{path}.country"))
    return lines


def contact(side: Side, locale: Locale) -> list[Line]:
    """Phone, email and website of the party, one labelled line each."""
    lines: list[Line] = []
    if found := side.party.contact:
        for key, label in (("phone", "phone"), ("email", "email"), ("website", "web")):
            if value := getattr(found, key):
                path = f"{side.path}.contact.{key}"
                lines.append((TextRun(f"{locale.labels[label]} "), TextRun(value, path)))
    return lines


def tax_id(side: Side, locale: Locale) -> list[Line]:
    """The party's tax number with its label; empty without one."""
    if not side.party.tax_id:
        return []
    return [(TextRun(f"{locale.tax_id} "), TextRun(side.party.tax_id, f"{side.path}.tax_id"))]


def header_fields(content: DocumentContent, *, terms: bool = True) -> list[Labelled]:
    """The header fields: numbers, dates and, with `terms`, the payment terms."""
    document, locale, kind = content.document, content.locale, content.document.document_type
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
        ("customer_number", content.customer_number, ""),
        ("payment_terms", document.payment_terms if terms else None, "payment_terms"),
    ]
    return [
        Labelled(plain(locale.labels[label]), plain(value, path)) for label, value, path in found if value
    ]


def amount(locale: Locale, value: Decimal, path: str, *, symbol: bool) -> Line:
    """An amount, with or without the currency symbol."""
    return plain(locale.money(value) if symbol else locale.number(value), path)


def totals(content: DocumentContent, *, symbol: bool) -> list[Labelled]:
    """The totals between the table and the grand total."""
    summary, locale = content.document.financial_summary, content.locale
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
    single = len(content.taxes) == 1
    for tax in content.taxes:
        rate = TextRun(locale.percent(tax.rate), f"{path}tax_rate" if single else "")
        base = [] if single else [TextRun(f" {labels['taxable']} {locale.number(tax.base)}")]
        add((TextRun(f"{tax.label} "), rate, *base), tax.amount, "tax_amount" if single else "")
    if summary.tax_amount is not None and not single:
        label = labels["total_tax"] if content.taxes else locale.tax_name
        add(plain(label), summary.tax_amount, "tax_amount")
    return lines


def grand_total(content: DocumentContent, *, code: bool) -> Labelled:
    """The grand total, with the currency code beside the label (`code`) or the symbol beside the amount."""
    summary, locale = content.document.financial_summary, content.locale
    label = locale.labels["balance_due" if content.document.document_type == "statement" else "grand_total"]
    currency, path = "financial_summary.currency", "financial_summary.grand_total"
    if code or summary.grand_total < 0:
        return Labelled(
            (TextRun(f"{label} "), TextRun(summary.currency, currency)),
            plain(locale.number(summary.grand_total), path),
        )
    number = TextRun(locale.number(summary.grand_total), path)
    symbol, space = TextRun(locale.symbol.strip(), currency), TextRun(" ")
    spaced = (symbol, space, number) if locale.symbol_first else (number, space, symbol)
    return Labelled(plain(label), spaced if " " in locale.symbol else (spaced[0], spaced[2]))
