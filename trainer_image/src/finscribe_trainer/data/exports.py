"""Recognizes data sets in the formats of other programs, which are not read, and says how to convert them."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any


@dataclass(frozen=True)
class Export:
    """A format of another program."""

    name: str
    keys: str
    """The keys of a row, and what of the format becomes their values."""


_BY_KEYS: tuple[tuple[frozenset[str], Export], ...] = (
    (
        frozenset({"conversations"}),
        Export("ShareGPT (LLaMA-Factory, LLaVA)", "messages (from as role, value as content) and images"),
    ),
    (
        frozenset({"image_info", "text_info"}),
        Export(
            "ERNIEKit (PaddleFormers)",
            "prompt (the texts tagged mask), completion (the others) and images (every image_url)",
        ),
    ),
    (
        frozenset({"ground_truth"}),
        Export("Donut", "prompt (an instruction), completion (gt_parse) and image (file_name)"),
    ),
    (
        frozenset({"question", "answers"}),
        Export("DocVQA", "prompt (the question), completion (the first of the answers) and image"),
    ),
    (
        frozenset({"annotations", "data"}),
        Export(
            "Label Studio", "prompt (an instruction), completion (the values) and image (the task's file)"
        ),
    ),
    (
        frozenset({"file_name", "text"}),
        Export(
            "Hugging Face ImageFolder", "prompt (an instruction), completion (text) and image (file_name)"
        ),
    ),
    (
        frozenset({"query", "response"}),
        Export("ms-swift", "prompt (the query), completion (the response) and images"),
    ),
    (
        frozenset({"instruction", "output"}),
        Export("Alpaca (LLaMA-Factory)", "instruction, input, output and images, unchanged"),
    ),
    (frozenset({"messages"}), Export("OpenAI messages (LLaMA-Factory)", "messages and images, unchanged")),
)
_BY_FILE_NAME: tuple[tuple[str, Export], ...] = (
    ("*.csv", Export("CSV", "prompt, completion and image")),
    ("*.tsv", Export("TSV", "prompt, completion and image")),
    ("*.xlsx", Export("Excel", "prompt, completion and image")),
    ("*.arrow", Export("Hugging Face Arrow", "prompt, completion and image (written to a file)")),
    (
        "rec_gt*.txt",
        Export("PaddleOCR (recognition)", "prompt (an instruction), completion (the text) and image"),
    ),
    (
        "*label*.txt",
        Export(
            "PaddleOCR (PPOCRLabel)", "prompt (an instruction), completion (the transcriptions) and image"
        ),
    ),
)
_SROIE_FOLDERS = frozenset({"img", "entities"})
_SROIE = Export(
    "SROIE", "prompt (an instruction), completion (the object in entities/) and image (the file in img/)"
)
_HEAD = re.compile(r'\s*(\[\s*\{|\[\s*$|\{\s*$|\{\s*"[^"]*"\s*:\s*[\[{]\s*$)')
"""The first line of a JSON document that is written over several lines, or of an array of objects."""


def refusal(export: Export) -> str:
    """Says which format it is, and what to convert it to."""
    return f"the {export.name} format is not read; {_instead(export)}"


def _instead(export: Export | None) -> str:
    keys = f", with the keys {export.keys}" if export else ""
    return f"write one JSON object per line of a .jsonl file{keys}"


def export_of_row(row: dict[str, Any]) -> Export | None:
    """The format of another program that a row has, by its keys."""
    return next((export for keys, export in _BY_KEYS if keys <= row.keys()), None)


def export_of_files(names: Iterable[str]) -> Export | None:
    """The format of another program that a file, or a folder with these entries, has by its names."""
    found = set(names)
    if found >= _SROIE_FOLDERS:
        return _SROIE
    matches = (
        export for pattern, export in _BY_FILE_NAME if any(fnmatch(name.lower(), pattern) for name in found)
    )
    return next(matches, None)


def is_json_document(first_line: str) -> bool:
    """Whether a file is one JSON document, such as an array of rows, and not a row per line."""
    return bool(_HEAD.match(first_line))


def json_document_refusal(head: str) -> str:
    """Says which format a JSON document has, by its beginning, and how to convert it."""
    start = head.find("{")
    array = head.lstrip().startswith("[")
    try:
        first = json.JSONDecoder().raw_decode(head, start)[0] if start >= 0 else {}
    except (ValueError, RecursionError):
        first = {}
    export = export_of_row(first)
    name = f" in the {export.name} format" if export else ""
    how = "; for an array, `jq -c '.[]' FILE > rows.jsonl` does" if array else ""
    kind = "array" if array else "object"
    return f"the whole file is one JSON {kind}{name}, which is not read; {_instead(export)}{how}"
