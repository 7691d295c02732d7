"""Makes up what a document says: who, what, how much, when. The sums are right by construction."""

import random
from dataclasses import replace

from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.parties import make_place
from finscribe_trainer.data_tools.synthetic.receipt import make_receipt
from finscribe_trainer.data_tools.synthetic.statement import make_statement
from finscribe_trainer.data_tools.synthetic.trade import make_trade
from finscribe_trainer.documents.schema import DOCUMENT_TYPES

BRANCHES = {
    "invoice": ("office", "hardware", "consulting", "medical", "logistics", "groceries", "restaurant"),
    "receipt": ("restaurant", "groceries", "hardware", "office", "medical"),
    "statement": ("office", "hardware", "consulting", "medical", "logistics", "groceries"),
    "purchase_order": ("office", "hardware", "medical", "groceries", "logistics"),
}


def make_document(kind: str, locale: Locale, rng: random.Random) -> MadeUp:
    """A document of a kind (`documents/schema.DOCUMENT_TYPES`), everything drawn from `rng`."""
    assert kind in DOCUMENT_TYPES
    locale = pick_style(locale, rng)
    branch = rng.choice(BRANCHES[kind])
    places = make_place(locale, rng), make_place(locale, rng)
    if rng.random() < 0.5:
        places = places[0], replace(places[1], state=places[0].state, city=places[0].city, zip=places[0].zip)
    makers = {"receipt": make_receipt, "statement": make_statement}
    return makers.get(kind, make_trade)(kind, branch, places, locale, rng)


def pick_style(locale: Locale, rng: random.Random) -> Locale:
    """The country's way with this document's own date format and words for the labels."""
    labels = {key: rng.choice(synonyms) for key, synonyms in words(locale)["labels"].items()}
    return replace(locale, labels=labels, date_format=rng.choice(locale.date_formats))
