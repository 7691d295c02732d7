"""Writes the sample data set: train.jsonl, val.jsonl and their images."""

import json
import random
from pathlib import Path
from typing import Any

from finscribe_trainer.data_tools.sample.invoices import Invoice, random_invoice
from finscribe_trainer.data_tools.sample.render import render

INSTRUCTION = "Read this invoice as JSON."
TEXT_ROW_EVERY = 8
"""Every n-th row has no image, so that batches mix both kinds of rows."""


def write_dataset(folder: Path, num_rows: int, num_validation_rows: int, seed: int) -> list[str]:
    """Write the data set below `folder`.

    Returns:
        all its texts, to train the tokenizer on.
    """
    rng = random.Random(seed)  # noqa: S311 - sample data, not cryptography
    (folder / "images").mkdir(parents=True, exist_ok=True)
    texts = [INSTRUCTION]
    for split, count in (("train", num_rows), ("val", num_validation_rows)):
        rows = []
        for index in range(count):
            invoice = random_invoice(rng)
            rows.append(_row(folder, f"{split}-{index:04d}", invoice, with_image=index % TEXT_ROW_EVERY != 3))
            texts += [invoice.to_text(), invoice.to_json()]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return texts


def _row(folder: Path, name: str, invoice: Invoice, *, with_image: bool) -> dict[str, Any]:
    row = {"instruction": INSTRUCTION, "output": invoice.to_json()}
    if not with_image:
        return {**row, "input": invoice.to_text()}
    image = f"images/{name}.png"
    render(invoice).save(folder / image, optimize=True)
    return {**row, "image": image}
