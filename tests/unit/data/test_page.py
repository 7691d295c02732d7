"""docs/data.md: its example rows and documents are valid, its table equals the schema, its code runs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import Row, parse_row
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.schema import (
    DOCUMENT_TYPES,
    Address,
    Contact,
    Document,
    FinancialSummary,
    LineItem,
    Party,
    adapter,
    parse_document,
)
from tests.unit.docs.pages import ALL

PAGE = ALL["docs/data.md"]
EXAMPLES = [load_json(block) for block in PAGE.blocks("json")]
DOCUMENTS = [example for example in EXAMPLES if "document_type" in example]
PARTS = {
    "": Document,
    "vendor.": Party,
    "vendor.address.": Address,
    "vendor.contact.": Contact,
    "line_items[].": LineItem,
    "financial_summary.": FinancialSummary,
}


@pytest.mark.parametrize("row", [example for example in EXAMPLES if "document_type" not in example])
def test_an_example_row_is_valid(row):
    assert parse_row(row).images == ("images/0001.png",)


def test_there_is_an_example_of_each_document_type():
    assert [document["document_type"] for document in DOCUMENTS] == list(DOCUMENT_TYPES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["document_type"])
def test_an_example_document_conforms_to_the_schema_and_its_sums_are_correct(document):
    parse_document(document)
    assert check_arithmetic(document) == []


def kind(schema: dict[str, Any]) -> str:
    """The name of a field's type in the table."""
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    first = next((c for c in choices if c.get("type") == "number"), choices[0])
    if first.get("type") == "number":
        return "percent" if "maximum" in first else "number"
    names = {"array": "list", "object": "object", None: "object"}
    return first.get("format") or names.get(first.get("type"), "text")


def table(parts: dict[str, type[BaseModel]]) -> Iterator[str]:
    """The expected rows of the table."""
    definitions = adapter.json_schema()["$defs"]
    requiring = [definitions[name] for name in ("Invoice", "Receipt", "Statement", "PurchaseOrder")]
    for prefix, model in parts.items():
        schema = model.model_json_schema()
        for name, field in schema["properties"].items():
            if prefix:
                needed = "yes" if name in schema.get("required", ()) else ""
            else:
                types = [t for t, d in zip(DOCUMENT_TYPES, requiring, strict=True) if name in d["required"]]
                needed = "yes" if len(types) == len(DOCUMENT_TYPES) else ", ".join(types)
            meaning = field.get("description", ", ".join(DOCUMENT_TYPES)).replace("\n", " ")
            yield f"| `{prefix}{name}` | {kind(field)} | {needed} | {meaning} |"


def test_the_table_of_fields_equals_the_schema():
    described = [line for line in PAGE.text.splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    assert described == list(table(PARTS))


def test_the_conversion_code_writes_readable_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/train.jsonl").write_text(json.dumps(EXAMPLES[0]) + "\n")
    blocks = PAGE.blocks("python")
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/data.md", "exec"), {})
    written = sorted(path for path in (tmp_path / "rows").iterdir() if path.suffix != ".jsonl")
    assert [path.name for path in written] == ["train.jsonl.gz", "train.parquet"]
    for path in written:
        [(_, row)] = scan_rows(DataFile(path, path.name))
        assert isinstance(row, Row)
        assert row.images == ("images/0001.png",)
