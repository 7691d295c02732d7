"""Documents for the tests of the curation tools."""

import json
from pathlib import Path
from typing import Any

INVOICE: dict[str, Any] = {
    "document_type": "invoice",
    "vendor": {
        "name": "Acme Metall GmbH",
        "address": {"street": "Hauptstraße 5", "city": "Essen", "zip": "45127", "country": "Germany"},
        "contact": {"phone": "+49 201 555 1234", "email": "billing@acme-metall.de"},
        "tax_id": "DE123456789",
    },
    "client": {"name": "Borg & Sons Ltd."},
    "invoice_number": "INV-7",
    "issue_date": "2026-01-31",
    "line_items": [
        {"description": "Bolts", "quantity": "2", "unit_price": "5.00", "line_total": "10.00"},
        {
            "description": "Nuts for Borg & Sons Ltd.",
            "quantity": "1",
            "unit_price": "4.50",
            "line_total": "4.50",
        },
    ],
    "financial_summary": {"subtotal": "14.50", "grand_total": "14.50", "currency": "EUR"},
}


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
