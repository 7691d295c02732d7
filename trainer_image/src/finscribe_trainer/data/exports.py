"""Recognizes the formats of other programs, which training does not read, and says how to convert them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any

from finscribe_trainer.data.table_images import IMAGE_COLUMNS, is_in_table


@dataclass(frozen=True)
class Export:
    """A format of another program."""

    name: str
    importer: str
    """The value of --from of `finscribe data import`."""
    first: str = ""
    """What is to be done before that."""


_BY_KEYS: tuple[tuple[frozenset[str], Export], ...] = (
    (frozenset({"ground_truth"}), Export("Donut", "donut")),
    (frozenset({"question", "answers"}), Export("DocVQA", "docvqa")),
    (frozenset({"annotations", "data"}), Export("Label Studio", "label-studio")),
    (frozenset({"file_name", "text"}), Export("Hugging Face ImageFolder", "imagefolder")),
)
_OBJECT_BY_KEYS: tuple[tuple[frozenset[str], Export], ...] = (
    (frozenset({"imgs", "anns"}), Export("COCO-Text", "coco-text")),
    (frozenset({"images", "annotations"}), Export("COCO", "coco-text")),
    (frozenset({"form"}), Export("FUNSD", "funsd")),
    (frozenset({"data", "dataset_name"}), Export("DocVQA", "docvqa")),
)
"""Formats whose whole file is one object."""
_BY_FILE_NAME: tuple[tuple[str, Export], ...] = (
    ("*.csv", Export("CSV", "csv")),
    ("*.tsv", Export("TSV", "csv")),
    ("*.xlsx", Export("Excel", "csv", "save it as CSV, and ")),
    ("*.arrow", Export("Hugging Face Arrow", "hf-parquet", "save it with `to_parquet`, and ")),
    ("rec_gt*.txt", Export("PaddleOCR (recognition)", "paddleocr")),
    ("*label*.txt", Export("PaddleOCR (PPOCRLabel)", "paddleocr")),
)
_SROIE_FOLDERS = frozenset({"img", "entities"})
_SROIE = Export("SROIE", "sroie")
_PDF_JSON = Export("PDF and JSON", "pdf-json")
_HEAD = re.compile(r'\s*(\[\s*\{|\[\s*$|\{\s*$|\{\s*"[^"]*"\s*:\s*[\[{]\s*$)')
"""The first line of a JSON document that is written over several lines, or of an array of objects."""


def refusal(export: Export) -> str:
    """Says which format it is, and how to convert it."""
    return f"the {export.name} format is not read by training; {import_command(export)}"


def import_command(export: Export) -> str:
    """What converts a format, as a clause."""
    return f"{export.first}run `finscribe data import --from {export.importer} IN OUT`, which writes rows"


def export_of_row(row: dict[str, Any]) -> Export | None:
    """The format of another program that a row has, by its keys."""
    return next((export for keys, export in _BY_KEYS if keys <= row.keys()), None)


def table_row_refusal(row: dict[str, Any]) -> str | None:
    """What a row with images of a Hugging Face table lacks, and how to convert it; None for other rows."""
    named = [name for key in IMAGE_COLUMNS for name in _texts(row.get(key))]
    if not any(map(is_in_table, named)):
        return None
    if known := export_of_row(row):
        return refusal(replace(known, importer="hf-parquet"))
    others = ", ".join(sorted(row.keys() - set(IMAGE_COLUMNS))) or "no other key"
    return (
        "a row of a Hugging Face table with images is read if it has ground_truth, text, messages, "
        f"conversations, or prompt and completion; this one has {others}; "
        f"{import_command(Export('Hugging Face', 'hf-parquet'))}"
    )


def _texts(value: Any) -> list[str]:
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]


def export_of_files(names: Iterable[str]) -> Export | None:
    """The format of another program that a file, or a folder with these entries, has by its names."""
    found = {name.lower() for name in names}
    if found >= _SROIE_FOLDERS:
        return _SROIE
    for pattern, export in _BY_FILE_NAME:
        if any(fnmatch(name, pattern) for name in found):
            return export
    return _PDF_JSON if any(name.endswith(".pdf") for name in found) else None


def is_json_document(first_line: str) -> bool:
    """Whether a file is one JSON document, such as an array of rows, and not a row per line."""
    return bool(_HEAD.match(first_line))


def json_object_refusal(head: str) -> str:
    """Says which format a file with one JSON object has, by its beginning, and how to convert it."""
    found = re.findall(r'"(\w+)"\s*:', head)
    export = next((export for keys, export in _OBJECT_BY_KEYS if keys <= set(found)), None)
    if export:
        return refusal(export)
    return (
        "the whole file is one JSON object, which is not read; write one JSON object per line of a .jsonl "
        "file, or if each object describes a page beside it, run `finscribe data import IN OUT`"
    )
