"""Generates one row of a synthetic data set from the seed and its index: document, page, scan."""

import io
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_core.atomic_files import write_atomically
from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.degrade import LEVELS, MIXED, degrade, jpeg_quality
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.templates import TEMPLATES, render
from finscribe_trainer.data_tools.synthetic.visible_fields import keep_visible_fields
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, INSTRUCTION, to_answer

ALL = "all"
"""Every template, or every locale."""
MIX = "mixed"
"""All levels of degradation, with the frequencies in `degrade.MIXED`."""
DEGRADATIONS = (MIX, *LEVELS)
_SHARES = {"invoice": 0.4, "receipt": 0.25, "statement": 0.15, "purchase_order": 0.2}


@dataclass(frozen=True)
class Choice:
    """Selects which documents are generated."""

    seed: int
    template_set: str = ALL
    locale: str = ALL
    degrade: str = MIX


@dataclass(frozen=True)
class Scan:
    """A generated row before it is written."""

    page: Page
    quality: int
    """JPEG quality."""
    answer: str
    template: str
    locale: str


def make_scan(choice: Choice, index: int) -> Scan:
    """Generate document number `index` of a choice: its scan and its answer."""
    rng = random.Random(f"{choice.seed}/{index}")  # noqa: S311 - synthetic documents, not cryptography
    kinds = DOCUMENT_TYPES if choice.template_set == ALL else TEMPLATES[choice.template_set].kinds
    [kind] = rng.choices(kinds, [_SHARES[kind] for kind in kinds])
    names = [name for name, template in TEMPLATES.items() if kind in template.kinds]
    template = rng.choice(names) if choice.template_set == ALL else choice.template_set
    locale = LOCALES[rng.choice(list(LOCALES)) if choice.locale == ALL else choice.locale]
    [level] = rng.choices(list(MIXED), list(MIXED.values())) if choice.degrade == MIX else [choice.degrade]
    content = make_document(kind, locale, rng)
    page = render(content, template, rng)
    answer = to_answer(keep_visible_fields(content.document, set(page.boxes)))
    return Scan(degrade(page, level, rng), jpeg_quality(level, rng), answer, template, locale.code)


def write_row(choice: Choice, folder: Path, index: int) -> str:
    """Generate a document and write its image below `folder`.

    Returns:
        its row as one line of JSON.
    """
    scan, name = make_scan(choice, index), f"images/{index:06}.jpg"
    encoded = io.BytesIO()
    scan.page.image.save(encoded, "JPEG", quality=scan.quality)
    write_atomically(folder / name, encoded.getvalue())
    row: dict[str, Any] = {
        "instruction": INSTRUCTION,
        "input": name,
        "output": scan.answer,
        "boxes": scan.page.boxes,
        "template": scan.template,
        "locale": scan.locale,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
