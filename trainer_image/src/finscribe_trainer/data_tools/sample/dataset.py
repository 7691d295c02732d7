"""Writes the sample data set: four JSONL files and their pages."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from finscribe_trainer.data_tools.sample.documents import random_document
from finscribe_trainer.data_tools.sample.layout import KNOWN, NEW, Style, draw_page, lay_out

INSTRUCTION = "Read this document as JSON."


@dataclass(frozen=True)
class Split:
    """A data set of the sample.

    Attributes:
        name: Of its JSONL file.
        style: What its pages look like.
        test: Whether words, numbers, dates and line totals are those of the test.
    """

    name: str
    style: Style
    test: bool


TRAINING = Split("train", KNOWN, test=False)
VALIDATION = Split("val", KNOWN, test=False)
TEST = Split("test", KNOWN, test=True)
NEW_TEMPLATE = Split("test-template", NEW, test=True)


def write_dataset(
    folder: Path,
    num_rows: int,
    num_validation_rows: int,
    seed: int,
    *,
    num_test_rows: int = 0,
    text_row_every: int | None = None,
) -> list[str]:
    """Write train.jsonl, val.jsonl, test.jsonl and test-template.jsonl, unless they have no rows.

    Args:
        folder: Created if missing.
        num_rows: Training rows.
        num_validation_rows: Validation rows.
        seed: Of contents, layouts and pixels.
        num_test_rows: Rows of each of the two tests.
        text_row_every: Every so many rows one has the page's text instead of its image.

    Returns:
        all texts, to train a tokenizer on.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    texts = [INSTRUCTION]
    counts = (num_rows, num_validation_rows, num_test_rows, num_test_rows)
    for split, count in zip((TRAINING, VALIDATION, TEST, NEW_TEMPLATE), counts, strict=True):
        lines = []
        for index in range(count):
            rng = random.Random(f"{seed}/{split.name}/{index}")  # noqa: S311 - sample data, not cryptography
            document = random_document(rng, test=split.test)
            page = lay_out(document, split.style, rng)
            row = {"instruction": INSTRUCTION, "output": document.answer()}
            text = "\n".join(line.rstrip() for line in page if line.strip())
            if text_row_every and index % text_row_every == (text_row_every - 1) // 2:
                row["input"] = text
            else:
                row["image"] = f"images/{split.name}-{index:04d}.png"
                draw_page(page, rng.getrandbits(32)).save(folder / row["image"])
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
            texts += [text, row["output"]]
        if lines:
            (folder / f"{split.name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return texts
