"""The canonical schema of answers: invoices, receipts, statements of account and purchase orders.

Amounts are plain decimals, as strings ("1204.50", which keeps the printed digits) or as JSON numbers. Dates
are ISO 8601. Fields that are not on the page are omitted. `data/schema.json` is generated from these models.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)

from finscribe_trainer.documents.numbers import MAX_DIGITS, read_decimal

INSTRUCTION = "Read this financial document as JSON."
"""The prompt of generated rows, and of those without one whose answers are objects."""
TEXT_INSTRUCTION = "Read the text of this page."
"""The prompt of rows without one whose answers are texts."""
_DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"


def _decimal(value: object) -> Decimal:
    return read_decimal(value)


def _number_schema(minimum: int | None = None, maximum: int | None = None) -> WithJsonSchema:
    limits = {"minimum": minimum, "maximum": maximum}
    number = {"type": "number", **{key: limit for key, limit in limits.items() if limit is not None}}
    return WithJsonSchema(
        {"anyOf": [number, {"type": "string", "pattern": _DECIMAL_PATTERN, "maxLength": MAX_DIGITS + 2}]}
    )


def _plain(value: Decimal) -> str:
    return f"{value:f}"


_AsText = PlainSerializer(_plain, return_type=str)
Amount = Annotated[Decimal, BeforeValidator(_decimal), _AsText, _number_schema()]
"""Money, in the document's currency; negative for credits."""
Quantity = Annotated[Decimal, BeforeValidator(_decimal), _AsText, _number_schema()]
"""A quantity, in the line's unit."""
Percent = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=100), _AsText, _number_schema(0, 100)]
"""A rate in percent: 19 is 19 %. A rate below 1 is also accepted as a fraction: 0.19 is 19 %."""


def _fraction(value: object) -> Decimal:
    if not isinstance(value, float | Decimal):
        raise ValueError("must be a number")
    return read_decimal(value)


Fraction = Annotated[
    Decimal,
    BeforeValidator(_fraction),
    PlainSerializer(float, return_type=float),  # stays a number, where Amount is a text
    WithJsonSchema({"type": "number"}),
]
"""A number with decimals, for metadata: never computed with."""


def iso_date(value: str) -> str:
    """Validate a date and return it unchanged.

    Raises:
        ValueError: it is not a calendar date written as YYYY-MM-DD.
    """
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("must be a date as YYYY-MM-DD")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a calendar date") from None
    return value


IsoDate = Annotated[str, AfterValidator(iso_date), WithJsonSchema({"type": "string", "format": "date"})]
"""A day as YYYY-MM-DD."""


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Text = Annotated[
    str, AfterValidator(_not_blank), WithJsonSchema({"type": "string", "minLength": 1, "pattern": r"\S"})
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""


class Part(BaseModel):
    """A part of a document; unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, strict=True)


class Address(Part):
    """A postal address in its parts."""

    street: Text | None = None
    """Street and number."""
    city: Text | None = None
    """City or town."""
    state: Text | None = None
    """State, province or county, where it is printed."""
    zip: Text | None = None
    """Postal code."""
    country: Text | None = None
    """Country, as printed."""


class Contact(Part):
    """Contact details of a party."""

    phone: Text | None = None
    """Telephone number, as printed."""
    email: Text | None = None
    """Email address."""
    website: Text | None = None
    """Web address, as printed."""


class Party(Part):
    """A seller or a buyer."""

    name: Text
    """Name of the company or person."""
    address: Address | None = None
    """Postal address."""
    contact: Contact | None = None
    """Contact details."""
    tax_id: Text | None = None
    """VAT number, EIN, GSTIN or the like, as printed."""


class LineItem(Part):
    """A line of the table: quantity x unit_price - discount = line_total, before tax."""

    description: Text
    """The goods or the service; the lines of a cell are joined by a space."""
    sku: Text | None = None
    """Article number."""
    quantity: Quantity | None = None
    """Quantity, in the line's unit."""
    unit_price: Amount | None = None
    """Price per unit."""
    discount: Amount | None = None
    """Discount on this line, as an amount."""
    tax_rate: Percent | None = None
    """The line's tax rate, where lines differ."""
    line_total: Amount
    """Total of the line, before tax."""
    bbox: Annotated[list[int], Field(min_length=4, max_length=4)] | None = None
    """The line's box on the page: left, top, right, bottom in pixels of the image."""


class FinancialSummary(Part):
    """The totals: subtotal - discount + shipping + tax_amount = grand_total."""

    subtotal: Amount | None = None
    """Sum of the lines."""
    discount: Amount | None = None
    """Discount on the subtotal, as an amount."""
    tax_rate: Percent | None = None
    """The tax rate, if a single one applies."""
    tax_amount: Amount | None = None
    """Sum of all taxes."""
    shipping: Amount | None = None
    """Shipping and handling."""
    grand_total: Amount
    """Amount to be paid, paid, or owed."""
    currency: Currency
    """ISO 4217 code of every amount."""


class Document(Part):
    """The fields that all document types share."""

    document_type: str
    vendor: Party
    """The seller, who issues the document (of a purchase order: the supplier)."""
    client: Party | None = None
    """The buyer."""
    invoice_number: Text | None = None
    """The document's number."""
    issue_date: IsoDate
    """Date of issue."""
    due_date: IsoDate | None = None
    """Due date of the payment, or of the delivery."""
    po_number: Text | None = None
    """Number of the purchase order."""
    payment_terms: Text | None = None
    """Payment terms, as printed."""
    line_items: Annotated[list[LineItem], Field(min_length=1)]
    """The lines of the table, from top to bottom."""
    financial_summary: FinancialSummary
    """The totals."""
    metadata: dict[str, str | int | bool | Fraction | None] | None = None
    """Any other values, under keys of your own; never scored."""

    never_scored: ClassVar[tuple[str, ...]] = ("metadata", "bbox")


class Invoice(Document):
    """An invoice."""

    document_type: Literal["invoice"]
    client: Party
    """The buyer."""
    invoice_number: Text
    """The invoice's number."""


class Receipt(Document):
    """A proof of payment; the buyer is seldom named."""

    document_type: Literal["receipt"]


class Statement(Document):
    """A statement of account; its lines are the open items, its grand_total is the amount owed."""

    document_type: Literal["statement"]
    client: Party
    """The account holder."""


class PurchaseOrder(Document):
    """An order: the client orders from the vendor."""

    document_type: Literal["purchase_order"]
    client: Party
    """The buyer."""
    po_number: Text
    """The order's number."""


AnyDocument = Annotated[Invoice | Receipt | Statement | PurchaseOrder, Discriminator("document_type")]
DOCUMENT_TYPES = ("invoice", "receipt", "statement", "purchase_order")
adapter: TypeAdapter[Invoice | Receipt | Statement | PurchaseOrder] = TypeAdapter(AnyDocument)


def parse_document(data: Any) -> Invoice | Receipt | Statement | PurchaseOrder:
    """The document in a JSON value from `load_json`.

    Raises:
        pydantic.ValidationError: naming each field that violates the schema.
    """
    return adapter.validate_python(data)


def to_answer(document: Document) -> str:
    """The document as the JSON text of an answer: fields in the schema's order, unset fields omitted."""
    return document.model_dump_json(exclude_none=True)


def schema_json() -> dict[str, Any]:
    """The canonical schema as JSON Schema (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "FinScribe document",
        **adapter.json_schema(mode="validation"),
    }
