"""The data set in `data/` equals the output of the documented command."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from finscribe_trainer.data_tools.synthetic.row import Choice, write_row
from finscribe_trainer.documents.schema import schema_json

DATA = Path(__file__).parents[4] / "data"
ROWS = [
    line
    for split in ("train", "val")
    for line in (DATA / f"{split}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
]


@pytest.mark.parametrize("index", [0, 1, 17, 63, 64, 79])
def test_a_row_and_its_image_are_reproduced(index, tmp_path):
    (tmp_path / "images").mkdir()
    settings = json.loads((DATA / "generated.json").read_text())
    choice = Choice(*(settings[name] for name in ("seed", "template_set", "locale", "degrade")))
    assert write_row(choice, tmp_path, index) == ROWS[index]
    name = json.loads(ROWS[index])["input"]
    written, shipped = (np.asarray(Image.open(folder / name)) for folder in (tmp_path, DATA))
    assert np.array_equal(written, shipped)


def test_it_has_a_row_for_every_image_and_the_schema():
    names = {json.loads(row)["input"] for row in ROWS}
    assert names == {f"images/{path.name}" for path in (DATA / "images").iterdir()}
    assert (len(ROWS), len(names)) == (80, 80)
    assert json.loads((DATA / "schema.json").read_text()) == schema_json()
