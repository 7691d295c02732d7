import errno
import json
import shutil

import pytest
from PIL import Image

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data_tools.curate.output_files import create_files
from finscribe_trainer.data_tools.curate.split import SPLITS, Plan, split_rows
from tests.unit.data_tools.curate.documents import read_lines, write_lines


def text_rows(count: int) -> list[dict]:
    kinds = ("invoice", "receipt")
    return [
        {
            "prompt": f"Read {n}.",
            "completion": {"document_type": kinds[n % 5 == 0], "vendor": {"name": f"V{n % 7}"}, "total": n},
            "template": f"t{n % 3}",
        }
        for n in range(count)
    ]


def split(tmp_path, rows, **plan):
    source = write_lines(tmp_path / "rows.jsonl", *rows)
    split_rows(source, tmp_path / "out", Plan(**plan))
    return {side: read_lines(tmp_path / "out" / f"{side}.jsonl") for side in SPLITS}


def test_every_row_is_in_one_split_of_the_configured_size(tmp_path):
    rows = text_rows(200)
    sides = split(tmp_path, rows, validation=0.1, test=0.2)
    assert {side: len(found) for side, found in sides.items()} == {"train": 140, "val": 20, "test": 40}
    assert sorted(json.dumps(row) for found in sides.values() for row in found) == sorted(
        map(json.dumps, rows)
    )


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    def of(name: str, rows: list, seed: int) -> set[str]:
        (tmp_path / name).mkdir()
        return {row["prompt"] for row in split(tmp_path / name, rows, seed=seed)["test"]}

    rows = text_rows(100)
    assert of("a", rows, 1) == of("b", rows[::-1], 1) != of("c", rows, 2)


def test_rows_of_the_same_image_or_prompt_stay_together(tmp_path):
    for n in range(20):
        Image.new("L", (8, 8), n).save(tmp_path / f"{n}.png")
        shutil.copy(tmp_path / f"{n}.png", tmp_path / f"copy-{n}.png")
    rows = [
        {"instruction": ask, "input": f"{name}{n}.png", "output": ask}
        for n in range(20)
        for name, ask in (("", "Total?"), ("copy-", "Date?"))
    ]
    rows += [{"prompt": f"p{n % 10}", "completion": f"{n}"} for n in range(30)]
    sides = split(tmp_path, rows, validation=0.2, test=0.2)

    def keys(side: str) -> set[str]:
        return {row.get("input", row.get("prompt")).removeprefix("copy-") for row in sides[side]}

    assert not keys("train") & keys("val") | keys("train") & keys("test") | keys("val") & keys("test")
    for side in SPLITS:
        load_dataset(DataFile(tmp_path / "out" / f"{side}.jsonl", side + ".jsonl"), max_image_pixels=10**6)


@pytest.mark.parametrize("field", ["template", "vendor.name"])
def test_rows_with_the_same_field_value_stay_together(field, tmp_path):
    sides = split(tmp_path, text_rows(210), validation=0.34, test=0.34, group_by=field)
    values = {
        "template": lambda row: row["template"],
        "vendor.name": lambda row: row["completion"]["vendor"]["name"],
    }
    found = [{values[field](row) for row in rows} for rows in sides.values()]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found))


def test_document_types_are_stratified(tmp_path):
    sides = split(tmp_path, text_rows(200), validation=0.1, test=0.1, stratify=True)
    kinds = [row["completion"]["document_type"] for row in sides["test"]]
    assert (kinds.count("receipt"), kinds.count("invoice")) in {(16, 4), (4, 16)}


def test_numbers_keep_their_digits(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"prompt": "a", "completion": {"n": 1204.50}}\n{"prompt": "b", "completion": "c"}\n')
    split_rows(source, tmp_path / "out", Plan(validation=0.5, test=0))
    written = "".join((tmp_path / "out" / f"{side}.jsonl").read_text() for side in ("train", "val"))
    assert '{"n": 1204.50}' in written


def test_nothing_is_written_when_a_row_is_invalid_or_an_output_exists(tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", {"prompt": "a", "completion": "b"}, {"prompt": "c"})
    with pytest.raises(UserError, match=r"rows\.jsonl:2: completion is missing"):
        split_rows(source, tmp_path / "out", Plan())
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "out" / "val.jsonl").write_text("precious")
    with pytest.raises(UserError, match=r"val\.jsonl exists already") as caught:
        split_rows(source, tmp_path / "out", Plan())
    assert caught.value.reason is FailureReason.InvalidConfig
    assert (tmp_path / "out" / "val.jsonl").read_text() == "precious"


def test_an_empty_split_is_an_error(tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", *[{"prompt": "same", "completion": "b"}] * 9)
    with pytest.raises(UserError, match=r"no group of rows is left for val\.jsonl"):
        split_rows(source, tmp_path / "out", Plan())


def test_groups_are_in_the_same_split_for_every_order_of_their_rows(tmp_path):
    def of(name: str, rows: list) -> set[str]:
        (tmp_path / name).mkdir()
        found = split(tmp_path / name, rows, group_by="vendor.name", stratify=True, validation=0.2, test=0.2)
        return {row["prompt"] for row in found["test"]}

    rows = [
        {**row, "completion": {**row["completion"], "vendor": {"name": f"V{n // 4}"}}}
        for n, row in enumerate(text_rows(100))
    ]
    assert of("a", rows) == of("b", rows[::-1])


def test_a_field_that_no_row_has_is_rejected(tmp_path):
    with pytest.raises(UserError, match=r"--group-by vendor\.nam: no row"):
        split(tmp_path, text_rows(20), group_by="vendor.nam")


@pytest.mark.parametrize("output", ["rows.parquet", "rows.jsonl.gz", "file/rows.jsonl", f"{'x' * 300}.jsonl"])
def test_an_invalid_output_is_rejected_without_leftovers(output, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError), create_files(tmp_path / output):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_retryable_and_leaves_no_files(tmp_path):
    with pytest.raises(RetryableError, match="No space left"), create_files(tmp_path / "a.jsonl"):
        raise OSError(errno.ENOSPC, "No space left")
    assert list(tmp_path.iterdir()) == []
