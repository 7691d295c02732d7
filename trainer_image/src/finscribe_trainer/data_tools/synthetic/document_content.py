"""The content of a synthetic document: everything that its page shows."""

from dataclasses import dataclass
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.locales import Locale
from finscribe_trainer.documents.schema import Document


@dataclass(frozen=True)
class Tax:
    """One line of the tax section."""

    label: str
    """Name of the tax in the language of the page: "MwSt.", "CGST"."""
    rate: Decimal
    """In percent."""
    base: Decimal
    """Taxable amount."""
    amount: Decimal


@dataclass(frozen=True)
class DocumentContent:
    """A document, with the additional texts of its page that are not fields of the schema."""

    document: Document
    """The complete document; a page may omit optional fields."""
    locale: Locale
    """The locale with this document's labels and date format."""
    branch: str
    """The vendor's industry: a key of the catalogues, such as `restaurant`."""
    descriptions: tuple[tuple[str, ...], ...]
    """For each line item the text lines of its description, which the document has joined by spaces."""
    units: tuple[str, ...]
    """For each line item its unit ("h", "kg", "Stk."), or an empty string."""
    taxes: tuple[Tax, ...] = ()
    """The tax section: no tax, one (with the summary's rate), or several with a line for their sum."""
    slogan: str = ""
    """Text below the vendor's name."""
    customer_number: str = ""
    ship_to: tuple[str, ...] = ()
    """Lines of a separate delivery address."""
    bank: tuple[tuple[str, str], ...] = ()
    """Labels and values: bank, IBAN, BIC."""
    notes: tuple[str, ...] = ()
    """Notes below the totals."""
    footer: tuple[str, ...] = ()
    """Lines at the bottom of the page."""
    dates: tuple[str, ...] = ()
    """Statements: the ISO date of each line."""
    ageing: tuple[tuple[str, Decimal], ...] = ()
    """Statements: label and outstanding amount of each ageing period."""
    till: tuple[tuple[str, str], ...] = ()
    """Receipts: labels and values such as cashier, table and time."""
    payment: tuple[tuple[str, Decimal], ...] = ()
    """Receipts: labels (cash, card, change) and amounts of the payment."""
