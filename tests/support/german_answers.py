"""Answers in field names and notations that are not FinScribe's: those of a German program."""

import re
from decimal import Decimal

GERMAN = {
    **{"document_type": "Belegart", "vendor": "Lieferant", "client": "Kunde", "name": "Firma", "city": "Ort"},
    **{"address": "Anschrift", "street": "Straße", "zip": "PLZ", "country": "Land", "phone": "Telefon"},
    **{"invoice_number": "Rechnungsnummer", "issue_date": "Rechnungsdatum", "due_date": "Fälligkeit"},
    **{"line_items": "Positionen", "description": "Bezeichnung", "quantity": "Menge", "sku": "Artikelnummer"},
    **{"unit_price": "Einzelpreis", "line_total": "Gesamtpreis", "financial_summary": "Summen"},
    **{"subtotal": "Netto", "tax_amount": "MwSt", "grand_total": "Gesamtbetrag", "currency": "Währung"},
    **{"tax_rate": "Steuersatz", "discount": "Rabatt", "shipping": "Versandkosten", "tax_id": "USt-ID"},
}


def in_german(value, key=""):
    """The answer in other names and notations: dates with the day first, amounts with a comma."""
    if isinstance(value, dict):
        return {GERMAN.get(name, name): in_german(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [in_german(item, key) for item in value]
    if key.endswith("_date"):
        return ".".join(reversed(value.split("-")))
    is_amount = re.fullmatch(r"-?\d+\.\d+", value)
    return f"{Decimal(value):,}".translate({44: ".", 46: ","}) if is_amount else value
