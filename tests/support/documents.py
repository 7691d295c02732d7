"""Ground truth for tests of metrics."""

import json


def invoice(lines: int = 3) -> str:
    """An invoice that adds up, as JSON."""
    items = [
        {
            "description": f"Article {number}",
            "quantity": str(number),
            "unit_price": "12.55",
            "line_total": f"{12.55 * number:.2f}",
        }
        for number in range(1, lines + 1)
    ]
    subtotal = 12.55 * lines * (lines + 1) / 2
    document = {
        "document_type": "invoice",
        "vendor": {"name": "Acme GmbH", "address": {"city": "Bonn", "zip": "01234"}},
        "client": {"name": "Example Ltd"},
        "invoice_number": "R-007",
        "issue_date": "2024-02-29",
        "line_items": items,
        "financial_summary": {
            "subtotal": f"{subtotal:.2f}",
            "tax_amount": "5.05",
            "grand_total": f"{subtotal + 5.05:.2f}",
            "currency": "EUR",
        },
    }
    return json.dumps(document)
