import json
from pathlib import Path

import pytest

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.training.curriculum.difficulty import Parts, difficulties, parts_of, write_difficulties


def example(answer: str, size: tuple[int, int] | None = (1000, 1000)) -> Example:
    sizes = (size,) if size else ()
    row = Row((Turn("user", "Read this."),), answer, ("page.png",) if size else ())
    return Example(row, "train.jsonl:1", tuple(Path("page.png") for _ in sizes), sizes)


LINES = {"line_items": [{"sku": "A", "quantity": "2"}, {"sku": "B", "quantity": None}], "note": "x"}
INVOICE = json.dumps(LINES, separators=(",", ":"))
PARTS = {
    "an invoice of two lines": (example(INVOICE), Parts(len(INVOICE), 4, 2, len(INVOICE))),
    "half the pixels": (example(INVOICE, (500, 1000)), Parts(len(INVOICE), 4, 2, 2 * len(INVOICE))),
    "a plain text": (example("Total 12.00"), Parts(11, 0, 0, 11)),
    "a number alone": (example("12.00"), Parts(5, 0, 0, 5)),
    "no image": (example("Total 12.00", None), Parts(11, 0, 0, 0)),
    "a list in an object in a list": (example('[{"a":[{"b":1},{"b":2}]}]'), Parts(25, 2, 3, 25)),
}


@pytest.mark.parametrize(("row", "parts"), PARTS.values(), ids=PARTS)
def test_parts_are_counted_from_the_answer_and_the_size_of_the_page(row, parts):
    assert parts_of(row) == parts


def test_a_row_that_is_harder_in_every_part_has_the_higher_score():
    scores = difficulties([Parts(900, 50, 20, 900.0), Parts(10, 1, 0, 10.0), Parts(200, 20, 5, 200.0)])
    assert scores == [1.0, 0.0, 0.5]


def test_every_part_has_the_same_weight_for_any_unit():
    # One has a hundred thousand characters more, one a table row more: each is the hardest in one part.
    scores = difficulties([Parts(100_000, 1, 0, 1.0), Parts(10, 1, 1, 1.0), Parts(10, 1, 0, 1.0)])
    assert scores == [0.75, 0.75, 0.0]


@pytest.mark.parametrize("count", [1, 4])
def test_equal_rows_have_equal_scores(count):
    assert len(set(difficulties([Parts(10, 2, 1, 5.0)] * count))) == 1


def test_scores_are_written_with_the_locations_of_their_rows(tmp_path):
    row = example(INVOICE)
    write_difficulties(tmp_path / "difficulty.jsonl", [row], [0.5], [parts_of(row)])
    assert json.loads((tmp_path / "difficulty.jsonl").read_text()) == {
        "where": "train.jsonl:1",
        "score": 0.5,
        "answer_characters": len(INVOICE),
        "fields": 4,
        "table_rows": 2,
        "characters_per_megapixel": len(INVOICE),
    }
