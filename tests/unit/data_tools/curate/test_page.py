"""docs/prepare.md: the example review converts to a row, and every option is described."""

import json
import re

import pytest
from PIL import Image

from finscribe_trainer.cli.anonymize import anonymize
from finscribe_trainer.cli.corrections import corrections
from finscribe_trainer.cli.split import split
from finscribe_trainer.data_tools.curate.corrections import write_corrections
from tests.unit.data_tools.curate.documents import read_lines
from tests.unit.docs.pages import ALL

PAGE = ALL["docs/prepare.md"]


def test_the_example_review_converts_to_a_row(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images/0001.png")
    (tmp_path / "corrections.jsonl").write_text("".join(PAGE.blocks("json")))
    write_corrections(tmp_path / "corrections.jsonl", tmp_path / "rows.jsonl")
    [row] = read_lines(tmp_path / "rows.jsonl")
    answer = json.loads(row["output"])
    assert answer["line_items"][0]["quantity"] == "2"
    assert answer["vendor"]["tax_id"] == "12-3456789"


@pytest.mark.parametrize("command", [split, anonymize, corrections], ids=lambda command: command.name)
def test_the_page_describes_every_option(command):
    described = set(re.findall(r"--[a-z-]+", PAGE.text))
    assert {option for p in command.params for option in p.opts if option.startswith("--")} <= described
