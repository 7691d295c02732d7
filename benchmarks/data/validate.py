"""`finscribe data validate` on rows of text, with every check that needs neither images nor a model."""

import json
from pathlib import Path
from random import Random

from benchmarks.data.cases import Work
from finscribe_trainer.cli.validate import validate
from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, to_answer


def prepare(items: int, folder: Path) -> Work:
    """Write `items` valid rows, with the answers of 500 synthetic documents."""
    random, locales = Random(0), list(LOCALES.values())  # noqa: S311 - synthetic documents, not secrets
    kinds = [random.choice(DOCUMENT_TYPES) for _ in range(500)]
    answers = [to_answer(make_document(kind, random.choice(locales), random).document) for kind in kinds]
    rows = folder / "rows.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for number in range(items):
            row = {"instruction": f"Read document {number} as JSON.", "output": answers[number % 500]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    report = folder / "report.json"

    def work() -> list[float]:
        validate.main(["--input", str(rows), "--output", str(report)], standalone_mode=False)
        assert json.loads(report.read_text(encoding="utf-8"))["rows"] == items
        return []

    return work
