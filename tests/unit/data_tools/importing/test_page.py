"""docs/import.md: its commands turn PDFs in other field names into valid rows; its tables are complete."""

import json
import re
import shlex
from pathlib import Path

import yaml
from PIL import Image

from finscribe_trainer.cli.import_command import _FORMATS, import_command
from finscribe_trainer.data_tools.importing.formats import FORMATS
from finscribe_trainer.data_tools.importing.mapping import FieldMapping, fields_of
from finscribe_trainer.data_tools.importing.recognition import AUTO
from tests.support.command import finscribe
from tests.support.german_answers import in_german
from tests.unit.docs.pages import ALL, ROOT

PAGE = ALL["docs/import.md"]
RUN = PAGE.tested_commands


def test_the_commands_turn_pdfs_in_other_field_names_into_valid_rows(tmp_path):
    (tmp_path / "invoices").mkdir()
    answers = {}
    for number, line in enumerate((ROOT / "data/train.jsonl").read_text().splitlines()[1:5]):
        row = json.loads(line)
        page, answer = Image.open(ROOT / "data" / row["input"]), json.loads(row["output"])
        page.save(tmp_path / f"invoices/{number}.pdf", save_all=True, append_images=[page] * (number % 2))
        (tmp_path / f"invoices/{number}.json").write_text(json.dumps(in_german(answer)))
        answers[f"pages/{number}.pdf-1.png"] = answer

    for command in RUN:
        done = finscribe(shlex.split(command)[1:], tmp_path)
        assert done.exit_code == 0, f"{command}\n{done.exception!r}\n{done.output[-3000:]}"
        assert "dropped " not in done.output.replace("dropped 0.", ""), done.output

    rows = [json.loads(line) for line in (tmp_path / "imported/rows.jsonl").read_text().splitlines()]
    assert [len(row["images"]) for row in rows] == [1, 2] * 2
    for row in rows:
        found, expected = json.loads(row["completion"]), answers[row["images"][0]]
        assert dict(leaf(found)) == dict(leaf(expected))
    assert sum(len(Path(tmp_path / f"data/{name}.jsonl").read_text().splitlines()) for name in
               ("train", "val", "test")) == 4  # fmt: skip


def leaf(answer):
    """The values by path, numbers by value."""
    for path, indices, value in fields_of(answer):
        yield (path, indices), float(value) if re.fullmatch(r"-?\d+(\.\d+)?", str(value)) else value


def test_the_example_mapping_is_valid():
    [block] = PAGE.blocks("yaml")
    mapping = FieldMapping.model_validate(yaml.safe_load(block))
    mapped, unknown = mapping.apply({"Rechnungsnummer": "R-1", "Summe": "1.000,00 EUR", "Neu": 1})
    assert mapped["financial_summary"] == {"grand_total": "1000.00", "currency": "EUR"}
    assert unknown == ["Neu"]


def test_the_page_lists_every_format_and_every_option():
    listed = re.findall(r"^\| `([a-z][a-z-]+)` \| ", PAGE.text.partition("## Formats")[2], re.MULTILINE)
    assert listed == list(FORMATS)
    assert list(_FORMATS) == [AUTO, *FORMATS]
    described = set(re.findall(r"--[a-z-]+", PAGE.text))
    assert {
        option for p in import_command.params for option in p.opts if option.startswith("--")
    } <= described
