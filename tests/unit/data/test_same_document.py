"""No document is in two of the training, validation and test sets unnoticed."""

import json
import logging
from pathlib import Path

import pytest
from PIL import Image

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import StorageEndpoint, TrainerConfig
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.hold_out import hold_out
from finscribe_trainer.data.same_document import find_overlap
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.storage import Storage

INVOICE = {"number": "RE-7", "date": "2026-01-31", "vendor": {"name": "A", "city": "B"}, "lines": [1, 2]}


def text(n: int) -> dict:
    return {"prompt": f"Read {n}.", "completion": "{}"}


def page(folder: Path, n: int, prompt: str = "Read.", name: str | None = None) -> dict:
    """A row with the n-th page, written again to a file of this name."""
    name = name or f"{n}.png"
    Image.new("L", (9, 9), n).save(folder / name)
    return {"prompt": prompt, "completion": "{}", "image": name}


def load(folder: Path, rows: list[dict], name: str = "rows.jsonl") -> list[Example]:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_dataset(DataFile(folder / name, name), 10**6).examples


def test_a_split_of_different_documents_depends_on_the_seed(tmp_path):
    examples = load(tmp_path, [text(n) for n in range(20)])

    def held_out(seed: int) -> list[str]:
        kept, chosen = hold_out(examples, 0.2, seed)
        assert len(kept) == 16
        assert not {e.where for e in kept} & {e.where for e in chosen}
        return [e.where for e in chosen]

    assert held_out(1) == held_out(1) == [f"rows.jsonl:{n}" for n in (3, 5, 9, 19)]
    assert held_out(1) != held_out(2)


SAME = {
    "six rows of two pages": lambda f: [page(f, n % 2, f"Task {n}.") for n in range(6)],
    "copies of pages": lambda f: [page(f, n // 3, name=f"{n}.png") for n in range(12)],
    "rows of two pages in a chain": lambda f: [
        page(f, 0),
        *({"images": [f"{n - 1}.png"], **page(f, n)} for n in range(1, 5)),
        *(page(f, n) for n in range(20, 30)),
    ],
    "texts with the same prompt": lambda _: [{**text(n % 4), "completion": f"{n}"} for n in range(12)],
    "two scans of one document": lambda f: [
        {**page(f, n), "completion": {**INVOICE, "number": f"RE-{n // 2}"}} for n in range(20)
    ],
}  # fmt: skip


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("rows", SAME.values(), ids=SAME)
def test_no_document_is_on_both_sides_of_a_split(rows, share, tmp_path):
    examples = load(tmp_path, rows(tmp_path))
    for seed in range(10):
        kept, chosen = hold_out(examples, share, seed)
        assert kept
        assert chosen
        assert len(kept) + len(chosen) == len(examples)
        assert find_overlap(kept, chosen) == []


def test_a_single_document_cannot_be_split(tmp_path):
    with pytest.raises(UserError, match=r"rows\.jsonl:1: the only row"):
        hold_out(load(tmp_path, [text(1)]), 0.05, seed=1)
    with pytest.raises(UserError, match=r"rows\.jsonl:1: the document that all 3 rows show"):
        hold_out(load(tmp_path, [page(tmp_path, 1, f"Task {n}.") for n in range(3)]), 0.05, seed=1)


def test_short_answers_do_not_make_a_document_the_same(tmp_path):
    rows = [{**page(tmp_path, n), "completion": {"kind": "invoice", "paid": None}} for n in range(4)]
    examples = load(tmp_path, rows)
    assert find_overlap(examples[:2], examples[2:]) == []


def overlap_warnings(folder: Path, caplog: pytest.LogCaptureFixture, **sets: list[dict]) -> list[str]:
    for name, rows in sets.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = {f"{name}_path": str(folder / f"{name}.jsonl") for name in sets if name != "train"}
    config = TrainerConfig(dataset_path=str(folder / "train.jsonl"), **paths)
    with caplog.at_level(logging.WARNING):
        load_splits(config, folder / "inputs", Storage.from_config(StorageEndpoint()))
    return [record.getMessage() for record in caplog.records]


def test_a_validation_file_that_is_the_training_file_is_warned_of(tmp_path, caplog):
    rows = [page(tmp_path, n) for n in range(3)]
    [warning] = overlap_warnings(tmp_path, caplog, train=rows, validation=rows)
    assert warning.startswith("ALL validation rows show a document that is also in the training rows")


def test_overlap_of_each_two_sets_is_warned_of_with_an_example(tmp_path, caplog):
    first, *_ = warnings = overlap_warnings(
        tmp_path,
        caplog,
        train=[page(tmp_path, 1), page(tmp_path, 2)],
        validation=[page(tmp_path, 3), page(tmp_path, 2, "Other.", "copy.png")],
        test=[page(tmp_path, 4), page(tmp_path, 1), page(tmp_path, 3)],
    )
    assert f"such as {tmp_path}/validation.jsonl:2, which shows that of {tmp_path}/train.jsonl:2." in first
    assert [warning.partition(" rows show")[0] for warning in warnings] == [
        "1 of 2 validation",
        "1 of 3 test",
        "1 of 3 test",
    ]
    assert [warning.partition("also in the ")[2].split()[0] for warning in warnings] == [
        "training",
        "training",
        "validation",
    ]


def test_sets_without_a_common_document_are_not_warned_of(tmp_path, caplog):
    pages = [page(tmp_path, n) for n in range(6)]
    assert overlap_warnings(tmp_path, caplog, train=pages[:3], validation=pages[3:5], test=pages[5:]) == []
