"""Malformed input is reported by file and row, never as a traceback."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_folders import ImageError, resolve_image
from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import parse_row
from finscribe_trainer.documents.numbers import MAX_DEPTH, load_json

GOOD = '{"prompt": "x", "completion": "y"}\n'


def scan(path):
    return list(scan_rows(DataFile(path, path.name)))


@pytest.mark.parametrize("name", ["\ud800.png", "x" * 5000 + ".png"], ids=["half a character", "too long"])
def test_an_image_name_that_no_file_can_have_is_rejected(name, tmp_path):
    with pytest.raises(ImageError, match="can't be opened"):
        resolve_image(tmp_path, name)


@pytest.mark.parametrize("row", [{"x": "\ud800"}, {"image": "\ud800.png"}, {"completion": {"a": "\ud800"}}])
def test_an_unpaired_surrogate_anywhere_in_a_row_is_one_problem(row, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "x", "completion": "y", **row}) + "\n")
    [(_, problem)] = scan(path)
    assert "unpaired surrogate" in problem.message


def test_an_unpaired_surrogate_in_an_answer_makes_the_row_invalid():
    with pytest.raises(RowError, match="unpaired surrogate"):
        parse_row({"prompt": "x", "completion": r'{"a": "\ud800"}'})
    assert parse_row({"prompt": "x", "completion": r'{"a": "\ud83d\ude00"}'})
    assert parse_row({"prompt": "x", "completion": r"a path: C:\ud800"})


def test_json_nested_too_deeply_is_rejected():
    assert load_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(ValueError, match="nested too deeply"):
        load_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert len(load_json("[" + "[]," * 500 + "[]]")) == 501


COLUMNS = {
    "no number": (pa.array([float("nan")]), "contains nan, which JSON does not have"),
    "a day after all years": (pa.array([2**62], pa.timestamp("us")), "damaged"),
}


@pytest.mark.parametrize(("column", "message"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_type_that_json_lacks_is_a_problem(column, message, tmp_path):
    pq.write_table(pa.table({"prompt": ["x"], "completion": ["y"], "z": column}), tmp_path / "rows.parquet")
    [(_, problem)] = scan(tmp_path / "rows.parquet")
    assert message in problem.message


def test_folders_named_like_shards_are_ignored(tmp_path):
    (tmp_path / "old.jsonl").mkdir()
    (tmp_path / "new.jsonl").write_text(GOOD)
    assert [where for where, _ in scan(tmp_path)] == [f"{tmp_path.name}/new.jsonl:1"]


def test_a_shard_that_is_a_dangling_link_is_rejected_by_name(tmp_path):
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"a\.jsonl can't be read"):
        load_dataset(DataFile(tmp_path, "rows"), max_image_pixels=10**6)
