"""A made-up document: what its page says, before it is drawn."""

from dataclasses import dataclass
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.locales import Locale
from finscribe_trainer.documents.schema import Document


@dataclass(frozen=True)
class Tax:
    """A tax of the page's tax section."""

    label: str
    """Its name, in the page's language: "MwSt.", "CGST"."""
    rate: Decimal
    """In percent."""
    base: Decimal
    """What it is taken of."""
    amount: Decimal


@dataclass(frozen=True)
class MadeUp:
    """A document, and the texts that its page has besides; paths are those of `documents/paths.leaves`."""

    document: Document
    """Correct in itself; a page may leave out what is not required."""
    locale: Locale
    """The country's way, with this document's own labels and date format."""
    branch: str
    """What the vendor sells: a key of the catalogues, such as `restaurant`."""
    descriptions: tuple[tuple[str, ...], ...]
    """For each line item the lines of its description; joined by a space they are the document's."""
    units: tuple[str, ...]
    """For each line item its unit ("h", "kg", "Stk."); empty texts where it has none."""
    taxes: tuple[Tax, ...] = ()
    """The tax section: none, one (its rate is the summary's), or several, which need a line for their sum."""
    slogan: str = ""
    """Below the vendor's name."""
    customer_number: str = ""
    ship_to: tuple[str, ...] = ()
    """Lines of another address to deliver to."""
    bank: tuple[tuple[str, str], ...] = ()
    """Labels and values: bank, IBAN, BIC."""
    notes: tuple[str, ...] = ()
    """Sentences below the totals."""
    footer: tuple[str, ...] = ()
    """Lines at the page's end."""
    dates: tuple[str, ...] = ()
    """A statement's lines: the ISO date of each."""
    ageing: tuple[tuple[str, Decimal], ...] = ()
    """A statement's ageing: the label of each span, and what is owed from it."""
    till: tuple[tuple[str, str], ...] = ()
    """A receipt's labels and values about the sale: cashier, table, time."""
    payment: tuple[tuple[str, Decimal], ...] = ()
    """A receipt's payment: labels (cash, card, change) and amounts."""
