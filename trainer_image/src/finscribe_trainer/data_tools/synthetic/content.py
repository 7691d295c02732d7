"""Generates the content of a document: parties, line items, amounts and dates, with correct arithmetic."""

import random
from dataclasses import replace

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.invoice import make_invoice
from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.parties import make_place
from finscribe_trainer.data_tools.synthetic.receipt import make_receipt
from finscribe_trainer.data_tools.synthetic.statement import make_statement
from finscribe_trainer.documents.schema import DOCUMENT_TYPES

BRANCHES = {
    "invoice": ("office", "hardware", "consulting", "medical", "logistics", "groceries", "restaurant"),
    "receipt": ("restaurant", "groceries", "hardware", "office", "medical"),
    "statement": ("office", "hardware", "consulting", "medical", "logistics", "groceries"),
    "purchase_order": ("office", "hardware", "medical", "groceries", "logistics"),
}


def make_document(kind: str, locale: Locale, rng: random.Random) -> DocumentContent:
    """Generate a document of a type in `documents/schema.DOCUMENT_TYPES`, with all randomness from `rng`."""
    assert kind in DOCUMENT_TYPES
    locale = pick_style(locale, rng)
    branch = rng.choice(BRANCHES[kind])
    places = make_place(locale, rng), make_place(locale, rng)
    if rng.random() < 0.5:
        places = places[0], replace(places[1], state=places[0].state, city=places[0].city, zip=places[0].zip)
    makers = {"receipt": make_receipt, "statement": make_statement}
    return makers.get(kind, make_invoice)(kind, branch, places, locale, rng)


def pick_style(locale: Locale, rng: random.Random) -> Locale:
    """The locale with one of its date formats and one synonym for each label."""
    labels = {key: rng.choice(synonyms) for key, synonyms in words(locale)["labels"].items()}
    return replace(locale, labels=labels, date_format=rng.choice(locale.date_formats))
